"""Segment files of AudioSet: `balanced_train_`, `unbalanced_train_` and `eval_segments.csv`.

# Segments csv created Sun Mar  5 10:54:31 2017
# num_ytids=20371, num_segs=20371, num_unique_labels=527, num_positive_labels=51804
# YTID, start_seconds, end_seconds, positive_labels
--4gqARaEJE, 0.000, 10.000, "/m/068hy,/m/07q6cd_,/m/0bt9lr,/m/0jbk"
"""

import re
from pathlib import Path
from typing import Final

from cavmae_sync.data.lists.rows import (
    ListedClip,
    ListFile,
    check_labels,
    check_youtube_id,
    parse_seconds,
    read_csv,
    read_text,
)
from cavmae_sync.errors import DatasetError

#: Id, start, stop, labels.
NUM_COLUMNS: Final = 4
_NUM_ROWS: Final = re.compile(r"^#.*\bnum_segs=(\d+)", re.MULTILINE)
_NUM_LABELS: Final = re.compile(r"^#.*\bnum_unique_labels=(\d+)", re.MULTILINE)


def read_audioset(path: Path) -> ListFile:
    """Read a segments file. The id of a clip is the id of its video, of 11 characters; labels are mids.

    Raises:
        DatasetError: It is missing or a row is malformed; names the line.
    """
    text = read_text(path)
    rows = read_csv(text, path, skip_spaces=True, comment="#")
    clips = tuple(_clip(line, cells, f"{path} line {line}") for line, cells in rows)
    if not clips:
        raise DatasetError(f"{path} has comments but no rows. Download it again.")
    return ListFile(
        path=path,
        kind="audioset_csv",
        clips=clips,
        num_declared=_declared(_NUM_ROWS, text),
        num_expected_classes=_declared(_NUM_LABELS, text),
    )


def _declared(pattern: re.Pattern[str], text: str) -> int | None:
    found = pattern.search(text)
    return None if found is None else int(found[1])


def _clip(line: int, cells: list[str], where: str) -> ListedClip:
    if len(cells) != NUM_COLUMNS:
        raise DatasetError(
            f"{where}: {len(cells)} columns, but {NUM_COLUMNS} are needed: id, start, stop, "
            '"label,label" in quotes.'
        )
    video, start, stop, labels = (cell.strip() for cell in cells)
    check_youtube_id(video, where=where)
    start_seconds = parse_seconds(start, what="the start", where=where)
    stop_seconds = parse_seconds(stop, what="the stop", where=where)
    if stop_seconds <= start_seconds:
        raise DatasetError(f"{where}: the stop, {stop} s, must be after the start, {start} s.")
    return ListedClip(
        line=line,
        id=video,
        labels=check_labels(tuple(label.strip() for label in labels.split(",")), where=where),
        start_seconds=start_seconds,
        stop_seconds=stop_seconds,
    )
