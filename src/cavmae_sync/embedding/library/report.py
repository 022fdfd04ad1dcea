"""What came of embedding a library, counted."""

from collections import Counter
from dataclasses import asdict, dataclass
from typing import Any

import pyarrow as pa
from rich.table import Table

from cavmae_sync.data.manifest import SKIP_REASONS


@dataclass(frozen=True, kw_only=True, slots=True)
class LibraryReport:
    """The audit of a library.

    Attributes:
        is_complete: Whether every file was tried and the library can be opened. False after one of several
            shares, while others are still to be done.
        num_clips: Clips with vectors.
        num_files_accepted: Files they came from.
        num_files_rejected: Files that were tried and gave nothing.
        rejected_by_reason: The latter by `MediaError.code`.
        num_files_skipped: Files of the folder that were not tried: no media by their ending, or hidden.
        num_silent: Clips flagged silent.
        num_still: Clips flagged still.
        num_short: Clips flagged short.
        clip_seconds: Length of all clips together, in seconds.
        num_bytes: Size of all parts together.
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
    num_bytes: int

    def to_dict(self) -> dict[str, Any]:
        """The counts, ready for JSON."""
        return asdict(self)

    def to_table(self) -> Table:
        """The counts, ready to print."""
        table = Table("what", "count", title=None if self.is_complete else "not complete yet")
        table.columns[1].justify = "right"
        for what, count in (
            ("clips embedded", self.num_clips),
            ("  from files", self.num_files_accepted),
            ("  silent", self.num_silent),
            ("  still", self.num_still),
            ("  short", self.num_short),
            ("files rejected", self.num_files_rejected),
            *((f"  {reason}", count) for reason, count in self.rejected_by_reason.items()),
            ("files not tried", self.num_files_skipped),
        ):
            table.add_row(what, f"{count:,}")
        table.add_row("hours", f"{self.clip_seconds / 3600:.2f}")
        table.add_row("megabytes", f"{self.num_bytes / 1e6:.1f}")
        return table


def count_up(clips: pa.Table, rejected: pa.Table, *, num_bytes: int, is_complete: bool) -> LibraryReport:
    """Count the tables of a library; columns of vectors are not looked at."""
    reasons = Counter(rejected["reason"].to_pylist())
    tried = {reason: reasons[reason] for reason in sorted(reasons) if reason not in SKIP_REASONS}
    seconds = clips["stop_seconds"].to_numpy() - clips["start_seconds"].to_numpy()
    return LibraryReport(
        is_complete=is_complete,
        num_clips=len(clips),
        num_files_accepted=len(set(clips["source"].to_pylist())),
        num_files_rejected=sum(tried.values()),
        rejected_by_reason=tried,
        num_files_skipped=sum(reasons.values()) - sum(tried.values()),
        num_silent=clips["is_silent"].to_pylist().count(True),
        num_still=clips["is_still"].to_pylist().count(True),
        num_short=clips["is_short"].to_pylist().count(True),
        clip_seconds=float(seconds.sum()),
        num_bytes=num_bytes,
    )
