"""Cells of a row: one model, measured for one task; stored so that no cell is measured twice."""

import json
import shutil
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from functools import partial
from pathlib import Path
from types import MappingProxyType
from typing import Any, Final

from cavmae_sync.atomic import write_text
from cavmae_sync.data import PreparedDataset
from cavmae_sync.embedding import DatasetEmbeddings, Embedder
from cavmae_sync.paper import RECALL_AT
from cavmae_sync.recipes.probing import find_probe_recipe
from cavmae_sync.recipes.reporter import OnNamedProgress
from cavmae_sync.recipes.tables.datasets import ByFrames, TableDatasets
from cavmae_sync.recipes.tables.stage_cells import (
    KNOWLEDGE_HEADINGS,
    MAP_HEADINGS,
    STATE_HEADINGS,
    knowledge_cells,
    map_cells,
    state_cells,
)
from cavmae_sync.recipes.tables.table_spec import Measurement, Task
from cavmae_sync.stage import StageTruth
from cavmae_sync.tasks.classification.features import FeatureConfig
from cavmae_sync.tasks.classification.probe_model import probe_model
from cavmae_sync.tasks.classification.probe_training import Advance
from cavmae_sync.tasks.localization.ade20k import Ade20kFolder
from cavmae_sync.tasks.localization.ade20k_examples import Ade20kExamples
from cavmae_sync.tasks.localization.evaluate import LocalizationConfig, evaluate_localization
from cavmae_sync.tasks.retrieval import RetrievalConfig, retrieval_report
from cavmae_sync.untrusted import read_json
from cavmae_sync.weights import weights_fingerprint


@dataclass(frozen=True, kw_only=True, slots=True)
class Cells:
    """Result of one measurement of one model.

    Attributes:
        values: Fraction by heading, in the order of columns.
        report: Reports that the values come from, by dataset, as JSON values.
        weights: Fingerprint of the model.
    """

    values: Mapping[str, float]
    report: Mapping[str, Any]
    weights: str


@dataclass(frozen=True, kw_only=True, slots=True)
class MeasuredModel:
    """A model to measure, the folder of its results, and the datasets to measure with.

    Rows that differ in how a model is measured share it, and the vectors of its galleries.
    """

    embedder: Embedder
    folder: Path
    datasets: TableDatasets
    on_progress: OnNamedProgress
    _vectors: dict[Path, DatasetEmbeddings] = field(default_factory=dict)

    def vectors(self, gallery: Path) -> DatasetEmbeddings:
        """Vectors of all clips of a prepared dataset, computed once."""
        if gallery not in self._vectors:
            self._vectors[gallery] = self.embedder.embed_dataset(
                PreparedDataset.open(gallery),
                on_progress=lambda done, total: self.on_progress("embedding clips", done, total),
            )
        return self._vectors[gallery]


def measure(task: Task, measurement: Measurement, model: MeasuredModel) -> Cells:
    """Cells of one task, read from the folder if they were measured before.

    They are measured again if the weights changed, or if a dataset changed or was not given before.
    """
    weights = weights_fingerprint(model.embedder.model)
    known = stored_cells(model.folder, task, measurement)
    if known is not None and known.weights == weights:
        measured = {
            name: (report["clip_list"], report.get("train_clip_list"))
            for name, report in known.report.items()
        }
        if measured == _clip_lists(task, measurement, model.datasets):
            return known
    values, report = _TASKS[task](measurement, model)
    cells = Cells(values=values, report=report, weights=weights)
    model.folder.mkdir(parents=True, exist_ok=True)
    write_text(_file(model.folder, task, measurement), json.dumps(asdict(cells), indent=2) + "\n")
    return cells


def stored_cells(folder: Path, task: Task, measurement: Measurement) -> Cells | None:
    """Cells that were measured before, or None."""
    path = _file(folder, task, measurement)
    remedy = "Delete it; it is measured again."
    return read_json(path, Cells, remedy=remedy) if path.exists() else None


