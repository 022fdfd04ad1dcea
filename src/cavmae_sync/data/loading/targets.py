"""Labels as vectors of classes, and targets made of them.

N clips, C classes, any shape X before the classes.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Protocol

import torch
from torch import Tensor

from cavmae_sync.checks import did_you_mean, first_names
from cavmae_sync.errors import DatasetError


class LabelledClips(Protocol):
    """Clips with ids and labels: a `PreparedDataset`, or the rows of a feature file."""

    @property
    def folder(self) -> Path:
        """Folder of the clips, for messages."""
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
        """SHA-256 of the file of every clip: equal for clips of one file."""
        ...

    @property
    def list_sha256(self) -> str:
        """Fingerprint of the clips, in order."""
        ...

    def __len__(self) -> int:
        """Number of clips."""
        ...


def class_names(clips: LabelledClips) -> tuple[str, ...]:
    """All labels of a dataset, sorted: the classes of a classifier trained on it.

    Raises:
        DatasetError: A clip has no label.
    """
    labels = _checked_labels(clips)
    return tuple(sorted({name for names in labels for name in names}))


def label_vectors(clips: LabelledClips, classes: Sequence[str]) -> Tensor:
    """Classes of each clip as a vector of booleans (multi-hot).

    Args:
        clips: Prepared clips with labels.
        classes: Names of the classes.

    Returns:
        bool `[N, C]`.

    Raises:
        DatasetError: A clip has no label, or a label is not a class; names some.
    """
    labels = _checked_labels(clips)
    index = {name: c for c, name in enumerate(classes)}
    unknown = sorted({name for names in labels for name in names} - index.keys())
    if unknown:
        raise DatasetError(
            f"{clips.folder} has labels that no training clip has: {first_names(unknown)}. "
            f"{did_you_mean(unknown[0], classes)}A classifier cannot know them. Remove these clips or "
            "labels, or train on clips that have them."
        )
    is_true_NC = torch.zeros(len(labels), len(classes), dtype=torch.bool)
    for row, names in enumerate(labels):
        is_true_NC[row, [index[name] for name in names]] = True
    return is_true_NC


def smoothed(is_true_XC: Tensor, *, smoothing: float) -> Tensor:
    """Targets with label smoothing: smoothing / C for false classes, 1 - smoothing for true ones.

    Args:
        is_true_XC: Labels, bool.
        smoothing: In [0, 1): 0.1 in the published runs; 0 gives targets of 0 and 1.

    Returns:
        float32 of the same shape. With one true class, a row sums to a little less than 1, as in the
        published code.

    Source:
        CAV-MAE src/dataloader.py. Mixed clips: `inputs.mixup.mix_labels`.
    """
    background = smoothing / is_true_XC.shape[-1]
    return torch.where(is_true_XC, 1 - smoothing, background).float()


def _checked_labels(clips: LabelledClips) -> list[tuple[str, ...]]:
    labels = clips.labels
    unlabelled = [clip for clip, names in enumerate(labels) if not names]
    if unlabelled or not labels:
        found = [clips.clip_ids[clip] for clip in unlabelled]
        raise DatasetError(
            f"{len(unlabelled)} of {len(labels)} clips of {clips.folder} have no label: "
            f"{first_names(found)}. Prepare the videos again with --labels FILE, a CSV file with the "
            "columns video_id,labels."
        )
    return list(labels)
