"""Vectors of moments made by hand: scenes with a direction each, and noise."""

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional as F

from cavmae_sync.tasks.agreement.moments import EmbeddedMoments
from cavmae_sync.tasks.agreement.reference import Reference

STEP = 0.5


def scenes(*, seconds: float, seed: int = 0, scene_seconds: float = 2.0, noise: float = 0.3) -> Tensor:
    """Unit rows that stay near one direction for some seconds, then jump to another."""
    generator = torch.Generator().manual_seed(seed)
    per_scene = round(scene_seconds / STEP)
    count = round(seconds / STEP)
    rows = torch.randn(count // per_scene + 1, 16, generator=generator).repeat_interleave(per_scene, 0)[
        :count
    ]
    return F.normalize(rows + noise * torch.randn(count, 16, generator=generator), dim=1)


def near(rows: Tensor, *, seed: int = 100, noise: float = 0.3) -> Tensor:
    generator = torch.Generator().manual_seed(seed)
    return F.normalize(rows + noise * torch.randn(rows.shape, generator=generator), dim=1)


def embedded(
    audio_TD: Tensor,
    visual_TD: Tensor,
    *,
    silent_T: NDArray[np.bool_] | None = None,
    still: bool = False,
) -> EmbeddedMoments:
    count = len(audio_TD)
    silent_T = np.zeros(count, bool) if silent_T is None else silent_T
    return EmbeddedMoments(
        seconds_T=(np.arange(count) + 0.5) * STEP,
        audio_TD=audio_TD,
        visual_TD=visual_TD,
        loudness_T=np.where(silent_T, -120, -20).astype(np.float32),
        is_still_T=np.full(count, still),
        window_seconds=1.0,
    )


def matched(*, seconds: float = 60, seed: int = 0) -> EmbeddedMoments:
    visual_TD = scenes(seconds=seconds, seed=seed)
    return embedded(near(visual_TD, seed=seed + 500), visual_TD)


def reference(*, num_clips: int = 40, seconds: float = 10) -> Reference:
    return Reference(
        clips=tuple(matched(seconds=seconds, seed=1000 + n) for n in range(num_clips)),
        name="hand-made",
        clip_list="a" * 64,
        weights="b" * 64,
    )
