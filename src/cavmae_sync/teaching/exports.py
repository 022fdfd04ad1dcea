"""Marks as files of other programs: CSV, and selection tables of Raven; and marks from such files.

Checks that come from elsewhere come as ordinary marks: here they are no random sample. The column `sample`
tells whether they are of the sample that is drawn here.
"""

import os
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Final, Literal, get_args

from cavmae_sync.atomic import csv_text
from cavmae_sync.embedding.library import FileRow
from cavmae_sync.embedding.library.schema import is_content
from cavmae_sync.errors import ConfigError, DatasetError
from cavmae_sync.paper import SAMPLE_RATE_HZ
from cavmae_sync.teaching.marks import MARKS_FILE, Mark, MarkFile, Reason
from cavmae_sync.teaching.proposals import Proposal
from cavmae_sync.teaching.taught import Taught
from cavmae_sync.untrusted import read_rows

#: "csv": one line a mark, which `read_marks` reads again. "raven": a selection table of Raven.
ExportFormat = Literal["csv", "raven"]

_COLUMNS: Final = (
    "file", "start_seconds", "stop_seconds", "label", "content", "reason", "probability", "note", "time",
    "sample",
)  # fmt: skip
_NEEDED: Final = ("start_seconds", "stop_seconds", "label")
_RAVEN: Final = (
    "Selection", "View", "Channel", "Begin Time (s)", "End Time (s)", "Low Freq (Hz)", "High Freq (Hz)",
    "Begin Path", "Begin File", "File Offset (s)", "Annotation", "Mark", "Probability",
)  # fmt: skip
_LABELS: Final = {True: "yes", False: "no", None: "unsure"}
_SAID: Final = {
    "yes": True, "y": True, "1": True, "true": True,
    "no": False, "n": False, "0": False, "false": False, "unsure": None,
}  # fmt: skip


def export_marks(taught: Taught, kind: ExportFormat) -> bytes:
    """Marks as a file, UTF-8.

    Args:
        taught: What was taught.
        kind: Kind of file.
    """
    marks = taught.marks()
    return (_csv(taught, marks) if kind == "csv" else _raven(taught, marks)).encode()


def _csv(taught: Taught, marks: Sequence[Mark]) -> str:
    rows = [
        (
            _file_of(taught, mark),
            repr(mark.start_seconds),
            repr(mark.stop_seconds),
            _LABELS[mark.is_match],
            mark.content,
            mark.reason,
            _probability(mark),
            mark.note,
            mark.time,
            taught.record.salt,
        )
        for mark in marks
    ]
    return csv_text([_COLUMNS, *rows])


def export_proposals(taught: Taught, proposals: Sequence[Proposal]) -> bytes:
    """Proposals as a CSV file whose empty column `label` is to be filled; `read_marks` reads it then."""
    rows = [
        (
            _file_of(taught, each),
            repr(each.start_seconds),
            repr(each.stop_seconds),
            "",
            each.content,
            each.reason,
            _probability(each),
            "",
            "",
            taught.record.salt,
        )
        for each in proposals
    ]
    return csv_text([_COLUMNS, *rows]).encode()


def _raven(taught: Taught, marks: Sequence[Mark]) -> str:
    """Selection table: one row a mark, file after file.

    Raven counts times from the start of the first of all files, opened as one sequence, and keeps the time in
    the file itself in a column of its own.
    """
    with taught.library.catalogue() as catalogue:
        roots = {name: root.path for name, root in catalogue.roots().items()}
        seconds = {row.content: row.seconds for row in catalogue.contents()}
    here = [mark for mark in marks if taught.places(mark.content)]
    by_file = sorted(here, key=lambda mark: (_file_of(taught, mark), mark.start_seconds))
    lines: list[str] = ["\t".join(_RAVEN)]
    begin, before = 0.0, None
    for number, mark in enumerate(by_file, start=1):
        if before is not None and before != mark.content:
            begin += seconds.get(before, 0.0)
        before = mark.content
        place = taught.places(mark.content)[0]
        root = roots.get(place.root)
        path = place.path if root is None else str(root / place.path)
        cells = (
            str(number), "Spectrogram 1", "1",
            f"{begin + mark.start_seconds:.6f}", f"{begin + mark.stop_seconds:.6f}",
            "0.0", f"{SAMPLE_RATE_HZ / 2:.1f}",
            path, Path(place.path).name, f"{mark.start_seconds:.6f}",
            taught.name, _LABELS[mark.is_match], _probability(mark),
        )  # fmt: skip
        lines.append("\t".join(map(_cell, cells)))
    return "\n".join(lines) + "\n"


