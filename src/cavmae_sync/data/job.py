"""The work of a preparation: units in parallel, resumed where they were left, finished once.

Kill it at any moment and run it again: units that are done stay, the rest is done again, and the folder ends
up the same byte for byte. `dataset.json` is there if and only if the dataset is complete.
"""

import json
import os
import shutil
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from cavmae_sync.atomic import locked, write_text
from cavmae_sync.data.config import PrepareConfig
from cavmae_sync.data.finish import audit_units, finish
from cavmae_sync.data.manifest import DATASET_FILE, SCHEMA_VERSION, SHARDS_FOLDER
from cavmae_sync.data.report import LabelUse, PrepareReport
from cavmae_sync.data.sources import SourceList
from cavmae_sync.data.unit import WORK_FOLDER, ClipReader, Unit, UnitResult, prepare_unit
from cavmae_sync.data.workers import num_cores, run_in_workers, single_threaded
from cavmae_sync.errors import DatasetError

_PLAN_FILE: Final = "plan.json"
#: Into how many units the files are split, unless units would become larger than `_MOST_FILES`.
_NUM_UNITS: Final = 64
_MOST_FILES: Final = 1024


@dataclass(frozen=True, kw_only=True, slots=True)
class Share:
    """One process's part of the work, when several machines prepare one dataset into one folder.

    Attributes:
        index: Number of this process, 0 <= index < count.
        count: Number of processes.
    """

    index: int = 0
    count: int = 1

    def __post_init__(self) -> None:
        if not 0 <= self.index < self.count:
            raise ValueError(f"a share needs 0 <= index < count, got index={self.index}, count={self.count}")


@dataclass(frozen=True, kw_only=True, slots=True)
class Progress:
    """How far a preparation is; files done in earlier runs count.

    Attributes:
        num_files: Files of this share.
        num_done: Files tried so far.
        num_clips: Clips written by this run.
        num_rejected: Files rejected by this run.
    """

    num_files: int
    num_done: int
    num_clips: int
    num_rejected: int


@dataclass(frozen=True, kw_only=True, slots=True)
class Job:
    """What is to be prepared.

    Attributes:
        listing: The files.
        labels: The labels of each file.
        labels_fingerprint: SHA-256 of the label file; None without one.
        label_use: What became of its rows.
        read: Gives the clips of a file.
    """

    listing: SourceList
    labels: tuple[tuple[str, ...], ...]
    labels_fingerprint: str | None
    label_use: LabelUse
    read: ClipReader


def run_job(
    job: Job,
    *,
    out: str | os.PathLike[str],
    config: PrepareConfig,
    num_workers: int | None,
    max_rejected_fraction: float,
    share: Share,
    on_progress: Callable[[Progress], None] | None,
) -> PrepareReport:
    """Do this share of a job, and finish the dataset when all of it is done. See `prepare`."""
    out = Path(out).absolute()
    units = _units(job, out=out, config=config)
    plan = _plan(job, config=config, num_units=len(units))
    if _find_complete(out, plan):
        return _recorded_report(out)
    busy = f"Another process is preparing this share into {out}. Wait for it to end."
    with locked(out / WORK_FOLDER / f"share-{share.index}-of-{share.count}.lock", busy=busy):
        _work(units[share.index :: share.count], num_workers=num_workers, on_progress=on_progress)
    # Another share may have finished the dataset meanwhile, and removed the records of the units.
    if not all(unit.is_done() for unit in units) and not (out / DATASET_FILE).is_file():
        return audit_units(units, job.listing.skipped, label_use=job.label_use)
    with locked(out / WORK_FOLDER / "finish.lock"):
        if not _find_complete(out, plan):
            finish(
                units,
                job.listing.skipped,
                plan=plan,
                label_use=job.label_use,
                max_rejected_fraction=max_rejected_fraction,
            )
    _find_complete(out, plan)
    return _recorded_report(out)


