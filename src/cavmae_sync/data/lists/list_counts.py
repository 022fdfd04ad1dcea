"""Counts of a list: rows, classes, repeated clips."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from statistics import median
from typing import Any

from rich.table import Table

from cavmae_sync.data.lists.classes import ClassLabels
from cavmae_sync.data.lists.rows import ListFile, youtube_id_of
from cavmae_sync.safe_text import table_title


@dataclass(frozen=True, kw_only=True, slots=True)
class ListCounts:
    """Counts of a list as it is in its file.

    Attributes:
        kind: Format of the file.
        num_rows: Number of rows.
        num_declared: Number of rows that its header declares; None without such a header.
        num_classes: Number of different labels.
        num_expected_classes: Number of classes in the header, or as published; None if unknown.
        clips_per_class: Minimum, median and maximum of the number of clips of a class; None without labels.
        labels_per_clip: Mean number of labels of a clip.
        num_unlabelled: Number of clips without labels.
        num_repeated: Number of rows whose clip is on an earlier row.
        num_from_same_video: Number of clips whose video has another clip on an earlier row.
        unknown_labels: Labels that are not in the class list; None without a class list.
        empty_classes: Classes of the class list without a clip; None without a class list.
    """

    kind: str
    num_rows: int
    num_declared: int | None
    num_classes: int
    num_expected_classes: int | None
    clips_per_class: tuple[int, float, int] | None
    labels_per_clip: float
    num_unlabelled: int
    num_repeated: int
    num_from_same_video: int
    unknown_labels: tuple[str, ...] | None
    empty_classes: tuple[str, ...] | None

    def to_dict(self) -> dict[str, Any]:
        """Counts as JSON values."""
        return asdict(self)

    def to_table(self, title: str) -> Table:
        """Counts as a table for the terminal."""
        table = Table("what", "count", title=table_title(title), title_justify="left")
        table.columns[1].justify = "right"
        table.add_row("format", self.kind)
        table.add_row("clips", f"{self.num_rows:,}")
        if self.num_declared is not None and self.num_declared != self.num_rows:
            table.add_row("  declared in its header", f"{self.num_declared:,}", style="red")
        table.add_row("classes", f"{self.num_classes:,}")
        if self.num_expected_classes not in (None, self.num_classes):
            table.add_row("  expected", f"{self.num_expected_classes:,}", style="red")
        if self.clips_per_class is not None:
            low, middle, high = self.clips_per_class
            table.add_row("  clips per class: minimum, median, maximum", f"{low:,}, {middle:,g}, {high:,}")
        table.add_row("labels per clip, mean", f"{self.labels_per_clip:.2f}")
        table.add_row("clips without labels", f"{self.num_unlabelled:,}")
        table.add_row("repeated clips", f"{self.num_repeated:,}")
        table.add_row("further clips of the same video", f"{self.num_from_same_video:,}")
        for what, names in (
            ("labels not in the class list", self.unknown_labels),
            ("classes without a clip", self.empty_classes),
        ):
            if names is not None:
                some = f": {', '.join(names[:3])}{', ...' if len(names) > 3 else ''}" if names else ""
                table.add_row(what, f"{len(names):,}{some}", style="red" if names else None)
        return table


def count_list(file: ListFile, *, classes: ClassLabels | None = None) -> ListCounts:
    """Count rows, classes and repeated clips of a list.

    Args:
        file: The list.
        classes: The classes that its labels should belong to.
    """
    counts = Counter(label for clip in file.clips for label in clip.labels)
    ids = [clip.id for clip in file.clips]
    videos = {youtube_id_of(clip) for clip in set(ids)}
    unknown = empty = None
    if classes is not None:
        names = classes.as_dict("mid")
        unknown = tuple(sorted(label for label in counts if label not in names))
        present = {names[label] for label in counts if label in names}
        empty = tuple(
            name for mid, name in zip(classes.mids, classes.names, strict=True) if mid not in present
        )
    return ListCounts(
        kind=file.kind,
        num_rows=len(ids),
        num_declared=file.num_declared,
        num_classes=len(counts),
        num_expected_classes=file.num_expected_classes,
        clips_per_class=spread(list(counts.values())),
        labels_per_clip=sum(counts.values()) / len(ids),
        num_unlabelled=sum(not clip.labels for clip in file.clips),
        num_repeated=len(ids) - len(set(ids)),
        num_from_same_video=len(set(ids)) - len(videos),
        unknown_labels=unknown,
        empty_classes=empty,
    )


def spread(counts: Sequence[int]) -> tuple[int, float, int] | None:
    """Minimum, median and maximum of counts; None if there are none."""
    return (min(counts), float(median(counts)), max(counts)) if counts else None