def _cell(text: str) -> str:
    """Text of one cell: a name with a tabulator or a line break would make other cells."""
    return "".join(letter if letter.isprintable() else " " for letter in text)


def _probability(mark: Mark | Proposal) -> str:
    return "" if mark.probability is None else f"{mark.probability:.4f}"


def _file_of(taught: Taught, mark: Mark | Proposal) -> str:
    places = taught.places(mark.content)
    return f"{places[0].root}/{places[0].path}" if places else ""


def read_marks(taught: Taught, path: str | os.PathLike[str]) -> list[Mark]:
    """Marks from a file: a CSV file, or the marks of another library (`marks.jsonl`, or its folder).

    A CSV file has `start_seconds`, `stop_seconds`, `label` (yes, no or unsure), and `content` (SHA-256) or
    `file` (ROOT/PATH as results show it). Marks that are there already are left out.

    Args:
        taught: What is taught.
        path: The file.

    Raises:
        DatasetError: It cannot be read; names the line.
    """
    path = Path(path)
    path = path / MARKS_FILE if path.is_dir() else path
    found = list(
        _of_library(path)
        if path.suffix == ".jsonl"
        else _of_csv(path, taught.library.files(), salt=taught.record.salt)
    )
    known = {_key(mark) for mark in taught.marks()}
    return [mark for mark in found if _key(mark) not in known]


def _key(mark: Mark) -> tuple[object, ...]:
    return mark.content, round(mark.start_seconds, 3), round(mark.stop_seconds, 3), mark.is_match


def _of_library(path: Path) -> Iterator[Mark]:
    if not path.is_file():
        raise DatasetError(
            f"{path} is not there. Give a CSV file, or the folder of what was taught elsewhere."
        )
    for mark in MarkFile(path.parent).read():
        reason = "random" if mark.reason == "check" else mark.reason
        yield Mark(
            content=mark.content,
            start_seconds=mark.start_seconds,
            stop_seconds=mark.stop_seconds,
            is_match=mark.is_match,
            reason=reason,
            note=mark.note,
        )


def _of_csv(path: Path, files: Iterable[FileRow], *, salt: str) -> Iterator[Mark]:
    contents = {f"{row.root}/{row.path}": row.content for row in files}
    if not path.is_file():
        raise DatasetError(f"{path} is not there. Give a CSV file with the columns file,{','.join(_NEEDED)}.")
    optional = ("content", "file", "note", "reason", "probability", "sample")
    for line, row in read_rows(path, _NEEDED, optional=optional):
        if not row["label"].strip():
            continue
        content = row["content"] or contents.get(row["file"]) or ""
        if not is_content(content):
            raise DatasetError(
                f"{path}, line {line}: the library has no file {row['file']!r:.80}. Write ROOT/PATH as "
                "results show it, or the SHA-256 of the file as content."
            )
        try:
            yield Mark(
                content=content,
                start_seconds=float(row["start_seconds"]),
                stop_seconds=float(row["stop_seconds"]),
                is_match=said(row["label"]),
                reason=_reason(row["reason"], is_of_sample=row["sample"] == salt),
                probability=float(row["probability"]) if row["probability"] else None,
                note=row["note"],
            )
        except (ValueError, ConfigError) as error:
            raise DatasetError(f"{path}, line {line}: {error}") from error


def _reason(text: str, *, is_of_sample: bool) -> Reason:
    """Reason of a mark: a check of another sample is a random moment here."""
    known: dict[str, Reason] = {each: each for each in get_args(Reason)}
    reason = known.get(text, "own")
    return "random" if reason == "check" and not is_of_sample else reason


def said(label: str) -> bool | None:
    """What a word says: yes, no or unsure.

    >>> said("Yes"), said("0"), said("unsure")
    (True, False, None)

    Raises:
        ConfigError: It is another word.
    """
    if label.strip().lower() not in _SAID:
        raise ConfigError(f"The label {label!r:.40} must be yes, no or unsure.")
    return _SAID[label.strip().lower()]
