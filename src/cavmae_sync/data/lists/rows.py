"""What every list of clips comes down to, and the reading of text and CSV that all formats share."""

import csv
import io
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from cavmae_sync.data.spellings import nfc
from cavmae_sync.errors import DatasetError

#: Which list somebody gave; the format of a file is told by its content.
ListKind = Literal["cavmae_json", "audioset_csv", "vggsound_csv", "labels_csv", "text", "dataset"]


@dataclass(frozen=True, kw_only=True, slots=True)
class ListedClip:
    """One row of a list.

    Attributes:
        line: Where it stands: line of the file, from 1; entry of `data`, from 0, in JSON.
        id: Name of the clip, as its layout names it: `<11 characters>` in AudioSet,
            `<11 characters>_<6 digits of the start second>` in VGGSound.
        labels: Its labels, as the file writes them.
        start_seconds: Where the clip starts in its video; None where the file does not say.
        stop_seconds: Where it stops, likewise.
    """

    line: int
    id: str
    labels: tuple[str, ...]
    start_seconds: float | None = None
    stop_seconds: float | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class ListFile:
    """A list as it stands in its file, repeated clips included.

    Attributes:
        path: The file.
        kind: Its format.
        clips: Its rows, in order.
        num_declared: How many rows its own header announces; None where it has no such header.
        num_expected_classes: How many different labels it should have, by its header or as published.
    """

    path: Path
    kind: ListKind
    clips: tuple[ListedClip, ...]
    num_declared: int | None = None
    num_expected_classes: int | None = None

    @property
    def unit(self) -> str:
        """What `ListedClip.line` counts: "line" or "entry"."""
        return "entry" if self.kind in ("cavmae_json", "dataset") else "line"


_YOUTUBE_ID = re.compile(r"[A-Za-z0-9_-]{11}")
_VGGSOUND_ID = re.compile(r"([A-Za-z0-9_-]{11})_\d{6}")


def is_youtube_id(text: str) -> bool:
    """Whether a text has the form of a video's name on YouTube: 11 letters, digits, `-` and `_`."""
    return _YOUTUBE_ID.fullmatch(text) is not None


def check_youtube_id(text: str, *, where: str) -> str:
    """The text itself.

    Raises:
        DatasetError: It has another form.
    """
    if not is_youtube_id(text):
        raise DatasetError(f"{where}: {text!r:.80} is no id of a video, which has 11 characters.")
    return text


def youtube_id_of(clip_id: str) -> str:
    """Name of the video of a clip; the clip's own where it is not named like VGGSound's.

    >>> youtube_id_of("glLQrEijrKg_000300")
    'glLQrEijrKg'
    """
    parts = _VGGSOUND_ID.fullmatch(clip_id)
    return clip_id if parts is None else parts[1]


def read_text(path: Path) -> str:
    """Text of a file, line ends as they are, without a byte order mark.

    Raises:
        DatasetError: It is missing, no UTF-8, empty, a web page, or a PDF.
    """
    if not path.is_file():
        raise DatasetError(f"{path} is not a file. Give one that exists.")
    try:
        text = path.read_bytes().decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise DatasetError(f"{path} is not a text file in UTF-8: {error}.") from error
    if not text.strip():
        raise DatasetError(f"{path} is empty. Fetch it again.")
    # One line without a comma, as any list of ids: a page that a server sent instead of the file.
    if text.lstrip().startswith("<"):
        raise DatasetError(f"{path} is a web page, not a list. Download the file itself, in a browser.")
    if text.startswith("%PDF"):
        raise DatasetError(f"{path} is a PDF, not a list. Give a JSON, CSV or text file.")
    return text


def read_csv(
    text: str, path: Path, *, skip_spaces: bool = False, comment: str | None = None
) -> Iterator[tuple[int, list[str]]]:
    """Rows of a CSV with the line they end on; empty lines are left out.

    Args:
        text: The whole file.
        path: For messages.
        skip_spaces: Whether a cell may begin with blanks, before its quote, that do not belong to it.
        comment: What lines that are no rows begin with.

    Raises:
        DatasetError: It is no CSV; names the line.
    """
    lines = io.StringIO(text, newline="")
    # Comments become empty lines, so that numbers of lines stay what an editor shows.
    shown = lines if comment is None else ("\n" if line.startswith(comment) else line for line in lines)
    reader = csv.reader(shown, strict=True, skipinitialspace=skip_spaces)
    while True:
        try:
            cells = next(reader)
        except StopIteration:
            return
        except csv.Error as error:
            raise DatasetError(
                f"{path} line {reader.line_num}: {error}. Mend the quotes of this row."
            ) from error
        if any(cell.strip() for cell in cells):
            yield reader.line_num, cells


def parse_seconds(text: str, *, what: str, where: str) -> float:
    """A time in a video.

    Raises:
        DatasetError: It is no number >= 0.
    """
    try:
        seconds = float(text)
    except ValueError:
        seconds = -1.0
    if not 0 <= seconds < float("inf"):
        raise DatasetError(f"{where}: {what} is {text!r:.80}, it must be a number of seconds, 0 or more.")
    return seconds


def check_labels(labels: tuple[str, ...], *, where: str) -> tuple[str, ...]:
    """Labels that are there and differ from each other, their letters in one form (`data/spellings.py`).

    Raises:
        DatasetError: One is empty or repeated.
    """
    labels = tuple(map(nfc, labels))
    if not all(labels) or len(set(labels)) != len(labels):
        raise DatasetError(f"{where}: the labels {','.join(labels)!r:.80} contain an empty or repeated one.")
    return labels
