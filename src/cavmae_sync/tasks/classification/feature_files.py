"""Features that any model made of clips, from a file: a classifier learns from them as from ours.

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

#: The two lists of a file that says itself which clips are learned from.
SPLITS: Final = ("train", "test")


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class FileClips:
    """Clips of which a file says names and labels, and nothing else; see `LabelledClips`.

    Attributes:
        folder: The file.
        clip_ids: Their names.
        labels: Their labels.
    """

    folder: Path
    clip_ids: tuple[str, ...]
    labels: tuple[tuple[str, ...], ...]

    @property
    def content_hashes(self) -> tuple[str, ...]:
        """Nothing is known of their files: each is its own."""
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
    """Features of two lists of clips.

    Attributes:
        name: Of the model that made them, or of the file.
        features_NTD: float32, all clips of the file.
        train: Clips to learn from.
        test: Clips to measure with.
        rows: Row of the file for every clip of `train`, and of `test`.
        shared: Clips to measure with that are also among those to learn from.
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
        """Clips of the file that are in neither list."""
        return len(self.features_NTD) - len({*self.rows[0], *self.rows[1]})


def open_features(
    path: Path,
    *,
    train: PreparedDataset | None = None,
    test: PreparedDataset | None = None,
    allow_overlap: bool = False,
) -> FileFeatures:
    """Read a file of features, .npz or Parquet, and tell its clips apart.

    It holds `features`, floats [N, T, D], or [N, D] for one vector a clip, and `ids` of the clips. With
    datasets the ids are those of their clips, and labels are theirs. Without, it holds `labels` too, and
    `split`, "train" or "test" for every clip.

    Args:
        path: The file.
        train: Clips to learn from.
        test: Clips to measure with; both datasets, or neither.
        allow_overlap: Take clips that are in both lists.

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
        raise ConfigError("--features FILE goes with both --train and --test, or with neither.")
    lists: tuple[LabelledClips, LabelledClips]
    if train is not None and test is not None:
        if content.ids is None:
            raise DatasetError(
                f"{path} has no ids, so nobody can tell which clips its features are of. Add ids."
            )
        lists = (train, test)
        shared = check_apart(test, train, allow_overlap=allow_overlap)
    else:
        lists = _told_by_the_file(path, content, ids)
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


def _told_by_the_file(path: Path, content: FileContent, ids: Sequence[str]) -> tuple[FileClips, FileClips]:
    if content.labels is None or content.split is None:
        raise DatasetError(
            f"{path} needs labels and split (train or test for each clip), or name the prepared datasets "
            "that have them: --train and --test."
        )
    for name, values in (("labels", content.labels), ("split", content.split)):
        if len(values) != len(ids):
            raise DatasetError(f"{path}: {len(values)} {name} for {len(ids)} clips. Give one for each.")
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
    """Clips to measure with whose features are those of a clip to learn from, to the last bit."""
    digests = [hashlib.sha256(clip_TD.tobytes()).digest() for clip_TD in features_NTD]
    learned = {digest: ids[row] for row, digest in enumerate(digests) if split[row] == "train"}
    return tuple(
        SharedClip(clip_id=ids[row], other_id=learned[digest], how="same features")
        for row, digest in enumerate(digests)
        if split[row] == "test" and digest in learned
    )
