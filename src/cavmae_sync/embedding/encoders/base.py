"""The contract of encoders: decoded frames and sounds in, unit vectors of moments out.

A preparation travels to the processes that decode, and makes frames and sounds small there. The encoder then
turns them into vectors, on its device.

P frames, H W pixels, C colours, S samples, N rows of a prepared sound, M values of each, F moments, D width.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol, Self

import numpy as np
import torch
from numpy.typing import NDArray
from pydantic import BaseModel, Field
from torch import Tensor

from cavmae_sync.media import SamplingRule
from cavmae_sync.model import Modality


class EncoderRecord(BaseModel):
    """Encoder that turned clips into vectors."""

    kind: str
    """"cavmae-sync", "pe-av", or a name for somebody else's."""
    width: int = Field(gt=0, le=1 << 16)
    """Numbers of a vector."""
    weights: str
    """Fingerprint of the weights."""
    made_with: dict[str, Any]
    """How it computed: representation, precision, configuration."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Sound:
    """Prepared sound of a clip.

    Attributes:
        values_NM: float32, as `Preparation.sound` made it.
        moment_seconds: Moments that want a vector, from the start of the clip.
        duration_seconds: Length of the clip.
        window_seconds: Length of the part of the clip that a moment stands for.
    """

    values_NM: Tensor
    moment_seconds: Sequence[float]
    duration_seconds: float
    window_seconds: float


class Preparation(Protocol):
    """What happens to frames and sounds where they are decoded; a value that other processes take."""

    @property
    def sample_rate_hz(self) -> int:
        """Samples per second of the sound that it takes."""
        ...

    def frames_per_moment(self, window_seconds: float) -> int:
        """Frames that make the vector of one moment."""
        ...

    def frame(self, frame_HWC: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """Frame of the size that the encoder takes."""
        ...

    def sound(self, waveform_S: NDArray[np.float32]) -> Tensor:
        """Sound of a clip as float32 [N, M]."""
        ...


class ClipEncoder(Protocol):
    """An encoder, ready to compute."""

    @property
    def preparation(self) -> Preparation:
        """What happens where clips are decoded."""
        ...

    @property
    def sampling(self) -> SamplingRule:
        """Rule for the moments, where a library's configuration has none."""
        ...

    @property
    def device(self) -> torch.device:
        """Where it computes."""
        ...

    @property
    def spaces(self) -> Mapping[Modality, str]:
        """Space of the vectors of each sense. Vectors compare within one space only."""
        ...

    def record(self) -> EncoderRecord:
        """What it is, for libraries."""
        ...

    def encode_sounds(self, sounds: Sequence[Sound]) -> Tensor:
        """Vectors of all moments, sound after sound: float32 [F, D] on the CPU, unit rows.

        Raises:
            WeightsError: The model gives vectors that are not finite.
        """
        ...

    def encode_frames(self, frames_PHWC: Tensor, counts: Sequence[int]) -> Tensor:
        """Vectors of moments, from uint8 frames that were prepared: float32 [F, D] on the CPU, unit rows.

        Args:
            frames_PHWC: Frames of the first moment, then of the second.
            counts: Number of frames of each moment.

        Raises:
            WeightsError: The model gives vectors that are not finite.
        """
        ...

    def encode_text(self, text: str) -> Mapping[Modality, Tensor]:
        """Vector [1, D] of a text for each sense that texts compare with.

        Raises:
            ConfigError: This encoder has no text.
        """
        ...

    def moved(self, device: str) -> Self:
        """The same on another device; this one stays as it is."""
        ...
