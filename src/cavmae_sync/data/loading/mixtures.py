"""Mixup of clips. A mixture depends on the draw alone, so that inputs and targets always agree.

B clips of a batch, N clips, C classes.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from cavmae_sync.data.draws import Draw, Purpose, random_words
from cavmae_sync.data.loading.targets import smoothed
from cavmae_sync.inputs.mixup import mix_labels, mixup_weight


@dataclass(frozen=True, kw_only=True, slots=True)
class Mixture:
    """Partner and weight that a clip is mixed with.

    Attributes:
        partner: Row of the other clip; may be the clip itself.
        weight: Weight of the clip itself, in (0, 1); the partner has the rest.
    """

    partner: int
    weight: float


@dataclass(frozen=True, kw_only=True, slots=True)
class Mixing:
    """Choice of mixtures: for every draw, whether its clip is mixed, and with which other one.

    Attributes:
        seed: Seed of the run.
        num_clips: Number of clips that may be partners, all with equal probability.
        probability: Probability that a clip is mixed.
    """

    seed: int
    num_clips: int
    probability: float

    def mixture_of(self, draw: Draw) -> Mixture | None:
        """Mixture of a draw, which depends on seed and draw alone; None where the clip is not mixed."""
        if not self.probability:
            return None
        chance, partner, seed = random_words(self.seed, Purpose.MIXUP, draw, num=3)
        if (chance >> np.uint64(11)) * 2.0**-53 >= self.probability:
            return None
        generator = torch.Generator().manual_seed(int(seed) >> 1)
        return Mixture(
            partner=int(partner % np.uint64(self.num_clips)), weight=mixup_weight(generator=generator)
        )

    def targets(self, draws: Sequence[Draw], is_true_NC: Tensor, *, smoothing: float) -> Tensor:
        """Targets of a classifier for the draws of one batch.

        Args:
            draws: Draws of the batch.
            is_true_NC: Labels of all clips, bool.
            smoothing: Label smoothing in [0, 1).

        Returns:
            float32 `[B, C]`.
        """
        targets_BC = smoothed(is_true_NC[[draw.clip for draw in draws]], smoothing=smoothing)
        for place, draw in enumerate(draws):
            mixture = self.mixture_of(draw)
            if mixture is not None:
                targets_BC[place] = mix_labels(
                    is_true_NC[draw.clip],
                    is_true_NC[mixture.partner],
                    weight=mixture.weight,
                    smoothing=smoothing,
                )
        return targets_BC
