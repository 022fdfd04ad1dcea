"""Feature files: features that another model made of clips, for a classifier like ours.

Letters: N clips of the file, T vectors of a clip, D width.
"""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from cavmae_sync.audit.overlap import SharedClip, check_apart, refuse_shared
from cavmae_sync.data import PreparedDataset
from cavmae_sync.data.loading.targets import LabelledClips
from cavmae_sync.embedding.vector_files import ids_fingerprint
from cavmae_sync.embedding.vector_formats import FEATURES, FileContent, read_vector_file
from cavmae_sync.embedding.vector_rows import checked_numbers, name_of, rows_in_order
from cavmae_sync.errors import ConfigError, DatasetError

#: Names of the two lists in a file that divides its clips itself.
SPLITS: Final = ("train", "test")


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class FileClips:
    """Clips of a feature file, which has only their names and labels; see `LabelledClips`.

    Attributes:
        folder: The file.
        clip_ids: Names of the clips.
        labels: Labels of each clip.
    """

    folder: Path
    clip_ids: tuple[str, ...]
    labels: tuple[tuple[str, ...], ...]

    @property
    def content_hashes(self) -> tuple[str, ...]:
        """Hashes of the videos. Nothing is known of them, so each clip counts as a video of its own."""
        return self.clip_ids

    @property
    def list_sha256(self) -> str:
        """Fingerprint of the ids, in order."""
        return ids_fingerprint(self.clip_ids)

    def __len__(self) -> int:
        """Number of clips."""
        return len(self.clip_ids)


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class FileFeatures:
    """Features of two lists of clips, from a file.

    Attributes:
        name: Name of the model that made them, or of the file.
        features_NTD: float32, features of all clips of the file.
        train: Clips to learn from.
        test: Clips to measure with.
        rows: Rows of the file for the clips of `train`, and for those of `test`.
        shared: Clips of `test` that are also in `train`.
        fingerprint: SHA-256 of the features.
    """

    name: str
    features_NTD: NDArray[np.float32]
    train: LabelledClips
    test: LabelledClips
    rows: tuple[tuple[int, ...], tuple[int, ...]]
    shared: tuple[SharedClip, ...]
    fingerprint: str

    @property
    def num_unused(self) -> int:
        """Number of clips of the file that are in neither list."""
        return len(self.features_NTD) - len({*self.rows[0], *self.rows[1]})


def open_features(
    path: Path,
    *,
    train: PreparedDataset | None = None,
    test: PreparedDataset | None = None,
    allow_overlap: bool = False,
) -> FileFeatures:
    """Read a feature file, .npz or Parquet, and divide its clips into two lists.

    The file holds `features`, floats [N, T, D], or [N, D] for one vector per clip, and `ids` of the clips.
    With datasets, the ids are those of their clips, and labels come from them. Without, the file also holds
    `labels`, and `split`: "train" or "test" for every clip.

    Args:
        path: The file.
        train: Clips to learn from.
        test: Clips to measure with; both datasets, or neither.
        allow_overlap: Accept clips that are in both lists.

    Raises:
        ConfigError: One dataset without the other.
        DatasetError: The file is damaged, lacks clips, holds NaN, or clips are in both lists.
    """
    content = read_vector_file(path, FEATURES)
    values = content.vectors["features"]
    ids = content.ids or tuple(map(str, range(len(values) if values.ndim else 0)))
    numbers = checked_numbers(
        path, "features", values, axes="[clips, vectors, width], or [clips, width]", num_axes=(2, 3), ids=ids
    )
    features_NTD = numbers[:, None] if numbers.ndim == 2 else numbers
    if (train is None) != (test is None):
        raise ConfigError("--features FILE needs both --train and --test, or neither.")
    lists: tuple[LabelledClips, LabelledClips]
    if train is not None and test is not None:
        if content.ids is None:
            raise DatasetError(f"{path} has no ids, so its features cannot be matched with clips. Add ids.")
        lists = (train, test)
        shared = check_apart(test, train, allow_overlap=allow_overlap)
    else:
        lists = _lists_of_file(path, content, ids)
        shared = _equal_features(features_NTD, ids, content.split or ())
        if not allow_overlap:
            refuse_shared(shared, num_clips=len(lists[1]), test=f"{path}, test", train="its training clips")
    rows = [rows_in_order(path, ids, clips.clip_ids, other=str(clips.folder)) for clips in lists]
    return FileFeatures(
        name=name_of(path, content.facts.get("name")),
        features_NTD=features_NTD,
        train=lists[0],
        test=lists[1],
        rows=(tuple(rows[0]), tuple(rows[1])),
        shared=shared,
        fingerprint=hashlib.sha256(f"{features_NTD.shape}".encode() + features_NTD.tobytes()).hexdigest(),
    )


def _lists_of_file(path: Path, content: FileContent, ids: Sequence[str]) -> tuple[FileClips, FileClips]:
    if content.labels is None or content.split is None:
        raise DatasetError(
            f"{path} has no labels or no split (train or test for each clip). Add both, or name the prepared "
            "datasets of the clips with --train and --test."
        )
    for name, values in (("labels", content.labels), ("split", content.split)):
        if len(values) != len(ids):
            raise DatasetError(f"{path}: {len(values)} {name} for {len(ids)} clips. Give one per clip.")
    if odd := sorted(set(content.split) - set(SPLITS)):
        raise DatasetError(f"{path}: split must be {' or '.join(SPLITS)} for every clip, got {odd[0]!r}.")
    rows = {split: [row for row, found in enumerate(content.split) if found == split] for split in SPLITS}
    if empty := [split for split, found in rows.items() if not found]:
        raise DatasetError(f"{path} has no clip whose split is {empty[0]}. Both are needed.")
    labels = content.labels
    train, test = (
        FileClips(
            folder=path,
            clip_ids=tuple(ids[row] for row in rows[split]),
            labels=tuple(labels[row] for row in rows[split]),
        )
        for split in SPLITS
    )
    return train, test


def _equal_features(
    features_NTD: NDArray[np.float32], ids: Sequence[str], split: Sequence[str]
) -> tuple[SharedClip, ...]:
    """Test clips whose features equal those of a training clip, to the last bit: likely the same clip."""
    digests = [hashlib.sha256(clip_TD.tobytes()).digest() for clip_TD in features_NTD]
    learned = {digest: ids[row] for row, digest in enumerate(digests) if split[row] == "train"}
    return tuple(
        SharedClip(clip_id=ids[row], other_id=learned[digest], how="same features")
        for row, digest in enumerate(digests)
        if split[row] == "test" and digest in learned
    )
