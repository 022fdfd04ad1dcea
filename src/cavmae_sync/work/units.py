"""Work in idempotent units: any number of processes and machines, resumed where it was left, finished once.

OUT/work/plan.json     what the work is; a run that would do other work is refused
OUT/work/NNNNNN.json   record of a unit: the unit is done if and only if it is there
OUT/FOLDER/...         what units make
OUT/RECORD             made last, from the records: the work is complete if and only if it is there

Nobody coordinates. Which units a share has follows from its number alone; what a unit writes follows from the
plan alone, goes by a name of its own until it is whole, and is the same bytes whoever does it. So a unit done
twice does no harm, no clock is asked for the time, and whoever finds all records there makes the end of it.
Locks spare double work; the result is right without them. Kill it at any moment and run it again.
"""

import json
import shutil
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Generic, Protocol, TypeVar

from cavmae_sync.atomic import PART_SUFFIX, locked, write_text
from cavmae_sync.errors import DatasetError
from cavmae_sync.untrusted import read_object
from cavmae_sync.work.plan_differences import differences
from cavmae_sync.work.source_file import SourceFile
from cavmae_sync.work.workers import num_cores, run_in_workers, single_threaded

WORK_FOLDER: Final = "work"
PLAN_FILE: Final = "plan.json"
_REMEDY: Final = "Choose another folder, or remove this one."
#: Into how many units files are split, unless units would become larger than `_MOST_FILES`.
_NUM_UNITS: Final = 64
_MOST_FILES: Final = 1024


class WorkUnit(Protocol):
    """Files that are worked on together. A value that can be sent to another process."""

    @property
    def num_files(self) -> int:
        """Files of the unit."""
        ...

    @property
    def first_file(self) -> str:
        """Name of the first, for messages."""
        ...

    def is_done(self) -> bool:
        """Whether its record is there."""
        ...


@dataclass(frozen=True, kw_only=True, slots=True)
class FilesUnit:
    """Files that are worked on together, for units to begin with.

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
        """Path of the first."""
        return self.files[0].path

    def work_file(self, ending: str) -> Path:
        """A file of the unit's own, there until the whole is done; its record's ending is `json`."""
        return unit_file(self.out, self.index, ending)

    def is_done(self) -> bool:
        """Whether the unit's record is there."""
        return self.work_file("json").is_file()


UnitT = TypeVar("UnitT", bound=WorkUnit)


@dataclass(frozen=True, kw_only=True, slots=True)
class Share:
    """One process's part of the work, when several machines work on one folder.

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
    """How far a share is; files done in earlier runs count.

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
    """What came of a unit, in numbers."""

    num_files: int
    num_clips: int
    num_rejected: int


@dataclass(frozen=True, kw_only=True, slots=True)
class Work(Generic[UnitT]):
    """All that is to be done.

    Attributes:
        name: What it is called in messages, "a preparation".
        out: Folder of the result, absolute.
        units: All units, of every share, in order.
        plan: What a later run must agree with to go on; JSON.
        folder: Name of the folder for what units make.
        record: Name of the file that `finish` writes last: JSON with the plan under "plan".
        finish: Makes the whole from what units left. Called when all of them are done.
    """

    name: str
    out: Path
    units: Sequence[UnitT]
    plan: dict[str, Any]
    folder: str
    record: str
    finish: Callable[[], None]

    def are_units_done(self) -> bool:
        """Whether every unit has its record, or had it: of complete work they are removed."""
        if self.has_record():
            return True
        # Listing makes a network file system look at the folder anew: what another machine put there just
        # now is not to be missed, or both of two last ones would leave the end to the other.
        list((self.out / WORK_FOLDER).iterdir())
        return all(unit.is_done() for unit in self.units)

    def has_record(self) -> bool:
        """Whether the work is complete."""
        return (self.out / self.record).is_file()


#: Does units and gives the result of each as soon as its record is there, in any order.
Perform = Callable[[Sequence[UnitT]], Iterator[UnitResult]]


