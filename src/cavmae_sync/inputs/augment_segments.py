"""Random changes to the sound of one pair. Every draw comes from the generator given.

Shapes: L spectrogram frames of a segment, M mel bins.
"""

import torch
from torch import Tensor


def random_center_offset(max_offset: int, *, generator: torch.Generator) -> int:
    """Offset of the centre of a span before it is cut: uniform in [-max_offset, max_offset].

    It is an argument of `segment_span(center_offset=...)`. A few tens of spectrogram frames (10 ms each) vary
    the sound and leave it with its frame. Spans that touch an end of the clip stay there, except with
    `alignment="centered"`, which never moves them inwards.
    """
    return int(torch.randint(-max_offset, max_offset + 1, (), generator=generator, device=generator.device))


def add_noise(segment_LM: Tensor, *, amplitude: float, generator: torch.Generator) -> Tensor:
    """Add noise, uniform in [0, a), where a is drawn from [0, amplitude), to a normalised segment.

    Source:
        CAV-MAE src/dataloader.py, noise, with amplitude 0.1.
    """
    noise_LM = torch.rand(segment_LM.shape, generator=generator, device=generator.device)
    strength = amplitude * _uniform(generator)
    return segment_LM + strength * noise_LM.to(segment_LM)


def roll_time(segment_LM: Tensor, *, generator: torch.Generator) -> Tensor:
    """Rotate the segment in time by a uniform number of spectrogram frames in [-L, L).

    This destroys synchrony: the sound of the frame may land anywhere in the segment. It is here because
    CAV-MAE did it; for a model that should hear *when* something sounds, use `random_center_offset`.

    Source:
        paper, Table 9, "Random Time Shifting"; CAV-MAE src/dataloader.py, noise.
    """
    length = len(segment_LM)
    shift = int(torch.randint(-length, length, (), generator=generator, device=generator.device))
    return segment_LM.roll(shift, dims=0)


def mask_bins(segment_LM: Tensor, *, max_bins: int, value: float, generator: torch.Generator) -> Tensor:
    """Set one band of fewer than `max_bins` neighbouring mel bins to `value` (SpecAugment, frequency)."""
    return _mask_span(segment_LM.T, max_bins, value, generator).T


def mask_time(segment_LM: Tensor, *, max_length: int, value: float, generator: torch.Generator) -> Tensor:
    """Set one span of fewer than `max_length` spectrogram frames to `value` (SpecAugment, time)."""
    return _mask_span(segment_LM, max_length, value, generator)


def _mask_span(rows: Tensor, max_width: int, value: float, generator: torch.Generator) -> Tensor:
    """Set a random span of rows to `value`; width and start drawn as in torchaudio, uniform, rounded down."""
    if not 0 <= max_width <= len(rows):
        raise ValueError(f"A mask may be 0 to {len(rows)} wide here, but its limit is {max_width}.")
    width = _uniform(generator) * max_width
    start = int(_uniform(generator) * (len(rows) - width))
    masked = rows.clone()
    masked[start : start + int(width)] = value
    return masked


def _uniform(generator: torch.Generator) -> float:
    return float(torch.rand((), generator=generator, device=generator.device))
