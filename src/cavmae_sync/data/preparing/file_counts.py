"""What came of work on video files, counted: the part that all such work has in common."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import pyarrow as pa
from rich.table import Table

from cavmae_sync.data.storage.tables import PASSED_OVER, SKIP_REASONS


@dataclass(frozen=True, kw_only=True, slots=True)
class FileCounts:
    """Files that were tried, and the clips they gave.

    Attributes:
        is_complete: Whether every file was tried and the result can be opened. False after one of several
            shares, while others are still to be done.
        num_clips: Clips in the result.
        num_files_accepted: Files they came from.
        num_files_rejected: Files that were tried and gave nothing.
        rejected_by_reason: The latter by `MediaError.code`.
        num_files_skipped: Files of the folder that were not tried: no media by their ending, or hidden.
        num_silent: Clips flagged silent.
        num_still: Clips flagged still.
        num_short: Clips flagged short.
        clip_seconds: Length of all clips together, in seconds.
        num_files_passed_over: Files of which another stream than the first was read, since the first cannot
            be; `rejected.parquet` says which.
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
        """The counts, ready for JSON."""
        return asdict(self)

    def clip_rows(self, done: str) -> list[tuple[str, int]]:
        """What is said of clips.

        Args:
            done: What was done with them: "accepted".
        """
        return [
            (f"clips {done}", self.num_clips),
            ("  from files", self.num_files_accepted),
            ("  silent", self.num_silent),
            ("  still", self.num_still),
            ("  short", self.num_short),
        ]

    def file_rows(self) -> list[tuple[str, int]]:
        """What is said of files that gave nothing."""
        return [
            ("files rejected", self.num_files_rejected),
            *((f"  {reason}", count) for reason, count in self.rejected_by_reason.items()),
            ("files not tried", self.num_files_skipped),
            *([("files read past a stream", self.num_files_passed_over)] * bool(self.num_files_passed_over)),
        ]

    def table_of(self, rows: Sequence[tuple[str, int]]) -> Table:
        """Counts, ready to print, and the length of all clips."""
        table = Table("what", "count", title=None if self.is_complete else "not complete yet")
        table.columns[1].justify = "right"
        for what, count in rows:
            table.add_row(what, f"{count:,}")
        table.add_row("hours", f"{self.clip_seconds / 3600:.2f}")
        return table


def count_files(clips: pa.Table, rejected: pa.Table) -> dict[str, Any]:
    """The fields of `FileCounts`, but for `is_complete`.

    Args:
        clips: One row per clip, with source, start, stop and flags.
        rejected: One row per file that gave nothing, and notes on files that did.
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
