"""Sources of a classifier's features: files, or a model that computes them for each batch.

B clips of a batch, N clips, T frames per clip, C classes.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from itertools import tee

import torch
from torch import Tensor

from cavmae_sync.compute import matrix_products_in, training_precision
from cavmae_sync.data import Batch, Draw, PreparedDataset, make_loader
from cavmae_sync.data.loading.augmented_clips import AugmentedClipDataset
from cavmae_sync.data.loading.targets import smoothed
from cavmae_sync.embedding.embedder import Embedder
from cavmae_sync.inputs.augment import AugmentConfig
from cavmae_sync.tasks.classification.feature_cache import StoredFeatures
from cavmae_sync.tasks.classification.features import FeatureConfig, feature_parts, features_of
from cavmae_sync.tasks.classification.head_training import LabelledFeatures


class StoredSource:
    """Source of stored features. They cannot be augmented.

    Args:
        features: Features of the clips.
        is_true_NC: bool, classes of each clip.
        smoothing: Label smoothing; 0 outside of training.
        device: Device of the head.
    """

    def __init__(
        self, features: StoredFeatures, is_true_NC: Tensor, *, smoothing: float, device: torch.device
    ) -> None:
        self.features, self.is_true_NC = features, is_true_NC
        self.smoothing, self.device = smoothing, device

    @property
    def num_clips(self) -> int:
        """Number of clips that may be drawn."""
        return len(self.features)

    def batches(self, draws: Iterable[list[Draw]]) -> Iterator[LabelledFeatures]:
        """Features and targets of each list of draws, in order."""
        for some in draws:
            rows = [draw.clip for draw in some]
            yield LabelledFeatures(
                features_BTD=self.features.read(rows).to(self.device),
                targets_BC=smoothed(self.is_true_NC[rows], smoothing=self.smoothing).to(self.device),
            )


@dataclass(frozen=True, kw_only=True, slots=True)
class Changes:
    """Changes of clips and their labels in training; none by default.

    Attributes:
        augment: Random changes, including mixup.
        smoothing: Label smoothing in [0, 1).
        seed: Seed of the changes.
    """

    augment: AugmentConfig = field(default_factory=AugmentConfig)
    smoothing: float = 0.0
    seed: int = 0


class ComputedSource:
    """Source of features that are computed for each batch, from clips that may be augmented.

    Args:
        embedder: The model, its device and precision.
        clips: The clips.
        is_true_NC: bool, classes of each clip.
        config: Which vector.
        changes: Changes of clips and labels.
        with_gradients: Whether features carry gradients to the model.
        num_workers: Processes that read clips.
    """

    def __init__(
        self,
        embedder: Embedder,
        clips: PreparedDataset,
        is_true_NC: Tensor,
        *,
        config: FeatureConfig,
        changes: Changes,
        with_gradients: bool,
        num_workers: int = 0,
    ) -> None:
        inputs = embedder.model.config.inputs
        self.dataset = AugmentedClipDataset(clips, inputs=inputs, seed=changes.seed, augment=changes.augment)
        self.embedder, self.is_true_NC, self.config = embedder, is_true_NC, config
        self.smoothing, self.with_gradients = changes.smoothing, with_gradients
        self.num_workers = num_workers

    @property
    def num_clips(self) -> int:
        """Number of clips that may be drawn."""
        return len(self.dataset)

    def batches(self, draws: Iterable[list[Draw]]) -> Iterator[LabelledFeatures]:
        """Features and targets of each list of draws, in order."""
        for_inputs, for_targets = tee(draws)
        loader = make_loader(
            self.dataset, sampler=for_inputs, num_workers=self.num_workers, device=self.embedder.device
        )
        for batch, some in zip(loader, for_targets, strict=False):  # the loader draws ahead of the targets
            targets_BC = self.dataset.mixing.targets(some, self.is_true_NC, smoothing=self.smoothing)
            yield LabelledFeatures(
                features_BTD=self._features(batch).unflatten(0, (batch.num_clips, -1)),
                targets_BC=targets_BC.to(self.embedder.device),
            )

    def _features(self, batch: Batch) -> Tensor:
        if not self.with_gradients:
            parts = feature_parts(self.embedder, batch.segments_PLM, batch.normalized_frames(), self.config)
            return torch.cat([parts[part] for part in self.config.parts], dim=1).to(self.embedder.device)
        moved = batch.to(self.embedder.device)
        with matrix_products_in(training_precision(self.embedder.precision), self.embedder.device):
            return features_of(
                self.embedder.model, moved.segments_PLM, moved.normalized_frames(), self.config
            )
