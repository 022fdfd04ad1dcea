"""Units on machines that know nothing of each other: one folder, folders of their own, work done twice."""

import json
import shutil
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import pytest

from cavmae_sync.data import PrepareConfig, prepare
from cavmae_sync.errors import DatasetError
from cavmae_sync.work import Share, ShareProgress
from cavmae_sync.work.units import UnitResult, Work, in_processes, run_units, unit_file
from cavmae_sync.work.workers import worker_context

Contents = Callable[[Path], dict[str, bytes]]
SMALL = PrepareConfig(num_frames=4, frame_pixels=64, clip_seconds=2.0, files_per_shard=1)


@dataclass(frozen=True)
class Square:
    """A unit whose work is to write the square of its number."""

    index: int
    out: Path
    num_files: int = 1

    @property
    def first_file(self) -> str:
        return str(self.index)

    def is_done(self) -> bool:
        return unit_file(self.out, self.index, "json").is_file()


def square(unit: Square) -> UnitResult:
    (unit.out / "squares" / str(unit.index)).write_text(str(unit.index**2))
    unit_file(unit.out, unit.index, "json").write_text("{}")
    return UnitResult(num_files=1, num_clips=1, num_rejected=0)


def work_on(out: Path, *, count: int = 4, name: str = "squares") -> Work[Square]:
    plan = {"name": name}
    units = [Square(index, out) for index in range(count)]

    def finish() -> None:
        total = sum(int((out / "squares" / str(unit.index)).read_text()) for unit in units)
        (out / "total.json").write_text(json.dumps({"total": total, "plan": plan}))

    return Work(
        name="squares", out=out, units=units, plan=plan, folder="squares", record="total.json", finish=finish
    )


here = partial(in_processes, square, num_workers=0)


def test_the_last_share_finishes(tmp_path: Path) -> None:
    shares = [Share(index=index, count=3) for index in (1, 2, 0)]
    assert [run_units(work_on(tmp_path), here, share=share) for share in shares] == [False, False, True]
    assert json.loads((tmp_path / "total.json").read_text())["total"] == 14
    assert sorted(path.name for path in tmp_path.iterdir()) == ["squares", "total.json"]


def test_what_is_done_is_not_done_again(tmp_path: Path) -> None:
    run_units(work_on(tmp_path), here, share=Share(index=0, count=2))
    asked: list[int] = []

    def remember(units: Sequence[Square]) -> Iterator[UnitResult]:
        asked.extend(unit.index for unit in units)
        return here(units)

    told: list[ShareProgress] = []
    assert run_units(work_on(tmp_path), remember, share=Share(), on_progress=told.append)
    assert asked == [1, 3]
    assert [step.num_done for step in told] == [3, 4]


def test_more_shares_than_units_leave_some_idle(tmp_path: Path) -> None:
    assert not run_units(work_on(tmp_path), here, share=Share(index=7, count=9))
    assert not any((tmp_path / "squares").iterdir())


def test_one_that_was_overtaken_is_content(tmp_path: Path) -> None:
    """Another process did all of it, finished and removed the records, while this one was at a unit."""
    work = work_on(tmp_path)

    def overtaken(units: Sequence[Square]) -> Iterator[UnitResult]:
        assert run_units(work, here, share=Share(index=0, count=1000)) is False
        for unit in units:
            square(unit)
        work.finish()
        shutil.rmtree(tmp_path / "work")
        (tmp_path / "squares" / "3.0.part").write_text("half")
        yield square(units[0])

    assert run_units(work, overtaken, share=Share())
    assert sorted(path.name for path in (tmp_path / "squares").iterdir()) == ["0", "1", "2", "3"]


def test_one_whose_half_file_another_removes_to_finish_is_content(tmp_path: Path) -> None:
    """The other has all records, cleans up, and has not written the whole yet."""
    work = work_on(tmp_path)

    def overtaken(units: Sequence[Square]) -> Iterator[UnitResult]:
        for unit in units:
            square(unit)
        raise FileNotFoundError("squares/3.0.part")
        yield

    assert run_units(work, overtaken, share=Share())
    assert work.has_record()


def test_other_work_is_not_mixed_in(tmp_path: Path) -> None:
    run_units(work_on(tmp_path), here, share=Share(index=0, count=2))
    with pytest.raises(DatasetError, match=r"made with name=squares, and now name=cubes is asked for"):
        run_units(work_on(tmp_path, name="cubes"), here, share=Share(index=1, count=2))


def test_a_file_that_is_missing_for_another_reason_is_an_error(tmp_path: Path) -> None:
    def stumble(units: Sequence[Square]) -> Iterator[UnitResult]:
        raise FileNotFoundError("a source")
        yield

    with pytest.raises(FileNotFoundError, match="a source"):
        run_units(work_on(tmp_path), stumble, share=Share())


def test_machines_without_a_shared_folder(videos: Path, tmp_path: Path, contents: Contents) -> None:
    """Each prepares its share into a folder of its own; copied over one another, one more run finishes."""
    prepare(videos, out=tmp_path / "whole", config=SMALL, num_workers=0)
    for index in range(2):
        share = Share(index=index, count=2)
        own = prepare(videos, out=tmp_path / f"machine-{index}", config=SMALL, num_workers=0, share=share)
        assert not own.is_complete
    for index in range(2):
        shutil.copytree(tmp_path / f"machine-{index}", tmp_path / "merged", dirs_exist_ok=True)
    assert prepare(videos, out=tmp_path / "merged", config=SMALL, num_workers=0).is_complete
    assert contents(tmp_path / "merged") == contents(tmp_path / "whole")


def prepare_share(videos: Path, out: Path, share: Share) -> None:
    prepare(videos, out=out, config=SMALL, num_workers=0, share=share)


def test_shares_at_once_and_twice_and_killed(videos: Path, tmp_path: Path, contents: Contents) -> None:
    """Two overlapping divisions of the work run at the same time, one process is killed in the middle."""
    prepare(videos, out=tmp_path / "whole", config=SMALL, num_workers=0)
    out = tmp_path / "shared"

    running = [
        worker_context().Process(target=prepare_share, args=(videos, out, Share(index=index, count=count)))
        for index, count in ((1, 2), (0, 1), (0, 2))
    ]
    for process in running:
        process.start()
    running[0].join()
    running[2].kill()
    for process in running:
        process.join()
    assert [process.exitcode for process in running[:2]] == [0, 0]
    prepare(videos, out=out, config=SMALL, num_workers=0)
    assert contents(out) == contents(tmp_path / "whole")
