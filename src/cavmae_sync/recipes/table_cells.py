"""One model, one kind of measurement: the cells of a row, kept so that no cell is measured twice."""

import json
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Any, Final

from cavmae_sync.atomic import write_text
from cavmae_sync.data import PreparedDataset
from cavmae_sync.embedding import Embedder, weights_fingerprint
from cavmae_sync.evaluation import retrieval_report
from cavmae_sync.paper import RECALL_AT
from cavmae_sync.recipes.materials import ByFrames, Materials, OnProgress
from cavmae_sync.recipes.tables import Measurement, Task


@dataclass(frozen=True, kw_only=True, slots=True)
class Cells:
    """What one measurement of one model gave.

    Attributes:
        values: Fraction by heading, in the order of columns.
        report: The reports it was read from, by dataset, as JSON values.
        weights: Fingerprint of the model.
    """

    values: Mapping[str, float]
    report: Mapping[str, Any]
    weights: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Bench:
    """A model on the table, and where what is learned about it is kept."""

    embedder: Embedder
    folder: Path
    materials: Materials
    on_progress: OnProgress


def measure(task: Task, measurement: Measurement, bench: Bench) -> Cells:
    """The cells of one task, read from the folder where they were measured before with these weights."""
    weights = weights_fingerprint(bench.embedder.model)
    known = stored_cells(bench.folder, task, measurement)
    if known is not None and known.weights == weights:
        return known
    values, report = _TASKS[task](measurement, bench)
    cells = Cells(values=values, report=report, weights=weights)
    bench.folder.mkdir(parents=True, exist_ok=True)
    write_text(_file(bench.folder, task, measurement), json.dumps(asdict(cells), indent=2) + "\n")
    return cells


def stored_cells(folder: Path, task: Task, measurement: Measurement) -> Cells | None:
    """What was measured before; None where nothing was."""
    path = _file(folder, task, measurement)
    return Cells(**json.loads(path.read_text("utf-8"))) if path.exists() else None


def headings(task: Task, materials: Materials) -> list[str]:
    """Headings of the columns that a task fills with these materials."""
    if task == "retrieval":
        return [f"{gallery} R@{k}" for gallery in materials.galleries for k in RECALL_AT]
    if task == "segmentation":
        return [f"{name} {metric}" for name in _segmented(materials) for metric in ("mAP", "mIoU")]
    return [f"{name} mAP" for name in materials.probing]


def lacking(task: Task, measurement: Measurement, materials: Materials) -> str | None:
    """What a measurement needs and was not given, in words; None where nothing lacks."""
    datasets: dict[str, ByFrames] = {}
    if task == "retrieval":
        datasets = {f"gallery {name}": folders for name, folders in materials.galleries.items()}
    elif task == "probing":
        for name, lists in materials.probing.items():
            datasets |= {f"training list {name}": lists.train, f"test list {name}": lists.test}
    for what, folders in datasets.items():
        if measurement.num_frames not in folders:
            return f"no {what} with {measurement.num_frames} frames a clip"
    return None


def _segmented(materials: Materials) -> list[str]:
    folders = {"stage": materials.stage, "ADE20K": materials.ade20k}
    return [name for name, folder in folders.items() if folder is not None]


Measured = tuple[dict[str, float], dict[str, Any]]


def _retrieval(measurement: Measurement, bench: Bench) -> Measured:
    values: dict[str, float] = {}
    reports: dict[str, Any] = {}
    for name, folders in bench.materials.galleries.items():
        embeddings = bench.embedder.embed_dataset(
            PreparedDataset.open(folders[measurement.num_frames]),
            on_progress=lambda done, total: bench.on_progress("embedding clips", done, total),
        )
        if measurement.only_frame is not None:
            embeddings = embeddings.at_frame(measurement.only_frame)
        report = retrieval_report(embeddings, aggregation=measurement.aggregation, num_bootstrap=0)
        reports[name] = report.to_dict()
        for k in RECALL_AT:
            values[f"{name} R@{k}"] = report.metrics[f"visual_to_audio/recall_at_{k}"].value
    return values, reports


def _file(folder: Path, task: Task, measurement: Measurement) -> Path:
    """Named by what tells measurements of one task apart."""
    parts = [task, f"{measurement.num_frames}-frames"]
    if task == "retrieval":
        parts += [] if measurement.only_frame is None else [f"frame-{measurement.only_frame}"]
        parts += [measurement.aggregation]
    elif task == "probing":
        parts += [measurement.modalities, measurement.tokens]
    return folder / f"{'-'.join(parts)}.json"


_TASKS: Final[Mapping[Task, Callable[[Measurement, Bench], Measured]]] = MappingProxyType(
    {"retrieval": _retrieval}
)
