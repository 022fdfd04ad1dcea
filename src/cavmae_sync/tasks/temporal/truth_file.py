"""Hand-made truth of a video, read from a CSV file."""

import math
from pathlib import Path
from typing import Final

from cavmae_sync.errors import DatasetError
from cavmae_sync.tasks.temporal.bars import Bar
from cavmae_sync.tasks.temporal.spans import StateSpan
from cavmae_sync.untrusted import read_rows

_COLUMNS: Final = ("start", "stop", "label")


def read_truth(path: Path) -> Bar:
    """Bar of a hand-made truth: CSV with the columns start, stop (seconds) and label, one row for each span.

    Raises:
        DatasetError: Columns are missing, a time is no number, or there is no row.
    """
    rows = sorted(_times_and_label(path, line, row) for line, row in read_rows(path, _COLUMNS))
    if not rows:
        raise DatasetError(f"{path} has no spans. Write one line for each: start,stop,label")
    labels = list(dict.fromkeys(row[2] for row in rows))
    return Bar(
        name="truth",
        spans=[
            StateSpan(start_seconds=start, stop_seconds=stop, label=labels.index(label))
            for start, stop, label in rows
        ],
        names=dict(enumerate(labels)),
    )


def _times_and_label(path: Path, line: int, row: dict[str, str]) -> tuple[float, float, str]:
    try:
        start, stop = float(row["start"]), float(row["stop"])
    except (TypeError, ValueError):
        start = stop = math.nan
    if not (0 <= start < stop < math.inf) or not row["label"]:
        raise DatasetError(
            f"{path}, line {line}: needs start < stop in seconds and a label, got "
            f"{row['start']!r}, {row['stop']!r}, {row['label']!r}."
        )
    return start, stop, row["label"]
