"""Work in idempotent units: any number of processes and machines, resumed where it was left, finished once.

OUT/work/plan.json     what the work is; a run that would do other work is refused
OUT/work/NNNNNN.json   record of a unit: the unit is done if and only if it is there
OUT/FOLDER/...         what units make
OUT/RECORD             made last, from the records: the work is complete if and only if it is there

No process coordinates the others. Which units a share has depends on its number alone. What a unit writes
depends on the plan alone: it has a name of its own until it is complete, and is the same bytes whoever does
it. So a unit done twice does no harm, clocks do not matter, and the process that finds all records finishes
the work. Locks only avoid double work; the result is right without them. Kill a process at any moment and run
it again.
"""

import json
import shutil
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Generic, Protocol, TypeVar

from cavmae_sync.atomic import PART_SUFFIX, locked, write_text
from cavmae_sync.errors import DatasetError
from cavmae_sync.untrusted import read_object
from cavmae_sync.work.plan_differences import differences
from cavmae_sync.work.source_file import SourceFile
from cavmae_sync.work.workers import run_in_workers

WORK_FOLDER: Final = "work"
PLAN_FILE: Final = "plan.json"
_REMEDY: Final = "Choose another folder, or remove this one."
#: Number of units that files are split into, unless units would become larger than `_MOST_FILES`. Small units
#: keep all workers busy until the end and lose little when a process is killed; each costs a few small files.
_NUM_UNITS: Final = 64
_MOST_FILES: Final = 1024


class WorkUnit(Protocol):
    """Files that are worked on together; a value that can be sent to another process."""

    @property
    def num_files(self) -> int:
        """Files of the unit."""
        ...

    @property
    def first_file(self) -> str:
        """Name of the first file, for messages."""
        ...

    def is_done(self) -> bool:
        """Whether its record is there."""
        ...


@dataclass(frozen=True, kw_only=True, slots=True)
class FilesUnit:
    """Base of units that are a part of a list of files.

    Attributes:
        index: Number of the unit.
        root: Folder the files are below.
        out: Folder of the result.
        files: The files, in order.
    """

    index: int
    root: Path
    out: Path
    files: tuple[SourceFile, ...]

    @property
    def num_files(self) -> int:
        """Files of the unit."""
        return len(self.files)

    @property
    def first_file(self) -> str:
        """Path of the first file."""
        return self.files[0].path

    def work_file(self, ending: str) -> Path:
        """Path of a file of this unit in OUT/work; the ending of its record is `json`."""
        return unit_file(self.out, self.index, ending)

    def is_done(self) -> bool:
        """Whether the unit's record is there."""
        return self.work_file("json").is_file()


UnitT = TypeVar("UnitT", bound=WorkUnit)


@dataclass(frozen=True, kw_only=True, slots=True)
class Share:
    """Part of the work that one process does, when several machines work on one folder.

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
class ShareProgress:
    """Progress of a share; files done in earlier runs count.

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
class UnitResult:
    """Files and clips of a unit that is done, counted."""

    num_files: int
    num_clips: int
    num_rejected: int


@dataclass(frozen=True, kw_only=True, slots=True)
class Work(Generic[UnitT]):
    """All units of a result, and how they become the whole.

    Attributes:
        name: Name of the work in messages, "a preparation".
        out: Folder of the result, absolute.
        units: All units, of every share, in order.
        plan: What a later run must have in common to go on; JSON.
        folder: Name of the folder for what units make.
        record: Name of the file that `finish` writes last: JSON with the plan under "plan".
        finish: Makes the whole from what units wrote. Called when all of them are done.
        upgrade: Gives a stored plan the names of today, where an older version wrote others.
    """

    name: str
    out: Path
    units: Sequence[UnitT]
    plan: dict[str, Any]
    folder: str
    record: str
    finish: Callable[[], None]
    upgrade: Callable[[dict[str, Any]], dict[str, Any]] = dict

    def are_units_done(self) -> bool:
        """Whether every unit is done. Records are removed when the work is complete."""
        if self.has_record():
            return True
        # Listing makes a network file system read the folder again. Otherwise each of the last two machines
        # could miss the record that the other has just written, and none of them would finish the work.
        list((self.out / WORK_FOLDER).iterdir())
        return all(unit.is_done() for unit in self.units)

    def has_record(self) -> bool:
        """Whether the work is complete."""
        return (self.out / self.record).is_file()


#: Does units, and gives the result of each when its record is written, in any order.
Perform = Callable[[Sequence[UnitT]], Iterator[UnitResult]]


