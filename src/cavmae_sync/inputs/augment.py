"""Random changes to a training pair (segment, frame): switches, and the order of the changes.

Everything is off by default: the published Sync code accepts most of these switches and ignores them.
Each function can be used alone. Two changes happen before a pair exists and are therefore not part of
`augment`: moving the span (`random_center_offset`, then `segment_span(center_offset=...)`), and mixing two
clips (`mixup`).

Shapes: L spectrogram frames of a segment, M mel bins, H W pixels, C = 3 colours.
"""

from dataclasses import dataclass
from typing import Annotated

import torch
from pydantic import Field
from torch import Tensor

from cavmae_sync import paper
from cavmae_sync.config import Config
from cavmae_sync.inputs.augment_frames import random_flip, random_resized_crop
from cavmae_sync.inputs.augment_segments import add_noise, mask_bins, mask_time, roll_time
from cavmae_sync.inputs.config import InputConfig

Probability = Annotated[float, Field(ge=0, le=1)]


class AugmentConfig(Config):
    """Random changes that are made in training. All are off by default: the pair stays as it is."""

    center_jitter: Annotated[int, Field(ge=0)] = 0
    """Spectrogram frames (10 ms) by which a span may move either way before it is cut. Keeps synchrony."""
    noise_amplitude: Annotated[float, Field(ge=0)] = 0.0
    """Strongest uniform noise added to the normalised segment. CAV-MAE: 0.1."""
    rolls_time: bool = False
    """Rotate the segment in time by any amount. Destroys synchrony; center_jitter does not."""
    frequency_mask_bins: Annotated[int, Field(ge=0, le=paper.NUM_MELS)] = 0
    """Limit of SpecAugment's mask over mel bins. CAV-MAE fine-tuning: 48."""
    time_mask_length: Annotated[int, Field(ge=0)] = 0
    """Limit of SpecAugment's mask over spectrogram frames. CAV-MAE fine-tuning: 192 of 1024."""
    mixup_probability: Probability = 0.0
    """Probability that a clip is mixed with another. CAV-MAE fine-tuning: 0.5."""
    crops_frames: bool = False
    """Take a random part of the frame (8 to 100 percent of its area) in place of the whole."""
    flip_probability: Probability = 0.0
    """Probability that the frame is mirrored left to right."""


@dataclass(frozen=True, kw_only=True, slots=True)
class AugmentedPair:
    """A segment and its frame after the random changes.

    Attributes:
        segment_LM: float32, normalised.
        frame_HWC: uint8.
    """

    segment_LM: Tensor
    frame_HWC: Tensor


def augment(
    segment_LM: Tensor,
    frame_HWC: Tensor,
    *,
    config: AugmentConfig,
    inputs: InputConfig,
    generator: torch.Generator,
) -> AugmentedPair:
    """Apply the changes that are switched on: masks, noise, rotation of the segment; crop, flip of the frame.

    Masked values equal padding, 0.0 before normalisation, as in CAV-MAE. A change that is off draws nothing
    from the generator; with all off, the tensors themselves are returned.

    Args:
        segment_LM: float32, normalised.
        frame_HWC: uint8, not normalised.
        config: Changes that are switched on.
        inputs: Side of a cropped frame, and the statistics that give the normalised value of padding.
        generator: Source of every draw. An equal state gives an equal result.
    """
    padding = (paper.SPECTROGRAM_PADDING - inputs.spectrogram_mean) / inputs.spectrogram_std
    if config.frequency_mask_bins:
        segment_LM = mask_bins(
            segment_LM, max_bins=config.frequency_mask_bins, value=padding, generator=generator
        )
    if config.time_mask_length:
        segment_LM = mask_time(
            segment_LM, max_length=config.time_mask_length, value=padding, generator=generator
        )
    if config.noise_amplitude:
        segment_LM = add_noise(segment_LM, amplitude=config.noise_amplitude, generator=generator)
    if config.rolls_time:
        segment_LM = roll_time(segment_LM, generator=generator)
    if config.crops_frames:
        frame_HWC = random_resized_crop(frame_HWC, pixels=inputs.frame_pixels, generator=generator)
    if config.flip_probability:
        frame_HWC = random_flip(frame_HWC, probability=config.flip_probability, generator=generator)
    return AugmentedPair(segment_LM=segment_LM, frame_HWC=frame_HWC)
