"""`ClipList`, and the prepared clips that are on one."""

import hashlib
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Self

from cavmae_sync.choices import ListSplit
from cavmae_sync.data.lists.formats import read_list_file
from cavmae_sync.data.lists.name_matching import WantedClip, match_names
from cavmae_sync.data.lists.rows import ListFile
from cavmae_sync.data.storage.prepared_dataset import PreparedDataset
from cavmae_sync.errors import DatasetError


@dataclass(frozen=True, kw_only=True, slots=True)
class ClipList:
    """List of clips, in order, with their labels.

    Attributes:
        ids: Ids of the clips, all different: `<11 characters>_<6 digits>` in VGGSound, 11 characters in
            AudioSet, any text in other data.
        labels: Labels of each clip, as they are written in the file; empty if it has none.
        name: Name of the list, for example the name of its file.
        source: File or dataset that it came from, in words.
        start_seconds: Start of each clip in its video, if the file has it; else empty. It distinguishes
            several clips of one video.
    """

    ids: tuple[str, ...]
    labels: tuple[tuple[str, ...], ...]
    name: str
    source: str
    start_seconds: tuple[float | None, ...] = ()

    def __post_init__(self) -> None:
        if len(self.ids) != len(self.labels):
            raise ValueError(f"{len(self.ids)} ids need as many tuples of labels, got {len(self.labels)}")
        if self.start_seconds and len(self.start_seconds) != len(self.ids):
            raise ValueError(f"{len(self.ids)} ids need as many starts, got {len(self.start_seconds)}")
        if not self.ids:
            raise ValueError("a list needs one clip at least")
        if len(set(self.ids)) != len(self.ids):
            raise ValueError("the ids of a list must all be different")
        for text in (*self.ids, *(label for labels in self.labels for label in labels)):
            if not text or not text.isprintable():
                raise ValueError(f"ids and labels must be printable and not empty, got {text!r:.80}")

    def __len__(self) -> int:
        """Number of clips."""
        return len(self.ids)

    def take(self, numbers: Sequence[int]) -> Self:
        """List of some of the clips, by their numbers, in the order given."""
        return replace(
            self,
            ids=tuple(self.ids[number] for number in numbers),
            labels=tuple(self.labels[number] for number in numbers),
            start_seconds=tuple(self.start_seconds[number] for number in numbers if self.start_seconds),
        )

    @property
    def wanted_clips(self) -> list[WantedClip]:
        """The clips in the form that `match_names` takes."""
        starts = self.start_seconds or (None,) * len(self)
        clips = zip(self.ids, starts, strict=True)
        return [WantedClip(id=clip, start_seconds=start) for clip, start in clips]

    @property
    def sha256(self) -> str:
        """Fingerprint of ids and labels, in order.

        SHA-256 of one line for each clip: `id <tab> label <tab> label ... <newline>` in UTF-8. Name, source,
        starts and the format of the file do not matter.
        """
        digest = hashlib.sha256()
        for clip, labels in zip(self.ids, self.labels, strict=True):
            digest.update(("\t".join((clip, *labels)) + "\n").encode())
        return digest.hexdigest()


@dataclass(frozen=True, kw_only=True, slots=True)
class Selection:
    """The prepared clips that are on a list.

    Attributes:
        clips: These clips, in the order of the list.
        missing: Ids of the list without a prepared clip, in the order of the list.
        by_rule: Number of clips that each rule of `cavmae_sync.data.lists.name_matching` found.
        num_spare: Number of prepared clips left out because another one matches the same entry by a better
            rule.
    """

    clips: PreparedDataset
    missing: tuple[str, ...]
    by_rule: Mapping[str, int]
    num_spare: int


def read_clip_list(path: str | os.PathLike[str], *, split: ListSplit | None = None) -> ClipList:
    """Read a list of clips. Its format is recognised by its content.

    The formats are the JSON manifest of CAV-MAE, the segments file of AudioSet, the list of VGGSound, a CSV
    with the header `video_id,labels`, and text with one id per line; see `cavmae_sync.data.lists.formats`.

    Args:
        path: The file.
        split: Split of the list of VGGSound; None = all rows.

    Raises:
        DatasetError: It is missing, of no known format, malformed (names the line), or lists a clip twice.
    """
    return as_clip_list(read_list_file(Path(path), split=split))


def as_clip_list(file: ListFile) -> ClipList:
    """`ClipList` of the clips of a file.

    Raises:
        DatasetError: The file lists a clip twice, or has an id or label that cannot be printed.
    """
    first: dict[str, int] = {}
    for clip in file.clips:
        if first.setdefault(clip.id, clip.line) != clip.line:
            raise DatasetError(
                f"{file.path} {file.row_word} {clip.line}: {clip.id} is already on {file.row_word} "
                f"{first[clip.id]}. Remove one of them."
            )
    starts = tuple(clip.start_seconds for clip in file.clips)
    try:
        return ClipList(
            ids=tuple(first),
            labels=tuple(clip.labels for clip in file.clips),
            name=file.path.stem,
            source=f"{file.path.name} ({file.kind})",
            start_seconds=() if all(start is None for start in starts) else starts,
        )
    except ValueError as error:
        raise DatasetError(f"{file.path}: {error}.") from error


def select(clips: PreparedDataset, wanted: ClipList) -> Selection:
    """The prepared clips that a list names, in its order.

    Clips and entries of the list are matched by the rules of `cavmae_sync.data.lists.name_matching`. Where a
    file gave several clips (`NAME@START`), one of them is taken only if its start is the one of the list.

    Args:
        clips: Prepared clips.
        wanted: The list of clips.

    Raises:
        DatasetError: No clip of the list is there, or two prepared clips match one entry by the same rule.
    """
    ids = clips.clip_ids
    matches = match_names(ids, wanted.wanted_clips)
    row_of = {number: row for row, number in enumerate(matches.wanted_of) if number is not None}
    if not row_of:
        raise DatasetError(
            f"None of the {len(wanted)} clips of {wanted.name} (the first is {wanted.ids[0]!r}) is in "
            f"{clips.folder}, whose clips are called {', '.join(map(repr, ids[:3]))}. A file is found by "
            "the id of its clip; docs/lists.md has the rules."
        )
    return Selection(
        clips=clips.subset([row_of[number] for number in sorted(row_of)]),
        missing=tuple(clip for number, clip in enumerate(wanted.ids) if number not in row_of),
        by_rule=matches.by_rule,
        num_spare=matches.num_spare,
    )