def headings(task: Task, datasets: TableDatasets) -> list[str]:
    """Headings of the columns of a task with these datasets."""
    has_truth = datasets.stage is not None
    if task == "retrieval":
        found = [f"{gallery} R@{k}" for gallery in datasets.galleries for k in RECALL_AT]
        return [*found, *(KNOWLEDGE_HEADINGS if has_truth else ())]
    if task == "segmentation":
        found = [] if datasets.ade20k is None else ["ADE20K mAP", "ADE20K mIoU"]
        return [*(MAP_HEADINGS if has_truth else ()), *found]
    if task == "states":
        return [] if datasets.probe_stage is None else list(STATE_HEADINGS)
    return [_probing_heading(name) for name in datasets.probing]


def lacking(task: Task, measurement: Measurement, datasets: TableDatasets) -> str | None:
    """Dataset that a measurement needs and that was not given, in words, or None."""
    needed: dict[str, ByFrames] = {}
    if task == "retrieval":
        needed = {f"gallery {name}": folders for name, folders in datasets.galleries.items()}
    elif task == "probing":
        for name, lists in datasets.probing.items():
            needed |= {f"training list {name}": lists.train, f"test list {name}": lists.test}
    elif task == "states":
        if datasets.probe_stage is None:
            return "no clips whose states are known"
        needed = {"test list stage": datasets.probing["stage"].test}
    elif datasets.stage is not None:
        needed = {"gallery stage": datasets.galleries["stage"]}
    for what, folders in needed.items():
        if measurement.num_frames not in folders:
            return f"no {what} with {measurement.num_frames} frames a clip"
    return None


def _clip_lists(
    task: Task, measurement: Measurement, datasets: TableDatasets
) -> dict[str, tuple[str, str | None]]:
    """Fingerprint of each dataset that a task is measured on, and of the training list of a probe."""

    def list_of(folders: ByFrames) -> str:
        return PreparedDataset.open(folders[measurement.num_frames]).list_sha256

    if task == "retrieval":
        return {name: (list_of(folders), None) for name, folders in datasets.galleries.items()}
    if task == "probing":
        return {name: (list_of(lists.test), list_of(lists.train)) for name, lists in datasets.probing.items()}
    if task == "states":
        return {"stage": (list_of(datasets.probing["stage"].test), None)}
    lists: dict[str, tuple[str, str | None]] = {}
    if datasets.stage is not None:
        lists["stage"] = (list_of(datasets.galleries["stage"]), None)
    if datasets.ade20k is not None:
        lists["ADE20K"] = (Ade20kFolder(datasets.ade20k).fingerprint, None)
    return lists


Measured = tuple[dict[str, float], dict[str, Any]]


def _retrieval(measurement: Measurement, model: MeasuredModel) -> Measured:
    values: dict[str, float] = {}
    reports: dict[str, Any] = {}
    for name, folders in model.datasets.galleries.items():
        embeddings = model.vectors(folders[measurement.num_frames])
        if measurement.only_frame is not None:
            embeddings = embeddings.at_frame(measurement.only_frame)
        config = RetrievalConfig(aggregation=measurement.aggregation, num_bootstrap=0)
        # No resamples: the spread that a table shows is over seeds.
        report = retrieval_report(embeddings, config)
        reports[name] = report.to_dict()
        for k in RECALL_AT:
            values[f"{name} R@{k}"] = report.metrics[f"visual_to_audio/recall_at_{k}"].value
        if name == "stage":
            values |= knowledge_cells(report.metrics, num_clips=report.counts["gallery"])
    return values, reports