def _units(job: Job, *, out: Path, config: PrepareConfig) -> list[Unit]:
    files = job.listing.files
    size = config.files_per_shard or max(1, min(_MOST_FILES, -(-len(files) // _NUM_UNITS)))
    return [
        Unit(
            index=index,
            root=job.listing.root,
            out=out,
            files=files[first : first + size],
            labels=job.labels[first : first + size],
            config=config,
            read=job.read,
        )
        for index, first in enumerate(range(0, len(files), size))
    ]


def _plan(job: Job, *, config: PrepareConfig, num_units: int) -> dict[str, Any]:
    """What a later run must agree with to go on."""
    return {
        "schema_version": SCHEMA_VERSION,
        "read": job.read.__name__,
        "config": config.model_dump(mode="json"),
        "sources_sha256": job.listing.fingerprint,
        "labels_sha256": job.labels_fingerprint,
        "num_files": len(job.listing.files),
        "num_units": num_units,
    }


def _find_complete(out: Path, plan: dict[str, Any]) -> bool:
    """Whether the work is done already (then tidy up after it); if not, make the folder ready for it.

    Raises:
        DatasetError: The folder holds another dataset, or something else.
    """
    work, record = out / WORK_FOLDER, out / DATASET_FILE
    if record.is_file():
        _check_plan(out, json.loads(record.read_text(encoding="utf-8")).get("plan", {}), plan)
        shutil.rmtree(work, ignore_errors=True)
        return True
    # Looked at before the plan: another share may put the plan and then the rest here at this moment.
    has_others = out.exists() and any(path.name != WORK_FOLDER for path in out.iterdir())
    plan_file = work / _PLAN_FILE
    if plan_file.is_file():
        _check_plan(out, json.loads(plan_file.read_text(encoding="utf-8")), plan)
    elif has_others:
        raise DatasetError(f"{out} is not empty and was not left by a preparation. Choose another folder.")
    else:
        work.mkdir(parents=True, exist_ok=True)
        write_text(plan_file, json.dumps(plan, indent=2))
    (out / SHARDS_FOLDER).mkdir(exist_ok=True)
    return False


def _check_plan(out: Path, found: dict[str, Any], plan: dict[str, Any]) -> None:
    different = [name for name in plan if found.get(name) != plan[name]]
    if "config" in different:
        before = found.get("config", {})
        different += [f"config.{name}" for name, value in plan["config"].items() if before.get(name) != value]
    if different:
        raise DatasetError(
            f"{out} was begun with other {', '.join(different)}. Choose another folder, or go on with the "
            "same source, labels and configuration."
        )


def _work(
    units: Sequence[Unit], *, num_workers: int | None, on_progress: Callable[[Progress], None] | None
) -> None:
    num_files = sum(len(unit.files) for unit in units)
    waiting = [unit for unit in units if not unit.is_done()]
    num_done = num_files - sum(len(unit.files) for unit in waiting)
    num_clips = num_rejected = 0
    for result in _results(waiting, num_workers=num_cores() if num_workers is None else num_workers):
        num_done += result.num_files
        num_clips += result.num_clips
        num_rejected += result.num_rejected
        if on_progress is not None:
            on_progress(
                Progress(
                    num_files=num_files, num_done=num_done, num_clips=num_clips, num_rejected=num_rejected
                )
            )


def _results(units: Sequence[Unit], *, num_workers: int) -> Iterator[UnitResult]:
    if num_workers == 0 or not units:
        with single_threaded():
            yield from map(prepare_unit, units)
        return
    try:
        yield from run_in_workers(prepare_unit, units, num_workers=num_workers)
    except BrokenProcessPool as error:
        raise DatasetError(_describe_death(units)) from error


def _describe_death(units: Sequence[Unit]) -> str:
    suspects = [unit.files[0].path for unit in units if not unit.is_done()]
    return (
        "A worker process died, for lack of memory or by a fault in a decoder. It was at work on a file of "
        f"the units that begin with {', '.join(suspects[:3])}. Run again to go on, with num_workers=1 to "
        "find the file, or with fewer workers to use less memory."
    )


def _recorded_report(out: Path) -> PrepareReport:
    return PrepareReport(**json.loads((out / DATASET_FILE).read_text(encoding="utf-8"))["counts"])
