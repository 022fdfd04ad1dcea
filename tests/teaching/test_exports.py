"""Marks as CSV and as selection tables of Raven, and back."""

import csv
from pathlib import Path

import pytest

from cavmae_sync.embedding.library import Library
from cavmae_sync.errors import DatasetError
from cavmae_sync.teaching import (
    Mark,
    Taught,
    answered,
    export_marks,
    export_proposals,
    keep_proposals,
    read_marks,
    typed_marks,
)

from .made import content_of, made_library


@pytest.fixture
def library(tmp_path: Path) -> Library:
    return made_library(tmp_path / "library")


@pytest.fixture
def taught(library: Library) -> Taught:
    taught = Taught(library, "bell", sense="sound", moment_seconds=1.0)
    taught.add(
        [
            Mark(
                content=content_of("1.mp4"), start_seconds=1.0, stop_seconds=2.0, is_match=True, note="a, b"
            ),
            Mark(content=content_of("0.mp4"), start_seconds=2.0, stop_seconds=3.0, is_match=False),
            Mark(content=content_of("1.mp4"), start_seconds=0.0, stop_seconds=1 / 3, is_match=None),
        ]
    )
    return taught


def essence(marks) -> set[tuple]:
    return {(each.content, each.start_seconds, each.stop_seconds, each.is_match, each.note) for each in marks}


def test_csv_there_and_back(taught: Taught, tmp_path: Path):
    (tmp_path / "bell.csv").write_bytes(export_marks(taught, "csv"))
    assert read_marks(taught, tmp_path / "bell.csv") == []  # they are there already
    other = Taught(taught.library, "other", sense="sound")
    assert essence(read_marks(other, tmp_path / "bell.csv")) == essence(taught.marks())
    assert essence(read_marks(other, taught.folder)) == essence(taught.marks())


def test_checks_from_elsewhere_are_no_checks_here(taught: Taught, tmp_path: Path):
    taught.add([answered(taught.propose(1)[0], is_match=True)])
    taught.add(
        [Mark(content=content_of("2.mp4"), start_seconds=0, stop_seconds=1, is_match=True, reason="check")]
    )
    (tmp_path / "bell.csv").write_bytes(export_marks(taught, "csv"))
    other = Taught(taught.library, "other", sense="sound")
    assert "check" not in {mark.reason for mark in read_marks(other, tmp_path / "bell.csv")}
    assert "check" not in {mark.reason for mark in read_marks(other, taught.folder)}
    taught.undo()
    assert [mark.reason for mark in read_marks(taught, tmp_path / "bell.csv")] == ["check"]


def test_a_table_of_proposals_is_filled_and_given_back(taught: Taught, tmp_path: Path):
    proposals = taught.propose(4)
    rows = list(csv.DictReader(export_proposals(taught, proposals).decode().splitlines()))
    assert [row["label"] for row in rows] == [""] * 4
    for row, label in zip(rows, ["yes", "No", "", "unsure"], strict=True):
        row["label"] = label
    with (tmp_path / "filled.csv").open("w", newline="") as out:
        writer = csv.DictWriter(out, rows[0])
        writer.writeheader()
        writer.writerows(rows)
    marks = read_marks(taught, tmp_path / "filled.csv")
    assert [mark.is_match for mark in marks] == [True, False, None]
    assert marks[0].span == proposals[0].span
    assert marks[0].reason == proposals[0].reason


def test_a_selection_table_lies_on_one_timeline(taught: Taught):
    """Raven opens the files one after the other: the second begins where the first, of 4 s, ends."""
    lines = export_marks(taught, "raven").decode().splitlines()
    rows = [dict(zip(lines[0].split("\t"), line.split("\t"), strict=True)) for line in lines[1:]]
    assert lines[0].split("\t")[:7] == [
        "Selection", "View", "Channel", "Begin Time (s)", "End Time (s)", "Low Freq (Hz)", "High Freq (Hz)",
    ]  # fmt: skip
    columns = ("Selection", "Begin File", "File Offset (s)", "Begin Time (s)", "End Time (s)")
    told = [tuple(row[column] for column in columns) for row in rows]
    assert told == [
        ("1", "0.mp4", "2.000000", "2.000000", "3.000000"),
        ("2", "1.mp4", "0.000000", "4.000000", "4.333333"),
        ("3", "1.mp4", "1.000000", "5.000000", "6.000000"),
    ]
    assert [row["Mark"] for row in rows] == ["no", "unsure", "yes"]
    assert {row["Annotation"] for row in rows} == {"bell"}
    assert rows[0]["Begin Path"].endswith("footage/0.mp4")


def test_names_with_tabulators_make_no_columns(tmp_path: Path):
    from ..search.made import make_library, wander

    library = make_library(tmp_path / "library", {"a\tb\nc.mp4": (wander(8, 4, seed=0), None)})
    taught = Taught(library, "bell", sense="sound")
    taught.add([Mark(content=content_of("a\tb\nc.mp4"), start_seconds=0, stop_seconds=1, is_match=True)])
    header, row = export_marks(taught, "raven").decode().splitlines()
    assert len(header.split("\t")) == len(row.split("\t"))


def test_moments_are_named_by_number_or_by_file(taught: Taught):
    proposals = taught.propose(6)
    keep_proposals(taught, proposals)
    marks = typed_marks(taught, ["2,4-5", "footage/3.mp4@0:01-2.5"], is_match=False)
    assert [mark.span for mark in marks[:3]] == [proposals[n].span for n in (1, 3, 4)]
    assert (marks[3].content, marks[3].start_seconds, marks[3].stop_seconds) == (
        content_of("3.mp4"),
        1.0,
        2.5,
    )


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("start_seconds,stop_seconds,label\n0,1,yes\n", "the library has no file"),
        ("file,start_seconds,stop_seconds,label\nfootage/0.mp4,0,1,maybe\n", "must be yes, no or unsure"),
        ("file,start_seconds,stop_seconds,label\nfootage/0.mp4,x,1,yes\n", "line 2"),
        ("file,label\nfootage/0.mp4,yes\n", "has no column start_seconds, stop_seconds"),
    ],
)
def test_tables_that_cannot_be_read(taught: Taught, tmp_path: Path, text: str, says: str):
    (tmp_path / "bad.csv").write_text(text)
    with pytest.raises(DatasetError, match=says):
        read_marks(taught, tmp_path / "bad.csv")
    with pytest.raises(DatasetError, match="is not there"):
        read_marks(taught, tmp_path / "missing.csv")
