"""Labels of videos, from a list in any of the published formats, or a CSV of one's own."""

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
    """Where labels come from.

    Attributes:
        path: A list of clips with their labels; see `cavmae_sync.data.read_clip_list`.
        split: Take only these rows of VGGSound's list.
        classes: Class list (index,mid,display_name); None keeps labels as they are written.
        names: How labels are written then.
    """

    path: Path
    split: ListSplit | None = None
    classes: Path | None = None
    names: LabelNames = "name"


@dataclass(frozen=True, kw_only=True, slots=True)
class FileLabels:
    """The labels of the files of a dataset.

    Attributes:
        labels: Labels of each file; none when no row is its.
        use: Which rows found their file, in numbers.
    """

    labels: tuple[tuple[str, ...], ...]
    use: LabelUse


@dataclass(frozen=True, kw_only=True, slots=True)
class Labels:
    """Which labels each video carries.

    Attributes:
        clips: The rows: clips that are looked for.
        labels: Labels of each.
        fingerprint: SHA-256 of the ids and labels.
    """

    clips: tuple[WantedClip, ...]
    labels: tuple[tuple[str, ...], ...]
    fingerprint: str

    def of(self, files: Sequence[str]) -> FileLabels:
        """Labels of all files of a dataset.

        Args:
            files: Paths below the source folder.

        Raises:
            DatasetError: Not one file is named, or a row could mean several files, or a file several rows.
        """
        names = [str(PurePosixPath(file).with_suffix("")) if file else "" for file in files]
        matches = match_names(names, self.clips)
        if files and not matches.by_rule:
            raise DatasetError(
                f"No label belongs to any video: the label file names {_some(c.id for c in self.clips)}, the "
                f"videos are called {_some(names)}. A video_id is a file name without folder and ending; "
                "docs/lists.md tells which names of official clips are understood."
            )
        found = {number for number in matches.wanted_of if number is not None}
        return FileLabels(
            labels=tuple(() if number is None else self.labels[number] for number in matches.wanted_of),
            use=LabelUse(num_unknown=len(self.clips) - len(found), by_rule=matches.by_rule),
        )


def read_labels(source: LabelFile | Path) -> Labels:
    """Read a list with labels; of our own formats, every row must have one.

    Raises:
        DatasetError: The file is missing, of no known format, or malformed (names the line); it names a clip
            twice or has no labels; or a label is not in the class list.
    """
    source = LabelFile(path=source) if isinstance(source, Path) else source
    file = read_list_file(source.path, split=source.split)
    bare = [clip for clip in file.clips if not clip.labels]
    if bare and file.kind != "cavmae_json":
        raise DatasetError(f"{source.path} {file.unit} {bare[0].line}: {bare[0].id} has no label.")
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
