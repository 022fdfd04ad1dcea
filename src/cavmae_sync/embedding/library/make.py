"""Making a library: a folder or list of videos in, a folder of vectors out.

    OUT/parts/part-000000.parquet   one row per clip: its source, its times and its vectors
    OUT/rejected.parquet            rejected files, with the reason
    OUT/library.json                written last: counts, model, configuration, list of parts

A run can be killed at any moment and started again, with any number of processes and machines: the bytes of
the result are the same.
"""

import json
import os
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any, Final

import pyarrow as pa
from pydantic import ValidationError

from cavmae_sync.atomic import PART_SUFFIX, write_text
from cavmae_sync.compute import Float32Products, parse_float32_products
from cavmae_sync.data.preparing.finish import check_ids, check_rejected
from cavmae_sync.data.preparing.sources import SourceList, list_sources
from cavmae_sync.data.storage.tables import (
    REJECTED_SCHEMA,
    list_hash,
    read_table,
    rejected_table,
    write_table,
)
from cavmae_sync.embedding.embedder import Embedder
from cavmae_sync.embedding.library.config import LibraryConfig
from cavmae_sync.embedding.library.on_ray import encode_on_ray
from cavmae_sync.embedding.library.parts import PartRecord
from cavmae_sync.embedding.library.pieces import LibraryUnit
from cavmae_sync.embedding.library.report import LibraryReport, count_up
from cavmae_sync.embedding.library.schema import (
    FACTS_SCHEMA,
    LIBRARY_FILE,
    PARTS_FOLDER,
    REJECTED_FILE,
    SCHEMA_VERSION,
)
from cavmae_sync.embedding.library.stream import Throughput, encode_units
from cavmae_sync.model import ModelConfig
from cavmae_sync.untrusted import checked, read_json, read_object
from cavmae_sync.weights import weights_fingerprint
from cavmae_sync.work import RayCluster, Share
from cavmae_sync.work.units import PLAN_FILE, WORK_FOLDER, UnitResult, Work, files_per_unit, run_units
from cavmae_sync.work.workers import num_cores

_REMEDY: Final = "Choose another folder, or remove this one."

#: Called with files done (those of earlier runs too), all files of this share, and this run's throughput.
LibraryProgress = Callable[[int, int, Throughput], None]


@dataclass(frozen=True, kw_only=True, slots=True)
class LibraryRun:
    """Result of a run.

    Attributes:
        report: Counts of the library so far, work of other runs included.
        throughput: Work and speed of this run.
    """

    report: LibraryReport
    throughput: Throughput


def embed_library(
    embedder: Embedder,
    source: str | os.PathLike[str],
    *,
    out: str | os.PathLike[str],
    config: LibraryConfig | None = None,
    num_workers: int | RayCluster | None = None,
    max_rejected_fraction: float = 1.0,
    share: Share | None = None,
    on_progress: LibraryProgress | None = None,
) -> LibraryRun:
    """Embed the clips of video files of any number and length, in memory that does not grow with either.

    Worker processes decode ahead of the model, which encodes in this process.

    Args:
        embedder: The model and how it computes.
        source: Folder with videos, a list of them, or one file; see `list_sources`.
        out: Folder of the library: new, empty, or left by an earlier run with the same arguments, which is
            then continued (or, if it was complete, only counted).
        config: Clips to cut, and how their vectors are stored.
        num_workers: Processes that decode; 0 = this process. None = one, or one per core where the model
            computes on an accelerator. A `RayCluster` decodes and encodes on that cluster.
        max_rejected_fraction: Share of the files that may be rejected, in [0, 1].
        share: Part of the work to do; None = all of it.
        on_progress: Called after each piece.

    Raises:
        DatasetError: The source cannot be read, `out` holds something else, or files were added, removed or
            changed in size since it was begun.
        TooManyRejectedError: More files were rejected than allowed, or all. Units stay done.
        WeightsError: The model gives vectors that are not finite.
    """
    work = library_work(embedder, source, out=out, config=config, max_rejected_fraction=max_rejected_fraction)
    share = share or Share()
    if num_workers is None:
        num_workers = 1 if embedder.device.type == "cpu" else num_cores()
    num_files = sum(unit.num_files for unit in work.units[share.index :: share.count])
    throughputs = [Throughput()]

    def perform(units: Sequence[LibraryUnit]) -> Iterator[UnitResult]:
        num_before = num_files - sum(unit.num_files for unit in units)

        def note(throughput: Throughput) -> None:
            throughputs[0] = throughput
            if on_progress is not None:
                on_progress(num_before + throughput.num_files, num_files, throughput)

        if isinstance(num_workers, RayCluster):
            return encode_on_ray(embedder, units, cluster=num_workers, on_piece=note)
        return encode_units(embedder, units, num_workers=num_workers, on_piece=note)

    run_units(work, perform, share=share)
    return LibraryRun(report=library_report(work), throughput=throughputs[0])


