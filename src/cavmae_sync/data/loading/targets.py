"""Labels as numbers: which classes there are, and one vector per clip.

N clips, C classes, any shape X before the classes.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Final, Protocol

import torch
from torch import Tensor

from cavmae_sync.checks import did_you_mean
from cavmae_sync.errors import DatasetError

_NUM_NAMED: Final = 5


class LabelledClips(Protocol):
    """Clips with names and labels, whatever else is known of them: `PreparedDataset`, or rows of a file."""

    @property
    def folder(self) -> Path:
        """Where they are from."""
        ...

    @property
    def clip_ids(self) -> Sequence[str]:
        """Id of every clip."""
        ...

    @property
    def labels(self) -> Sequence[tuple[str, ...]]:
        """Labels of every clip."""
        ...

    @property
    def content_hashes(self) -> Sequence[str]:
        """What every clip was cut from: equal for clips of one file."""
        ...

    @property
    def list_sha256(self) -> str:
        """Fingerprint of which clips these are, in order."""
        ...

    def __len__(self) -> int:
        """Number of clips."""
        ...


def class_names(clips: LabelledClips) -> tuple[str, ...]:
    """Every label of a dataset, sorted: the classes of a classifier trained on it.

    Raises:
        DatasetError: A clip has no labels; says how to prepare with them.
    """
    labels = _checked_labels(clips)
    return tuple(sorted({name for names in labels for name in names}))


def label_vectors(clips: LabelledClips, classes: Sequence[str]) -> Tensor:
    """Which classes each clip belongs to.

    Args:
        clips: Prepared clips with labels.
        classes: Name of each class.

    Returns:
        bool `[N, C]`.

    Raises:
        DatasetError: A clip has no labels, or one that is not a class; names them.
    """
    labels = _checked_labels(clips)
    index = {name: c for c, name in enumerate(classes)}
    unknown = sorted({name for names in labels for name in names} - index.keys())
    if unknown:
        raise DatasetError(
            f"{clips.folder} has labels that no training clip has: {_some(unknown)}. "
            f"{did_you_mean(unknown[0], classes)}A classifier cannot know them. Take these clips or labels "
            "out, or train on clips that have them."
        )
    is_true_NC = torch.zeros(len(labels), len(classes), dtype=torch.bool)
    for row, names in enumerate(labels):
        is_true_NC[row, [index[name] for name in names]] = True
    return is_true_NC


def smoothed(is_true_XC: Tensor, *, smoothing: float) -> Tensor:
    """Targets of training: smoothing / C for every class, 1 - smoothing for true ones.

    Args:
        is_true_XC: bool.
        smoothing: In [0, 1); 0.1 in the published runs, 0 leaves 0 and 1.

    Returns:
        float32 of the same shape. With one true class a row sums to a little less than 1, as published.

    Source:
        Spec 4.2; CAV-MAE src/dataloader.py. Mixed clips: `inputs.mixup.mix_labels`.
    """
    background = smoothing / is_true_XC.shape[-1]
    return torch.where(is_true_XC, 1 - smoothing, background).float()


def _checked_labels(clips: LabelledClips) -> list[tuple[str, ...]]:
    labels = clips.labels
    bare = [clip for clip, names in enumerate(labels) if not names]
    if bare or not labels:
        found = [clips.clip_ids[clip] for clip in bare]
        raise DatasetError(
            f"{len(bare)} of {len(labels)} clips of {clips.folder} have no label: {_some(found)}. Prepare "
            "the videos again with --labels FILE, a CSV file with the columns video_id,labels."
        )
    return list(labels)


def _some(names: Sequence[str]) -> str:
    more = len(names) - _NUM_NAMED
    return ", ".join(names[:_NUM_NAMED]) + (f" and {more} more" if more > 0 else "")
