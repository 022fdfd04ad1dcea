"""Rows of a list of clips, and the reading of text and CSV that all formats share."""

import csv
import io
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from cavmae_sync.data.spellings import nfc
from cavmae_sync.errors import DatasetError

#: Format of a list; "dataset" is a prepared dataset that is used as a list.
ListKind = Literal["cavmae_json", "audioset_csv", "vggsound_csv", "labels_csv", "text", "dataset"]


@dataclass(frozen=True, kw_only=True, slots=True)
class ListedClip:
    """One row of a list.

    Attributes:
        line: Line of the file, from 1; in JSON, entry of `data`, from 0.
        id: Id of the clip: `<11 characters>` in AudioSet,
            `<11 characters>_<6 digits of the start second>` in VGGSound.
        labels: Labels, as they are written in the file.
        start_seconds: Start of the clip in its video; None if the file does not have it.
        stop_seconds: End of the clip in its video; None if the file does not have it.
    """

    line: int
    id: str
    labels: tuple[str, ...]
    start_seconds: float | None = None
    stop_seconds: float | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class ListFile:
    """List as it is in its file, with repeated clips.

    Attributes:
        path: The file.
        kind: Format of the file.
        clips: Rows of the file, in order.
        num_declared: Number of rows that its header declares; None without such a header.
        num_expected_classes: Number of different labels in its header, or as published; None if unknown.
    """

    path: Path
    kind: ListKind
    clips: tuple[ListedClip, ...]
    num_declared: int | None = None
    num_expected_classes: int | None = None

    @property
    def row_word(self) -> str:
        """Word for a row in messages, "line" or "entry", with the number `ListedClip.line`."""
        return "entry" if self.kind in ("cavmae_json", "dataset") else "line"


_YOUTUBE_ID = re.compile(r"[A-Za-z0-9_-]{11}")
_VGGSOUND_ID = re.compile(r"([A-Za-z0-9_-]{11})_\d{6}")


def is_youtube_id(text: str) -> bool:
    """Whether a text has the form of a YouTube id: 11 letters, digits, `-` and `_`."""
    return _YOUTUBE_ID.fullmatch(text) is not None


def check_youtube_id(text: str, *, where: str) -> None:
    """Check that a text has the form of a YouTube id.

    Raises:
        DatasetError: It has another form.
    """
    if not is_youtube_id(text):
        raise DatasetError(f"{where}: {text!r:.80} is not the id of a video, which has 11 characters.")


def youtube_id_of(clip_id: str) -> str:
    """Id of the video of a clip; the id of the clip itself if it has not the form of VGGSound.

    >>> youtube_id_of("glLQrEijrKg_000300")
    'glLQrEijrKg'
    """
    parts = _VGGSOUND_ID.fullmatch(clip_id)
    return clip_id if parts is None else parts[1]


def read_text(path: Path) -> str:
    """Text of a file, with its line ends, without a byte order mark.

    Raises:
        DatasetError: It is missing, not UTF-8, empty, a web page, or a PDF.
    """
    if not path.is_file():
        raise DatasetError(f"{path} is not a file. Give one that exists.")
    try:
        text = path.read_bytes().decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise DatasetError(f"{path} is not a text file in UTF-8: {error}.") from error
    if not text.strip():
        raise DatasetError(f"{path} is empty. Download it again.")
    # A server may send a page instead of the file. It could pass for a text list of ids.
    if text.lstrip().startswith("<"):
        raise DatasetError(f"{path} is a web page, not a list. Download the file itself, in a browser.")
    if text.startswith("%PDF"):
        raise DatasetError(f"{path} is a PDF, not a list. Give a JSON, CSV or text file.")
    return text


def read_csv(
    text: str, path: Path, *, skip_spaces: bool = False, comment: str | None = None
) -> Iterator[tuple[int, list[str]]]:
    """Rows of a CSV file, each with the number of its last line; empty lines are left out.

    Args:
        text: Content of the file.
        path: Path of the file, for messages.
        skip_spaces: Whether blanks before the quote of a cell are ignored.
        comment: Prefix of lines that are comments.

    Raises:
        DatasetError: It is not CSV; names the line.
    """
    lines = io.StringIO(text, newline="")
    # Comments become empty lines, so that line numbers stay those that an editor shows.
    shown = lines if comment is None else ("\n" if line.startswith(comment) else line for line in lines)
    reader = csv.reader(shown, strict=True, skipinitialspace=skip_spaces)
    while True:
        try:
            cells = next(reader)
        except StopIteration:
            return
        except csv.Error as error:
            raise DatasetError(
                f"{path} line {reader.line_num}: {error}. Correct the quotes of this row."
            ) from error
        if any(cell.strip() for cell in cells):
            yield reader.line_num, cells


def parse_seconds(text: str, *, what: str, where: str) -> float:
    """Time in a video, in seconds.

    Raises:
        DatasetError: It is not a number >= 0.
    """
    try:
        seconds = float(text)
    except ValueError:
        seconds = -1.0
    if not 0 <= seconds < float("inf"):
        raise DatasetError(f"{where}: {what} is {text!r:.80}, but must be a number of seconds, 0 or more.")
    return seconds


def check_labels(labels: tuple[str, ...], *, where: str) -> tuple[str, ...]:
    """Labels in Unicode form NFC (see `data/spellings.py`), checked to be different and not empty.

    Raises:
        DatasetError: One is empty or repeated.
    """
    labels = tuple(map(nfc, labels))
    if not all(labels) or len(set(labels)) != len(labels):
        raise DatasetError(f"{where}: the labels {','.join(labels)!r:.80} contain an empty or repeated one.")
    return labels
