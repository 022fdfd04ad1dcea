"""Mixup: two clips blended into one, in sound, frames and labels alike, by one weight.

Shapes: S samples, C classes in labels, any shape X for frames.
"""

import torch
from torch import Tensor

from cavmae_sync import paper


def mixup_weight(*, generator: torch.Generator, alpha: int = paper.MIXUP_ALPHA) -> float:
    """Share of the first clip, from Beta(alpha, alpha): symmetric about 0.5, narrower for larger alpha.

    Beta(a, a) with whole a is the distribution of the median of 2a - 1 uniform numbers. It is drawn this way
    because torch's own Beta takes no generator.
    """
    if alpha < 1:
        raise ValueError(f"alpha must be a whole number >= 1, but got {alpha}.")
    return float(torch.rand(2 * alpha - 1, generator=generator, device=generator.device).median())


def mix_waveforms(first_S: Tensor, second_S: Tensor, *, weight: float) -> Tensor:
    """Mix `weight` of the first sound with the rest of the second, which is cut or padded to its length.

    Means are subtracted before and after, so that neither sound brings an offset with it.

    Source:
        CAV-MAE src/dataloader.py, _wav2fbank.
    """
    second_S = second_S - second_S.mean()
    fitted_S = torch.zeros_like(first_S)
    num_common = min(len(first_S), len(second_S))
    fitted_S[:num_common] = second_S[:num_common]
    mixed_S = weight * (first_S - first_S.mean()) + (1 - weight) * fitted_S
    return mixed_S - mixed_S.mean()


def mix_frames(first_X: Tensor, second_X: Tensor, *, weight: float) -> Tensor:
    """Mix `weight` of the first normalised frame with the rest of the second."""
    if not first_X.is_floating_point():
        raise TypeError(f"Frames are mixed after normalisation, in floating point, but got {first_X.dtype}.")
    return weight * first_X + (1 - weight) * second_X


def mix_labels(first_C: Tensor, second_C: Tensor, *, weight: float, smoothing: float) -> Tensor:
    """Smoothed labels of the mixture: smoothing / C + (1 - smoothing) * (weight * first + rest * second).

    Args:
        first_C: 0 or 1 for each class of the first clip.
        second_C: The same for the second.
        weight: The share of the first clip.
        smoothing: Label smoothing in [0, 1); 0.1 in fine-tuning.

    Returns:
        float32 [C]. A class of both clips gets both shares.
    """
    mixed_C = weight * first_C.to(torch.float32) + (1 - weight) * second_C.to(torch.float32)
    return smoothing / len(mixed_C) + (1 - smoothing) * mixed_C
