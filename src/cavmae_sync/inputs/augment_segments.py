"""Random changes to the sound of one pair. Every draw comes from the generator given.

Shapes: L spectrogram frames of a segment, M mel bins.
"""

import torch
from torch import Tensor


def random_center_offset(max_offset: int, *, generator: torch.Generator) -> int:
    """How far to move the centre of a window before it is cut: uniform in [-max_offset, max_offset].

    Hand it to `segment_span(center_offset=...)`. A few tens of spectrogram frames (10 ms each) vary the
    sound and leave it with its frame; windows that touch an end of the clip stay there.
    """
    return int(torch.randint(-max_offset, max_offset + 1, (), generator=generator, device=generator.device))


def add_noise(segment_LM: Tensor, *, amplitude: float, generator: torch.Generator) -> Tensor:
    """The normalised segment plus noise uniform in [0, a), where a is drawn anew from [0, amplitude).

    Source:
        spec 1.13; CAV-MAE src/dataloader.py, noise, with amplitude 0.1.
    """
    noise_LM = torch.rand(segment_LM.shape, generator=generator, device=generator.device)
    strength = amplitude * _uniform(generator)
    return segment_LM + strength * noise_LM.to(segment_LM)


def roll_time(segment_LM: Tensor, *, generator: torch.Generator) -> Tensor:
    """The segment rotated in time by a uniform number of spectrogram frames in [-L, L).

    This destroys synchrony: what belongs to the frame may land anywhere in the segment. It is here because
    CAV-MAE did it; for a model that should hear *when* something sounds, use `random_center_offset`.

    Source:
        spec 1.13; paper, Table 9, "Random Time Shifting"; CAV-MAE src/dataloader.py, noise.
    """
    length = len(segment_LM)
    shift = int(torch.randint(-length, length, (), generator=generator, device=generator.device))
    return segment_LM.roll(shift, dims=0)


def mask_bins(segment_LM: Tensor, *, max_bins: int, value: float, generator: torch.Generator) -> Tensor:
    """One band of fewer than `max_bins` neighbouring mel bins set to `value` (SpecAugment, frequency)."""
    return _mask_stretch(segment_LM.T, max_bins, value, generator).T


def mask_time(segment_LM: Tensor, *, max_length: int, value: float, generator: torch.Generator) -> Tensor:
    """One stretch of fewer than `max_length` spectrogram frames set to `value` (SpecAugment, time)."""
    return _mask_stretch(segment_LM, max_length, value, generator)


def _mask_stretch(rows: Tensor, max_width: int, value: float, generator: torch.Generator) -> Tensor:
    """Width and start are drawn as torchaudio draws them: uniform reals, rounded down."""
    if not 0 <= max_width <= len(rows):
        raise ValueError(f"A mask may be 0 to {len(rows)} wide here, but its limit is {max_width}.")
    width = _uniform(generator) * max_width
    start = int(_uniform(generator) * (len(rows) - width))
    masked = rows.clone()
    masked[start : start + int(width)] = value
    return masked


def _uniform(generator: torch.Generator) -> float:
    return float(torch.rand((), generator=generator, device=generator.device))