def files_per_unit(num_files: int, wanted: int | None = None) -> int:
    """Number of files in a unit: `wanted`, or a 64th of all, at least 1 and at most 1024.

    >>> files_per_unit(10), files_per_unit(6400), files_per_unit(2_000_000), files_per_unit(6400, 7)
    (1, 100, 1024, 7)
    """
    return wanted or max(1, min(_MOST_FILES, -(-num_files // _NUM_UNITS)))


def unit_file(out: Path, index: int, ending: str) -> Path:
    """Path of a file of one unit, removed when the work is complete; the ending of its record is `json`."""
    return out / WORK_FOLDER / f"{index:06d}.{ending}"


def run_units(
    work: Work[UnitT],
    perform: Perform[UnitT],
    *,
    share: Share,
    on_progress: Callable[[ShareProgress], None] | None = None,
) -> bool:
    """Do one share of the work, and finish the work when all shares are done.

    Args:
        work: The whole work.
        perform: Does units; see `in_processes` and `on_ray.do_on_ray`.
        share: The part to do.
        on_progress: Called after each unit.

    Returns:
        Whether the work is complete. If not, other shares are still to be done.

    Raises:
        DatasetError: The folder holds other work or other files, or another process does this share.
    """
    if find_complete(work):
        return True
    busy = f"Another process is working on this share of {work.out}. Wait until it ends."
    try:
        try:
            with locked(work.out / WORK_FOLDER / f"share-{share.index}-of-{share.count}.lock", busy=busy):
                _perform(work.units[share.index :: share.count], perform, on_progress)
        except FileNotFoundError:
            # Another process did the same units, was faster, and is removing leftovers, to finish.
            if not work.are_units_done():
                raise
        if not work.are_units_done():
            return False
        with locked(work.out / WORK_FOLDER / "finish.lock"):
            if not find_complete(work):
                work.finish()
    except FileNotFoundError:
        # Another process did the same units, was faster, finished, and removed OUT/work.
        if not work.has_record():
            raise
    return find_complete(work)


def find_complete(work: Work[UnitT]) -> bool:
    """Whether the work is complete. If so, remove what it left over; if not, make the folder ready for it.

    Raises:
        DatasetError: The folder holds other work, or other files.
    """
    out = work.out
    if work.has_record():
        _check_plan(work, read_object(out / work.record, remedy=_REMEDY).get("plan", {}))
        shutil.rmtree(out / WORK_FOLDER, ignore_errors=True)
        # Left by a process that was doing a unit again when another process finished the work.
        for leftover in (out / work.folder).glob(f"*{PART_SUFFIX}"):
            leftover.unlink(missing_ok=True)
        return True
    # Listed before the plan is looked for: another share may write the plan, and then the rest, just now.
    has_other_files = out.exists() and any(path.name != WORK_FOLDER for path in out.iterdir())
    plan_file = out / WORK_FOLDER / PLAN_FILE
    if plan_file.is_file():
        _check_plan(work, read_object(plan_file, remedy=_REMEDY))
    elif has_other_files:
        raise DatasetError(f"{out} is not empty and was not left by {work.name}. Choose another folder.")
    else:
        plan_file.parent.mkdir(parents=True, exist_ok=True)
        write_text(plan_file, json.dumps(work.plan, indent=2))
    (out / work.folder).mkdir(exist_ok=True)
    return False


def in_processes(
    do: Callable[[UnitT], UnitResult], units: Sequence[UnitT], *, num_workers: int | None
) -> Iterator[UnitResult]:
    """Do units in worker processes of this machine; a way to `perform` for `run_units`.

    Args:
        do: Does a unit and leaves its record; a function of a module.
        units: What to do.
        num_workers: Processes; None = one per core, 0 = in this process.

    Raises:
        DatasetError: A worker died; names files that it may have been reading.
    """
    return run_in_workers(do, units, num_workers=num_workers, suspects=lambda: unfinished(units))


def unfinished(units: Sequence[WorkUnit]) -> list[str]:
    """First file of every unit that is not done."""
    return [unit.first_file for unit in units if not unit.is_done()]


def _perform(
    units: Sequence[UnitT], perform: Perform[UnitT], on_progress: Callable[[ShareProgress], None] | None
) -> None:
    num_files = sum(unit.num_files for unit in units)
    waiting = [unit for unit in units if not unit.is_done()]
    num_done = num_files - sum(unit.num_files for unit in waiting)
    num_clips = num_rejected = 0
    for result in perform(waiting):
        num_done += result.num_files
        num_clips += result.num_clips
        num_rejected += result.num_rejected
        if on_progress is not None:
            on_progress(
                ShareProgress(
                    num_files=num_files, num_done=num_done, num_clips=num_clips, num_rejected=num_rejected
                )
            )


def _check_plan(work: Work[UnitT], found: Any) -> None:
    is_plan = isinstance(found, dict)
    found_differences = differences(work.upgrade(found), work.plan) if is_plan else ["its plan is damaged"]
    if found_differences:
        raise DatasetError(
            f"{work.out} was begun with other options: {'; '.join(found_differences)}. To go on, give the "
            "same options as then, or choose another folder."
        )
