"""Counts of files and clips, which the reports of preparation and of libraries have in common."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import pyarrow as pa
from rich.table import Table

from cavmae_sync.data.storage.tables import PASSED_OVER, SKIP_REASONS


@dataclass(frozen=True, kw_only=True, slots=True)
class FileCounts:
    """Counts of files that were tried, and of their clips.

    Attributes:
        is_complete: Whether every file was tried and the result can be opened. False after one of several
            shares while others are still to be done.
        num_clips: Number of clips in the result.
        num_files_accepted: Number of files that these come from.
        num_files_rejected: Number of files that were tried and cannot be used.
        rejected_by_reason: Number of rejected files by `MediaError.code`.
        num_files_skipped: Number of files of the folder that were not tried, because of their ending or
            because they are hidden.
        num_silent: Number of clips flagged silent.
        num_still: Number of clips flagged still.
        num_short: Number of clips flagged short.
        clip_seconds: Duration of all clips together, in seconds.
        num_files_passed_over: Number of files whose first stream cannot be read, so that another one was
            used; `rejected.parquet` names them.
    """

    is_complete: bool
    num_clips: int
    num_files_accepted: int
    num_files_rejected: int
    rejected_by_reason: dict[str, int]
    num_files_skipped: int
    num_silent: int
    num_still: int
    num_short: int
    clip_seconds: float
    num_files_passed_over: int = 0

    def to_dict(self) -> dict[str, Any]:
        """Counts as JSON values."""
        return asdict(self)

    def clip_rows(self, done: str) -> list[tuple[str, int]]:
        """Rows of the table about clips.

        Args:
            done: Word for what was done with the clips, such as "accepted".
        """
        return [
            (f"clips {done}", self.num_clips),
            ("  from files", self.num_files_accepted),
            ("  silent", self.num_silent),
            ("  still", self.num_still),
            ("  short", self.num_short),
        ]

    def file_rows(self) -> list[tuple[str, int]]:
        """Rows of the table about files that are not used, or not as they are."""
        return [
            ("files rejected", self.num_files_rejected),
            *((f"  {reason}", count) for reason, count in self.rejected_by_reason.items()),
            ("files not tried", self.num_files_skipped),
            *(
                [("files with a stream passed over", self.num_files_passed_over)]
                * bool(self.num_files_passed_over)
            ),
        ]

    def table_of(self, rows: Sequence[tuple[str, int]]) -> Table:
        """Table for the terminal: the rows, and the duration of all clips."""
        table = Table("what", "count", title=None if self.is_complete else "not complete yet")
        table.columns[1].justify = "right"
        for what, count in rows:
            table.add_row(what, f"{count:,}")
        table.add_row("hours", f"{self.clip_seconds / 3600:.2f}")
        return table


def count_files(clips: pa.Table, rejected: pa.Table) -> dict[str, Any]:
    """Fields of `FileCounts`, except `is_complete`.

    Args:
        clips: One row per clip, with source, start, stop and flags.
        rejected: One row per rejected file, and notes on accepted ones.
    """
    reasons = Counter(rejected["reason"].to_pylist())
    num_passed_over = reasons.pop(PASSED_OVER, 0)
    tried = {reason: reasons[reason] for reason in sorted(reasons) if reason not in SKIP_REASONS}
    seconds = clips["stop_seconds"].to_numpy() - clips["start_seconds"].to_numpy()
    return {
        "num_clips": len(clips),
        "num_files_accepted": len(set(clips["source"].to_pylist())),
        "num_files_rejected": sum(tried.values()),
        "rejected_by_reason": tried,
        "num_files_skipped": sum(reasons.values()) - sum(tried.values()),
        "num_silent": clips["is_silent"].to_pylist().count(True),
        "num_still": clips["is_still"].to_pylist().count(True),
        "num_short": clips["is_short"].to_pylist().count(True),
        "clip_seconds": float(seconds.sum()),
        "num_files_passed_over": num_passed_over,
    }