def files_per_unit(num_files: int, wanted: int | None = None) -> int:
    """Into units of how many files to split: what is wanted, or a 64th of all, at least 1 and at most 1024.

    >>> files_per_unit(10), files_per_unit(6400), files_per_unit(2_000_000), files_per_unit(6400, 7)
    (1, 100, 1024, 7)
    """
    return wanted or max(1, min(_MOST_FILES, -(-num_files // _NUM_UNITS)))


def unit_file(out: Path, index: int, ending: str) -> Path:
    """A unit's own file, there until the work is complete; its record's ending is `json`."""
    return out / WORK_FOLDER / f"{index:06d}.{ending}"


def run_units(
    work: Work[UnitT],
    perform: Perform[UnitT],
    *,
    share: Share,
    on_progress: Callable[[ShareProgress], None] | None = None,
) -> bool:
    """Do this share of the work, and finish it when all of it is done.

    Args:
        work: All of it.
        perform: Does units; `in_processes` is one way.
        share: Which part to do.
        on_progress: Called after each unit.

    Returns:
        Whether the work is complete; if not, other shares are missing.

    Raises:
        DatasetError: The folder holds other work or something else, or another process does this share.
    """
    if find_complete(work):
        return True
    busy = f"Another process works on this share of {work.out}. Wait for it to end."
    try:
        try:
            with locked(work.out / WORK_FOLDER / f"share-{share.index}-of-{share.count}.lock", busy=busy):
                _perform(work.units[share.index :: share.count], perform, on_progress)
        except FileNotFoundError:
            # Another process did the same units, was first, and removes what is left over, to finish.
            if not work.are_units_done():
                raise
        if not work.are_units_done():
            return False
        with locked(work.out / WORK_FOLDER / "finish.lock"):
            if not find_complete(work):
                work.finish()
    except FileNotFoundError:
        # Another process did the same units, was first, finished, and removed the folder they lay in.
        if not work.has_record():
            raise
    return find_complete(work)


def find_complete(work: Work[UnitT]) -> bool:
    """Whether the work is done already (then tidy up after it); if not, make the folder ready for it.

    Raises:
        DatasetError: The folder holds other work, or something else.
    """
    out = work.out
    if work.has_record():
        _check_plan(out, read_object(out / work.record, remedy=_REMEDY).get("plan", {}), work.plan)
        shutil.rmtree(out / WORK_FOLDER, ignore_errors=True)
        # What is left by a process that was at a unit which another had done already, when that finished.
        for leftover in (out / work.folder).glob(f"*{PART_SUFFIX}"):
            leftover.unlink(missing_ok=True)
        return True
    # Looked at before the plan: another share may put the plan and then the rest here at this moment.
    has_others = out.exists() and any(path.name != WORK_FOLDER for path in out.iterdir())
    plan_file = out / WORK_FOLDER / PLAN_FILE
    if plan_file.is_file():
        _check_plan(out, read_object(plan_file, remedy=_REMEDY), work.plan)
    elif has_others:
        raise DatasetError(f"{out} is not empty and was not left by {work.name}. Choose another folder.")
    else:
        plan_file.parent.mkdir(parents=True, exist_ok=True)
        write_text(plan_file, json.dumps(work.plan, indent=2))
    (out / work.folder).mkdir(exist_ok=True)
    return False


def in_processes(
    do: Callable[[UnitT], UnitResult], units: Sequence[UnitT], *, num_workers: int | None
) -> Iterator[UnitResult]:
    """Do units in worker processes of this machine.

    Args:
        do: Does a unit and leaves its record; a function of a module.
        units: What to do.
        num_workers: Processes; None = one per core, 0 = in this process.

    Raises:
        DatasetError: A worker died; names files it may have been at.
    """
    if num_workers == 0 or not units:
        with single_threaded():
            yield from map(do, units)
        return
    try:
        yield from run_in_workers(do, units, num_workers=num_workers or num_cores())
    except BrokenProcessPool as error:
        raise DatasetError(_describe_death(units)) from error


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


def _check_plan(out: Path, found: Any, plan: dict[str, Any]) -> None:
    others = differences(found, plan) if isinstance(found, dict) else ["its plan is damaged"]
    if others:
        raise DatasetError(
            f"{out} was begun otherwise: {'; '.join(others)}. To go on, run the command as then; or choose "
            "another folder."
        )


def _describe_death(units: Sequence[UnitT]) -> str:
    suspects = [unit.first_file for unit in units if not unit.is_done()]
    return (
        "A worker process died, for lack of memory or by a fault in a decoder. It was at work on a file of "
        f"the units that begin with {', '.join(suspects[:3])}. Run again to go on, with num_workers=1 to "
        "find the file, or with fewer workers to use less memory."
    )
