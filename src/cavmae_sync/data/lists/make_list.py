"""Lists made from a published list or a prepared dataset, with a file that says how they were made."""

import hashlib
import json
from collections import Counter
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from rich.table import Table

from cavmae_sync.atomic import csv_text, write_text
from cavmae_sync.choices import LabelNames, ListFormat, ListSplit
from cavmae_sync.data.lists.classes import ClassLabels
from cavmae_sync.data.lists.clip_list import ClipList, as_clip_list, select
from cavmae_sync.data.lists.formats import LABEL_COLUMNS, LABEL_SEPARATOR, read_list_file
from cavmae_sync.data.lists.list_counts import ListCounts, count_list, spread
from cavmae_sync.data.lists.ontology import read_classes
from cavmae_sync.data.lists.per_class import choose_per_class
from cavmae_sync.data.lists.rows import ListedClip, ListFile
from cavmae_sync.data.storage.prepared_dataset import PreparedDataset
from cavmae_sync.data.storage.tables import DATASET_FILE
from cavmae_sync.errors import DatasetError
from cavmae_sync.safe_text import cell_text, table_title


@dataclass(frozen=True, kw_only=True, slots=True)
class ListPlan:
    """Options of `make_list`.

    Attributes:
        split: Split of the list of VGGSound; None = all rows.
        classes: Class list that labels are checked against.
        names: Write labels as mids or as names, which needs `classes`; None = as they are.
        per_class: Take about this number of clips of each class, by `choose_per_class`; None = all.
        available: Prepared dataset: take only clips that are in it.
    """

    split: ListSplit | None = None
    classes: Path | None = None
    names: LabelNames | None = None
    per_class: int | None = None
    available: Path | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class AvailableClips:
    """Clips of a list that are in a prepared dataset, in numbers.

    Attributes:
        num_listed: Number of clips of the whole list.
        listed_sha256: Fingerprint of the whole list.
        missing: Ids of clips that are missing.
        missing_per_class: Number of missing clips of each class that has any.
        gone_classes: Classes of which all clips are missing.
        by_rule: Number of clips that each rule of names found.
        num_spare: Number of prepared clips that are a second copy.
    """

    num_listed: int
    listed_sha256: str
    missing: tuple[str, ...]
    missing_per_class: Mapping[str, int]
    gone_classes: tuple[str, ...]
    by_rule: Mapping[str, int]
    num_spare: int


@dataclass(frozen=True, kw_only=True, slots=True)
class MadeList:
    """A list, and how it was made.

    Attributes:
        clips: The list.
        rule: How it was made, in words.
        file_sha256: SHA-256 of the file it was made from; None if that was a dataset.
        source_counts: Counts of that file.
        available: Clips that are available; None if no dataset was given.
    """

    clips: ClipList
    rule: str
    file_sha256: str | None
    source_counts: ListCounts
    available: AvailableClips | None

    @property
    def clips_per_class(self) -> Mapping[str, int]:
        """Number of clips of each class."""
        return Counter(label for labels in self.clips.labels for label in labels)

    def to_dict(self) -> dict[str, Any]:
        """Everything but the clips themselves, as JSON values."""
        counts = self.clips_per_class
        return {
            "sha256": self.clips.sha256,
            "num_clips": len(self.clips),
            "num_classes": len(counts),
            "clips_per_class": spread(list(counts.values())),
            "rule": self.rule,
            "source": self.clips.source,
            "source_sha256": self.file_sha256,
            "source_audit": self.source_counts.to_dict(),
            "available": None if self.available is None else asdict(self.available),
        }

    def to_table(self) -> Table:
        """Numbers of the list as a table for the terminal."""
        counts = self.clips_per_class
        table = Table(title=table_title(f"list {self.clips.name}"), title_justify="left")
        table.add_column("what")
        table.add_column("value", overflow="fold")  # so that a fingerprint can be copied whole
        table.add_row("clips", f"{len(self.clips):,}")
        table.add_row("classes", f"{len(counts):,}")
        if counts:
            low, middle, high = spread(list(counts.values())) or (0, 0.0, 0)
            table.add_row("clips per class: minimum, median, maximum", f"{low:,}, {middle:,g}, {high:,}")
        table.add_row("made by", cell_text(self.rule))
        table.add_row("fingerprint (SHA-256)", self.clips.sha256)
        if self.available is not None:
            self._add_available(table, self.available)
        return table

    def _add_available(self, table: Table, available: AvailableClips) -> None:
        table.add_row("clips of the whole list", f"{available.num_listed:,}")
        table.add_row("  missing", f"{len(available.missing):,}")
        table.add_row("  classes with missing clips", f"{len(available.missing_per_class):,}")
        for name, count in sorted(available.missing_per_class.items(), key=lambda item: (-item[1], item[0]))[
            :10
        ]:
            table.add_row(
                f"    {name}", f"{count:,} missing, {self.clips_per_class.get(name, 0):,} available"
            )
        if len(available.missing_per_class) > 10:
            table.add_row("    ...", "all of them with --json, and in the file beside --out")
        table.add_row("  classes without an available clip", f"{len(available.gone_classes):,}")
        for rule, count in available.by_rule.items():
            table.add_row(f"  found by: {rule}", f"{count:,}")
        table.add_row("  second copies left out", f"{available.num_spare:,}")


