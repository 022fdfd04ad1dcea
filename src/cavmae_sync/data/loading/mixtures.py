"""Which clips are mixed with which: by counting, so that inputs and targets agree wherever they are made.

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
    """What a clip is mixed with.

    Attributes:
        partner: Row of the other clip; may be the clip itself.
        weight: Share of the clip that was drawn, in (0, 1).
    """

    partner: int
    weight: float


@dataclass(frozen=True, kw_only=True, slots=True)
class Mixing:
    """Decides for every draw whether and with what it is mixed.

    Attributes:
        seed: Seed of the run.
        num_clips: Clips that may be partners, all equally likely.
        probability: Probability that a clip is mixed.
    """

    seed: int
    num_clips: int
    probability: float

    def of(self, draw: Draw) -> Mixture | None:
        """The mixture of a draw, None where its clip stays alone. Depends on nothing but seed and draw."""
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
        """What a classifier should say of some draws.

        Args:
            draws: Of one batch.
            is_true_NC: bool, of all clips.
            smoothing: Label smoothing in [0, 1).

        Returns:
            float32 `[B, C]`.
        """
        targets_BC = smoothed(is_true_NC[[draw.clip for draw in draws]], smoothing=smoothing)
        for place, draw in enumerate(draws):
            mixture = self.of(draw)
            if mixture is not None:
                targets_BC[place] = mix_labels(
                    is_true_NC[draw.clip],
                    is_true_NC[mixture.partner],
                    weight=mixture.weight,
                    smoothing=smoothing,
                )
        return targets_BC
