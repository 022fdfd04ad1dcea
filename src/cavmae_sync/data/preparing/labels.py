"""Labels of videos, from a published list or from a CSV file of the user."""

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from cavmae_sync.choices import LabelNames, ListSplit
from cavmae_sync.data.lists import WantedClip, match_names, read_list_file
from cavmae_sync.data.lists.clip_list import as_clip_list
from cavmae_sync.data.lists.ontology import read_classes
from cavmae_sync.data.preparing.report import LabelUse
from cavmae_sync.errors import DatasetError


@dataclass(frozen=True, kw_only=True, slots=True)
class LabelFile:
    """File of labels, and how it is read.

    Attributes:
        path: List of clips with their labels; see `cavmae_sync.data.read_clip_list`.
        split: Split of the list of VGGSound; None = all rows.
        classes: Class list (index,mid,display_name); None = labels stay as they are written.
        names: With `classes`, write labels as mids or as names.
    """

    path: Path
    split: ListSplit | None = None
    classes: Path | None = None
    names: LabelNames = "name"


@dataclass(frozen=True, kw_only=True, slots=True)
class FileLabels:
    """Labels of the files of a dataset.

    Attributes:
        labels: Labels of each file; empty if no row belongs to it.
        use: Use of the rows, in numbers.
    """

    labels: tuple[tuple[str, ...], ...]
    use: LabelUse


@dataclass(frozen=True, kw_only=True, slots=True)
class Labels:
    """Rows of a label file.

    Attributes:
        clips: Clip of each row.
        labels: Labels of each row.
        fingerprint: SHA-256 of ids and labels.
    """

    clips: tuple[WantedClip, ...]
    labels: tuple[tuple[str, ...], ...]
    fingerprint: str

    def of_files(self, files: Sequence[str]) -> FileLabels:
        """Labels of the files of a dataset.

        Args:
            files: Paths relative to the source folder.

        Raises:
            DatasetError: No row belongs to a file, a row matches several files, or a file several rows.
        """
        names = [str(PurePosixPath(file).with_suffix("")) if file else "" for file in files]
        matches = match_names(names, self.clips)
        if files and not matches.by_rule:
            raise DatasetError(
                f"No label belongs to any video: the label file has {_some(c.id for c in self.clips)}, the "
                f"videos are called {_some(names)}. A video_id is a file name without folder and ending; "
                "docs/lists.md says which names of published clips are known."
            )
        found = {number for number in matches.wanted_of if number is not None}
        return FileLabels(
            labels=tuple(() if number is None else self.labels[number] for number in matches.wanted_of),
            use=LabelUse(num_unknown=len(self.clips) - len(found), by_rule=matches.by_rule),
        )


def read_labels(source: LabelFile | Path) -> Labels:
    """Read a list with labels. Except in the manifest of CAV-MAE, every row must have a label.

    Raises:
        DatasetError: The file is missing, of no known format, or malformed (names the line); a clip occurs
            twice or has no label; or a label is not in the class list.
    """
    source = LabelFile(path=source) if isinstance(source, Path) else source
    file = read_list_file(source.path, split=source.split)
    unlabelled = [clip for clip in file.clips if not clip.labels]
    if unlabelled and file.kind != "cavmae_json":
        raise DatasetError(
            f"{source.path} {file.row_word} {unlabelled[0].line}: {unlabelled[0].id} has no label."
        )
    clips = as_clip_list(file)
    labels = clips.labels
    if source.classes is not None:
        labels = tuple(read_classes(source.classes).rename(labels, source.names))
    rows = sorted(zip(clips.ids, labels, strict=True))
    text = "\n".join(f"{video}\t{';'.join(names)}" for video, names in rows)
    return Labels(
        clips=tuple(clips.wanted_clips),
        labels=labels,
        fingerprint=hashlib.sha256(text.encode()).hexdigest(),
    )


def _some(names: Iterable[str]) -> str:
    listed = [repr(name) for name in names]
    return ", ".join(listed[:3]) + (", ..." if len(listed) > 3 else "")