def make_list(source: Path, plan: ListPlan) -> MadeList:
    """Make a list from a published file, or from all clips of a prepared dataset.

    Args:
        source: A list of any format that `read_clip_list` knows, or the folder of a prepared dataset.
        plan: Options.

    Raises:
        DatasetError: A file cannot be read or is malformed, a label to be rewritten is not in the class list,
            or no clip of the list is available.
    """
    if plan.names is not None and plan.classes is None:
        raise DatasetError(
            f"Labels can be written as {plan.names}s only with the class list: give --classes."
        )
    classes = None if plan.classes is None else read_classes(plan.classes)
    is_dataset = (source / DATASET_FILE).is_file()
    if is_dataset and plan.split is not None:
        raise DatasetError(f"{source} is a prepared dataset and has no splits. Leave out --split.")
    if source.is_dir() and not is_dataset:
        raise DatasetError(
            f"{source} is a folder, but not a prepared dataset: it has no {DATASET_FILE}. Give a list of "
            "clips, or finish the preparation."
        )
    file = dataset_as_list(source) if is_dataset else read_list_file(source, split=plan.split)
    source_counts = count_list(file, classes=classes)
    clips = as_clip_list(file)
    rule = "all clips of the file" if plan.split is None else f"all clips of the {plan.split} split"
    if classes is not None and plan.names is not None:
        clips = _renamed(clips, classes, plan.names)
    if plan.per_class is not None:
        clips = _chosen(clips, plan.per_class)
        rule = f"{rule}, of which about {plan.per_class} per class, greedily in the order of the file"
    available = None
    if plan.available is not None:
        clips, available = _available(clips, plan.available)
        rule += f"; only those in {plan.available.name}"
    return MadeList(
        clips=clips,
        rule=rule,
        file_sha256=None if is_dataset else hashlib.sha256(source.read_bytes()).hexdigest(),
        source_counts=source_counts,
        available=available,
    )


def dataset_as_list(folder: Path) -> ListFile:
    """List of the clips of a prepared dataset, with their labels."""
    clips = PreparedDataset.open(folder)
    rows = enumerate(zip(clips.clip_ids, clips.labels, strict=True))
    return ListFile(
        path=folder,
        kind="dataset",
        clips=tuple(ListedClip(line=row, id=name, labels=labels) for row, (name, labels) in rows),
    )


def write_list(made: MadeList, out: Path, *, form: ListFormat) -> Path:
    """Write a list, and beside it a file that says how it was made.

    JSON is a manifest as in CAV-MAE, with ids and labels. Labels are one text with commas, unless a label has
    a comma itself: then they are a list. CSV has the columns video_id,labels. Text has one id per line, and
    its labels after a tab. All three give the same list, with the same fingerprint, when they are read.

    Args:
        made: The list.
        out: File to write.
        form: Format of the file.

    Returns:
        Path of the second file, `NAME.about.json`.

    Raises:
        DatasetError: A label has a `;`, which separates labels in CSV and text.
    """
    text = {"json": _as_json, "csv": _as_csv, "text": _as_text}[form](made.clips)
    out.parent.mkdir(parents=True, exist_ok=True)
    about = out.with_name(f"{out.stem}.about.json")
    write_text(out, text)
    write_text(about, json.dumps(made.to_dict(), indent=2, ensure_ascii=False) + "\n")
    return about


def _renamed(clips: ClipList, classes: ClassLabels, names: LabelNames) -> ClipList:
    return replace(
        clips,
        labels=tuple(classes.rename(clips.labels, names)),
        source=f"{clips.source}, labels as {names}s of {classes.path.name}",
    )


def _chosen(clips: ClipList, per_class: int) -> ClipList:
    numbers = choose_per_class(clips.labels, per_class=per_class)
    if not numbers:
        raise DatasetError(
            f"{clips.source} has no labels, so no clips per class can be chosen. Give a list with labels."
        )
    return clips.take(numbers)


def _available(clips: ClipList, folder: Path) -> tuple[ClipList, AvailableClips]:
    chosen = select(PreparedDataset.open(folder), clips)
    missing = set(chosen.missing)
    available = clips.take([number for number, clip in enumerate(clips.ids) if clip not in missing])
    lost = Counter(
        label
        for clip, labels in zip(clips.ids, clips.labels, strict=True)
        if clip in missing
        for label in labels
    )
    present = {label for labels in available.labels for label in labels}
    return available, AvailableClips(
        num_listed=len(clips),
        listed_sha256=clips.sha256,
        missing=chosen.missing,
        missing_per_class=dict(lost),
        gone_classes=tuple(label for label in lost if label not in present),
        by_rule=chosen.by_rule,
        num_spare=chosen.num_spare,
    )


def _as_json(clips: ClipList) -> str:
    has_comma = any("," in label for labels in clips.labels for label in labels)
    data = [
        {"video_id": clip, "labels": list(labels) if has_comma else ",".join(labels)}
        for clip, labels in zip(clips.ids, clips.labels, strict=True)
    ]
    return json.dumps({"data": data}, indent=1, ensure_ascii=False) + "\n"


def _as_csv(clips: ClipList) -> str:
    rows = zip(clips.ids, _joined(clips), strict=True)
    return csv_text([LABEL_COLUMNS, *rows])


def _as_text(clips: ClipList) -> str:
    rows = zip(clips.ids, _joined(clips), strict=True)
    return "".join(f"{clip}\t{labels}\n" if labels else f"{clip}\n" for clip, labels in rows)


def _joined(clips: ClipList) -> list[str]:
    for clip, labels in zip(clips.ids, clips.labels, strict=True):
        if any(LABEL_SEPARATOR in label for label in labels):
            raise DatasetError(
                f"A label of {clip} has a {LABEL_SEPARATOR!r}, which separates labels in CSV and text: "
                f"{labels}. Write the list as JSON."
            )
    return [LABEL_SEPARATOR.join(labels) for labels in clips.labels]