def library_work(
    embedder: Embedder,
    source: str | os.PathLike[str],
    *,
    out: str | os.PathLike[str],
    config: LibraryConfig | None = None,
    max_rejected_fraction: float = 1.0,
) -> Work[LibraryUnit]:
    """Work on a library in units, for `run_units`; arguments as of `embed_library`."""
    config = config or LibraryConfig()
    listing, folder = list_sources(Path(source)), Path(out).absolute()
    size = files_per_unit(len(listing.files), config.files_per_unit)
    units = [
        LibraryUnit(
            index=index,
            root=listing.root,
            out=folder,
            files=listing.files[first : first + size],
            config=config,
            inputs=embedder.model.config.inputs,
        )
        for index, first in enumerate(range(0, len(listing.files), size))
    ]
    plan = {
        "schema_version": SCHEMA_VERSION,
        "config": config.model_dump(mode="json"),
        "sources_sha256": listing.fingerprint,
        "num_files": len(listing.files),
        "num_units": len(units),
        "weights": weights_fingerprint(embedder.model),
        "made_with": embedder.made_with(),
    }
    return Work(
        name="a library that was being embedded",
        out=folder,
        units=units,
        plan=plan,
        folder=PARTS_FOLDER,
        record=LIBRARY_FILE,
        finish=lambda: _finish(
            units, listing, out=folder, plan=plan, max_rejected_fraction=max_rejected_fraction
        ),
        upgrade=_with_names_of_today,
    )


def _with_names_of_today(plan: dict[str, Any]) -> dict[str, Any]:
    """A stored plan with the model's fields as this version writes them."""
    try:
        model = ModelConfig.model_validate(plan["made_with"]["model"])
    except (ValidationError, LookupError, TypeError):
        return plan  # damaged, or of a later version: the comparison says what differs
    return plan | {"made_with": plan["made_with"] | {"model": model.model_dump(mode="json")}}


def products_of_library(out: Path) -> Float32Products | None:
    """Kind of float32 products that an unfinished or finished library was begun with; None without a library.

    Runs that go on with it must compute in the same way, or its vectors would differ in their last bits.
    """
    for file in (out / LIBRARY_FILE, out / WORK_FOLDER / PLAN_FILE):
        if file.is_file():
            content = read_object(file, remedy=_REMEDY)
            kind = _entry(_entry(content.get("plan", content), "made_with"), "float32_products")
            return parse_float32_products(kind)
    return None


def _entry(content: Any, name: str) -> Any:
    return content.get(name) if isinstance(content, dict) else None


def library_report(work: Work[LibraryUnit]) -> LibraryReport:
    """Counts of the work done so far by all runs."""
    try:
        if not work.has_record():
            done = [unit for unit in work.units if unit.is_done()]
            clips, rejected, parts = _gather(done, out=work.out)
            num_bytes = sum(part.num_bytes for part in parts)
            return count_up(clips, rejected, num_bytes=num_bytes, is_complete=False)
    except FileNotFoundError:  # another share has just finished it all
        if not work.has_record():
            raise
    path = work.out / LIBRARY_FILE
    counts = read_object(path, remedy=_REMEDY).get("counts")
    return checked(counts, LibraryReport, path=path, field="counts", remedy=_REMEDY)


def _finish(
    units: Sequence[LibraryUnit],
    listing: SourceList,
    *,
    out: Path,
    plan: dict[str, Any],
    max_rejected_fraction: float,
) -> None:
    clips, rejected, parts = _gather(units, out=out)
    rejected = pa.concat_tables([rejected, rejected_table(listing.skipped)])
    num_bytes = sum(part.num_bytes for part in parts)
    report = count_up(clips, rejected, num_bytes=num_bytes, is_complete=True)
    write_table(rejected, out / REJECTED_FILE)
    check_rejected(report, rejected, limit=max_rejected_fraction, where=out)
    check_ids(clips)
    _remove_leftovers(out, {part.name for part in parts})
    record = {
        "format": "cavmae-sync library of embeddings",
        "schema_version": SCHEMA_VERSION,
        "made_with": version("cavmae-sync"),
        "list_sha256": list_hash(clips),
        "counts": report.to_dict(),
        "plan": plan,
        "parts": [part.to_dict() for part in parts],
    }
    # Written last: whoever finds this file finds a whole library.
    write_text(out / LIBRARY_FILE, json.dumps(record, indent=2) + "\n")


def _gather(units: Sequence[LibraryUnit], *, out: Path) -> tuple[pa.Table, pa.Table, tuple[PartRecord, ...]]:
    """Table of all clips without their vectors, table of rejected files, and records of the parts."""
    parts = tuple(read_json(unit.work_file("json"), PartRecord, remedy=_REMEDY) for unit in units)
    rejected = [read_table(unit.work_file("rejected.parquet"), REJECTED_SCHEMA) for unit in units]
    facts = [read_table(out / PARTS_FOLDER / part.name, FACTS_SCHEMA, remedy=_REMEDY) for part in parts]
    clips = pa.concat_tables([FACTS_SCHEMA.empty_table(), *facts])
    return clips, pa.concat_tables([REJECTED_SCHEMA.empty_table(), *rejected]), parts


def _remove_leftovers(out: Path, parts: set[str]) -> None:
    """Remove unfinished files of killed runs."""
    for path in (out / PARTS_FOLDER).iterdir():
        if path.name not in parts:
            path.unlink()
    for path in out.glob(f"*{PART_SUFFIX}"):
        path.unlink()
