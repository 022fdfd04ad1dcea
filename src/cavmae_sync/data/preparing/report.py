"""`PrepareReport`: counts of a preparation."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field

import pyarrow as pa
from rich.table import Table

from cavmae_sync.data.preparing.file_counts import FileCounts, count_files


@dataclass(frozen=True, kw_only=True, slots=True)
class LabelUse:
    """Use of the rows of a label file, in numbers.

    Attributes:
        num_unknown: Number of rows that belong to no file.
        by_rule: Number of files that each rule of `cavmae_sync.data.lists.name_matching` matched.
    """

    num_unknown: int = 0
    by_rule: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True, slots=True)
class PrepareReport(FileCounts):
    """Report of a preparation.

    Attributes:
        num_duplicate: Number of clips of files with the same content as an earlier file.
        num_unlabelled: Number of clips without labels.
        num_unknown_labels: Number of rows of the label file that belong to no file.
        labels_by_rule: Number of files that got their labels by each rule of names.
        num_resampled: Number of clips of an import whose sound was not at 16 kHz.
        num_labelled_cuts: Number of labelled clips of files with several clips. All clips of a file have its
            labels, even if a published list means one span of ten seconds.
        shard_bytes: Size of all shards together, in bytes.
    """

    num_duplicate: int
    num_unlabelled: int
    num_unknown_labels: int
    shard_bytes: int
    labels_by_rule: Mapping[str, int] = field(default_factory=dict)
    num_resampled: int = 0
    num_labelled_cuts: int = 0

    def to_table(self) -> Table:
        """Counts as a table for the terminal."""
        rows = self.clip_rows("accepted")
        rows += [("  duplicate", self.num_duplicate), ("  without labels", self.num_unlabelled)]
        if self.num_resampled:
            rows.append(("  sound resampled to 16 kHz", self.num_resampled))
        rows += [*self.file_rows(), ("label rows without a file", self.num_unknown_labels)]
        rows += [(f"  labels found by: {rule}", count) for rule, count in self.labels_by_rule.items()]
        if self.num_labelled_cuts:
            rows.append(("  labelled clips of longer files", self.num_labelled_cuts))
        table = self.table_of(rows)
        table.add_row("gigabytes", f"{self.shard_bytes / 1e9:.2f}")
        return table


def make_report(
    clips: pa.Table,
    rejected: pa.Table,
    *,
    label_use: LabelUse,
    shard_bytes: int,
    num_resampled: int,
    is_complete: bool,
) -> PrepareReport:
    """Report on the tables of a dataset."""
    sources, labels = clips["source"].to_pylist(), clips["labels"].to_pylist()
    num_clips_of = Counter(sources)
    return PrepareReport(
        **count_files(clips, rejected),
        is_complete=is_complete,
        num_duplicate=clips["is_duplicate"].to_pylist().count(True),
        num_unlabelled=labels.count([]),
        num_unknown_labels=label_use.num_unknown,
        labels_by_rule=dict(label_use.by_rule),
        num_resampled=num_resampled,
        num_labelled_cuts=sum(
            bool(names) and num_clips_of[source] > 1 for source, names in zip(sources, labels, strict=True)
        ),
        shard_bytes=shard_bytes,
    )