def _segmentation(measurement: Measurement, model: MeasuredModel) -> Measured:
    values: dict[str, float] = {}
    reports: dict[str, Any] = {}
    if model.datasets.stage is not None:
        clips = _stage_clips(measurement, model.datasets)
        of_stage, maps = map_cells(
            model.embedder, clips, StageTruth(model.datasets.stage), on_progress=model.on_progress
        )
        values |= of_stage
        reports["stage"] = {"clip_list": clips.list_sha256, "maps": maps}
    if model.datasets.ade20k is not None:
        report = evaluate_localization(
            model.embedder,
            Ade20kExamples(Ade20kFolder(model.datasets.ade20k)),
            LocalizationConfig(num_bootstrap=0),
            on_progress=lambda done, total: model.on_progress("segmenting frames", done, total),
        )
        reports["ADE20K"] = report.to_dict()
        values["ADE20K mAP"] = report.metrics["mean_average_precision"].value
        values["ADE20K mIoU"] = report.metrics["mean_iou"].value
    return values, reports


def _states(measurement: Measurement, model: MeasuredModel) -> Measured:
    assert model.datasets.probe_stage is not None
    clips = PreparedDataset.open(model.datasets.probing["stage"].test[measurement.num_frames])
    values, reports = state_cells(
        model.embedder, clips, StageTruth(model.datasets.probe_stage), on_progress=model.on_progress
    )
    return values, {"stage": {"clip_list": clips.list_sha256, "states": reports}}


def _stage_clips(measurement: Measurement, datasets: TableDatasets) -> PreparedDataset:
    return PreparedDataset.open(datasets.galleries["stage"][measurement.num_frames])


def _probing(measurement: Measurement, model: MeasuredModel) -> Measured:
    values: dict[str, float] = {}
    reports: dict[str, Any] = {}
    for name, lists in model.datasets.probing.items():
        out = _file(model.folder, "probing", measurement).with_suffix("") / name
        shutil.rmtree(out, ignore_errors=True)  # an unfinished probe: a finished one has its cells stored
        recipe = find_probe_recipe(_probing_recipe(name))
        train = PreparedDataset.open(lists.train[measurement.num_frames])
        result = probe_model(
            model.embedder,
            recipe.model_copy(
                update={
                    "features": FeatureConfig(tokens=measurement.tokens, modalities=measurement.modalities),
                    "num_bootstrap": 0,
                }
            ),
            train=train,
            test=PreparedDataset.open(lists.test[measurement.num_frames]),
            out=out,
            features=model.folder / "features" / name,
            allow_overlap=model.datasets.allow_overlap,
            show=partial(_shown, model.on_progress),
        )
        report = result.reports.get("averaged", result.report)
        reports[name] = {**report.to_dict(), "train_clip_list": train.list_sha256}
        metric = "mean_average_precision" if _probing_heading(name).endswith("mAP") else "accuracy"
        values[_probing_heading(name)] = report.metrics[metric].value
    return values, reports


@contextmanager
def _shown(on_progress: OnNamedProgress, title: str) -> Iterator[Advance]:
    yield lambda done, total, _note: on_progress(title, done, total)


def _probing_recipe(name: str) -> str:
    if name == "stage":
        return "probe_stage"
    return "probe_vggsound" if name.startswith("VGG") else "probe_as20k"


def _probing_heading(name: str) -> str:
    return f"{name} probe {'accuracy' if name.startswith('VGG') else 'mAP'}"


def _file(folder: Path, task: Task, measurement: Measurement) -> Path:
    """File of a measurement, named by what distinguishes measurements of one task."""
    parts = [task, f"{measurement.num_frames}-frames"]
    if task == "retrieval":
        parts += [] if measurement.only_frame is None else [f"frame-{measurement.only_frame}"]
        parts += [measurement.aggregation]
    elif task == "probing":
        parts += [measurement.modalities, measurement.tokens]
    return folder / f"{'-'.join(parts)}.json"


_TASKS: Final[Mapping[Task, Callable[[Measurement, MeasuredModel], Measured]]] = MappingProxyType(
    {"retrieval": _retrieval, "segmentation": _segmentation, "probing": _probing, "states": _states}
)
