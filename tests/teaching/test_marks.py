"""Marks in their file: added, changed, taken back, by several processes, and after a kill."""

import json
import multiprocessing
from dataclasses import replace
from pathlib import Path

import pytest

from cavmae_sync.errors import ConfigError, DatasetError
from cavmae_sync.teaching import Mark
from cavmae_sync.teaching.marks import MarkFile

A, B = "a" * 64, "b" * 64


def mark(start: float = 0.0, *, content: str = A, is_match: bool | None = True, **more) -> Mark:
    return Mark(content=content, start_seconds=start, stop_seconds=start + 2, is_match=is_match, **more)


def test_what_is_added_is_read_and_what_is_undone_is_not(tmp_path: Path):
    file = MarkFile(tmp_path / "bell")
    assert file.read() == ()
    marks = [mark(0), mark(4, is_match=False), mark(0, content=B, is_match=None, note="far away")]
    file.add(marks[:2])
    file.add(marks[2:])
    assert list(file.read()) == marks
    assert file.undo() == (marks[2],)
    assert file.undo([marks[0].id]) == (marks[0],)
    assert list(file.read()) == [marks[1]]
    assert len(file.path.read_text().splitlines()) == 5  # nothing was deleted
    with pytest.raises(ConfigError, match="It may have been undone already"):
        file.undo([marks[0].id])
    file.undo()
    with pytest.raises(ConfigError, match="no mark to undo"):
        file.undo()


def test_the_last_mark_of_a_moment_counts_until_it_is_undone(tmp_path: Path):
    file = MarkFile(tmp_path)
    first = mark(1)
    second = replace(first, id="other", is_match=False, start_seconds=1.0001)
    file.add([first, mark(5)])
    file.add([second])
    assert (file.read()[0].id, file.read()[0].is_match) == ("other", False)
    assert len(file.read()) == 2
    file.undo()
    assert file.read()[0] == first


def test_checks_become_ordinary_marks(tmp_path: Path):
    file = MarkFile(tmp_path)
    file.add([mark(0, reason="check"), mark(4, reason="check")])
    file.learn([file.read()[0].id])
    assert [each.reason for each in file.read()] == ["random", "check"]


def test_a_line_that_a_kill_has_cut_is_left_out_and_taken_away(tmp_path: Path):
    file = MarkFile(tmp_path)
    file.add([mark(0), mark(4)])
    whole = file.path.read_bytes()
    for length in range(1, 40, 7):
        file.path.write_bytes(whole + whole[:length])
        assert len(file.read()) == 2
    file.add([mark(8)])
    assert len(file.read()) == 3
    assert file.path.read_bytes().startswith(whole)


@pytest.mark.parametrize(
    ("line", "says"),
    [
        ("{", "line 2 is not JSON"),
        ("[1]", "line 2 is not what it should be"),
        ('{"content": "x", "start_seconds": 0, "stop_seconds": 1, "is_match": true}', "not the SHA-256"),
        (json.dumps({"content": A, "start_seconds": 3, "stop_seconds": 1, "is_match": True}), "ends before"),
        (
            json.dumps({"content": A, "start_seconds": "soon", "stop_seconds": 1, "is_match": True}),
            "start_sec",
        ),
        ('{"undo": 3}', "line 2 is not what it should be"),
    ],
)
def test_a_damaged_line_is_named(tmp_path: Path, line: str, says: str):
    file = MarkFile(tmp_path)
    file.add([mark(0)])
    with file.path.open("a") as out:
        out.write(line + "\n")
    with pytest.raises(DatasetError, match=says):
        file.read()
    with pytest.raises(DatasetError, match=says):
        file.add([mark(4)])


def test_what_cannot_be_a_mark_is_refused_and_nothing_is_added(tmp_path: Path):
    file = MarkFile(tmp_path)
    for bad in (
        mark(0, content="../../etc/passwd"),
        replace(mark(0), stop_seconds=0.0),
        replace(mark(0), stop_seconds=float("inf")),
        replace(mark(0), start_seconds=float("nan")),
        mark(0, probability=1.5),
        mark(0, note="two\nlines"),
    ):
        with pytest.raises(ConfigError):
            file.add([mark(0), bad])
    assert not file.path.exists()


def _add(folder: Path, content: str) -> None:
    for start in range(8):
        MarkFile(folder).add([mark(start, content=content)])


def test_several_processes_add_at_once(tmp_path: Path):
    spawn = multiprocessing.get_context("fork")
    workers = [spawn.Process(target=_add, args=(tmp_path, letter * 64)) for letter in "abc"]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    found = MarkFile(tmp_path).read()
    assert len(found) == 24
    assert {(each.content[0], each.start_seconds) for each in found} == {
        (letter, float(start)) for letter in "abc" for start in range(8)
    }
