"""What came of a preparation, counted."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

import pyarrow as pa
from rich.table import Table

from cavmae_sync.data.manifest import SKIP_REASONS


@dataclass(frozen=True, kw_only=True, slots=True)
class LabelUse:
    """What became of the rows of a label file.

    Attributes:
        num_unknown: Rows that belong to no file.
        by_rule: How many files each rule of `cavmae_sync.data.official.names` found.
    """

    num_unknown: int = 0
    by_rule: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True, slots=True)
class PrepareReport:
    """The audit of a preparation.

    Attributes:
        is_complete: Whether every file was tried and the dataset can be opened. False after one of several
            shares, while others are still to be done.
        num_clips: Clips in the dataset.
        num_files_accepted: Files they came from.
        num_files_rejected: Files that were tried and gave nothing.
        rejected_by_reason: The latter by `MediaError.code`.
        num_files_skipped: Files of the folder that were not tried: no media by their ending, or hidden.
        num_silent: Clips flagged silent.
        num_still: Clips flagged still.
        num_short: Clips flagged short.
        num_duplicate: Clips of files whose content came earlier in the list.
        num_unlabelled: Clips without labels.
        num_unknown_labels: Rows of the label file that belong to no file.
        labels_by_rule: How many files found their labels by each rule of names.
        num_resampled: Clips of an import whose sound was not at 16 kHz.
        num_labelled_cuts: Labelled clips of files that gave several. All clips of a file have its labels,
            also where a published list means one stretch of ten seconds.
        clip_seconds: Length of all clips together, in seconds.
        shard_bytes: Size of all shards together.
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
    num_duplicate: int
    num_unlabelled: int
    num_unknown_labels: int
    clip_seconds: float
    shard_bytes: int
    labels_by_rule: Mapping[str, int] = field(default_factory=dict)
    num_resampled: int = 0
    num_labelled_cuts: int = 0

    def to_dict(self) -> dict[str, Any]:
        """The counts, ready for JSON."""
        return asdict(self)

    def to_table(self) -> Table:
        """The counts, ready to print."""
        table = Table("what", "count", title=None if self.is_complete else "not complete yet")
        table.columns[1].justify = "right"
        rows = [
            ("clips accepted", self.num_clips),
            ("  from files", self.num_files_accepted),
            ("  silent", self.num_silent),
            ("  still", self.num_still),
            ("  short", self.num_short),
            ("  duplicate", self.num_duplicate),
            ("  without labels", self.num_unlabelled),
            ("files rejected", self.num_files_rejected),
            *((f"  {reason}", count) for reason, count in self.rejected_by_reason.items()),
            ("files not tried", self.num_files_skipped),
            ("label rows of no file", self.num_unknown_labels),
            *((f"  labels found by: {rule}", count) for rule, count in self.labels_by_rule.items()),
        ]
        if self.num_labelled_cuts:
            rows.append(("  labelled clips of longer files", self.num_labelled_cuts))
        if self.num_resampled:
            rows.insert(7, ("  sound resampled to 16 kHz", self.num_resampled))
        for what, count in rows:
            table.add_row(what, f"{count:,}")
        table.add_row("hours", f"{self.clip_seconds / 3600:.2f}")
        table.add_row("gigabytes", f"{self.shard_bytes / 1e9:.2f}")
        return table


def count_up(
    clips: pa.Table,
    rejected: pa.Table,
    *,
    label_use: LabelUse,
    shard_bytes: int,
    num_resampled: int,
    is_complete: bool,
) -> PrepareReport:
    """Count the tables of a dataset."""
    reasons = Counter(rejected["reason"].to_pylist())
    tried = {reason: reasons[reason] for reason in sorted(reasons) if reason not in SKIP_REASONS}
    sources, labels = clips["source"].to_pylist(), clips["labels"].to_pylist()
    num_clips_of = Counter(sources)
    seconds = clips["stop_seconds"].to_numpy() - clips["start_seconds"].to_numpy()
    return PrepareReport(
        is_complete=is_complete,
        num_clips=len(clips),
        num_files_accepted=len(num_clips_of),
        num_files_rejected=sum(tried.values()),
        rejected_by_reason=tried,
        num_files_skipped=sum(reasons.values()) - sum(tried.values()),
        num_silent=clips["is_silent"].to_pylist().count(True),
        num_still=clips["is_still"].to_pylist().count(True),
        num_short=clips["is_short"].to_pylist().count(True),
        num_duplicate=clips["is_duplicate"].to_pylist().count(True),
        num_unlabelled=labels.count([]),
        num_unknown_labels=label_use.num_unknown,
        labels_by_rule=dict(label_use.by_rule),
        num_resampled=num_resampled,
        num_labelled_cuts=sum(
            bool(names) and num_clips_of[source] > 1 for source, names in zip(sources, labels, strict=True)
        ),
        clip_seconds=float(seconds.sum()),
        shard_bytes=shard_bytes,
    )
