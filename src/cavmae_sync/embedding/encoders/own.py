"""Models of this package as encoders of libraries.

P frames, H W pixels, C colours, S samples, N spectrogram frames, M mel bins, F moments, D width.
"""

from collections.abc import Mapping, Sequence
from copy import deepcopy
from dataclasses import dataclass
from typing import Any, Final, Self

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from cavmae_sync.embedding.embedder import Embedder
from cavmae_sync.embedding.encoders.base import ClipEncoder, EncoderRecord, Sound
from cavmae_sync.embedding.rows import finite
from cavmae_sync.embedding.video import alignment_of
from cavmae_sync.errors import ConfigError
from cavmae_sync.inputs import InputConfig, cut_segments, log_mel, normalize_frames, resize_and_crop
from cavmae_sync.media import SamplingRule
from cavmae_sync.model import CAVMAESync, Modality
from cavmae_sync.paper import SAMPLE_RATE_HZ
from cavmae_sync.weights import weights_fingerprint

#: Kind of the encoders that this package trains.
OWN: Final = "cavmae-sync"


@dataclass(frozen=True, slots=True)
class OwnPreparation:
    """Frames resized and cropped, sounds as whole log-mel spectrograms."""

    inputs: InputConfig

    @property
    def sample_rate_hz(self) -> int:
        """16 kHz."""
        return SAMPLE_RATE_HZ

    def frames_per_moment(self, window_seconds: float) -> int:  # noqa: ARG002 (the contract)
        """One: a moment is a frame."""
        return 1

    def frame(self, frame_HWC: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """Frame of the size that the model takes."""
        return resize_and_crop(frame_HWC[None], pixels=self.inputs.frame_pixels)[0].numpy()

    def sound(self, waveform_S: NDArray[np.float32]) -> Tensor:
        """Log-mel spectrogram [N, M] of a clip."""
        return log_mel(waveform_S)


class OwnEncoder:
    """A model of this package.

    Args:
        embedder: The model and how it computes.
    """

    def __init__(self, embedder: Embedder) -> None:
        self.embedder = embedder

    def __reduce__(self) -> tuple[Any, ...]:
        """Parts to make it of in another process."""
        return _made, (self.embedder.model, self.embedder.settings)

    @property
    def preparation(self) -> OwnPreparation:
        """What happens where clips are decoded."""
        return OwnPreparation(self.embedder.model.config.inputs)

    @property
    def sampling(self) -> SamplingRule:
        """Centres of equal parts where segments are centred on frames, their starts otherwise."""
        is_centered = self.embedder.model.config.inputs.alignment == "centered"
        return "uniform_center" if is_centered else "uniform_start"

    @property
    def device(self) -> torch.device:
        """Where it computes."""
        return self.embedder.device

    @property
    def spaces(self) -> Mapping[Modality, str]:
        """One space for both senses."""
        return {"audio": "audio-visual", "visual": "audio-visual"}

    def record(self) -> EncoderRecord:
        """What it is, for libraries."""
        model = self.embedder.model
        return EncoderRecord(
            kind=OWN,
            width=model.config.width,
            weights=weights_fingerprint(model),
            made_with=self.embedder.made_with(),
        )

    def encode_sounds(self, sounds: Sequence[Sound]) -> Tensor:
        """Vectors of the segments around all moments; equal neighbours are encoded once."""
        inputs = self.embedder.model.config.inputs
        # Together to the device: many small transfers would each wait.
        moved = torch.cat([sound.values_NM for sound in sounds]).to(self.device)
        spectrograms = moved.split([len(sound.values_NM) for sound in sounds])
        segments_FLM = torch.cat(
            [
                cut_segments(
                    values_NM,
                    frame_seconds=sound.moment_seconds,
                    config=alignment_of(sound.duration_seconds, inputs),
                )
                for sound, values_NM in zip(sounds, spectrograms, strict=True)
            ]
        )
        return finite(self.embedder.embed_segments(segments_FLM), precision=self.embedder.precision)

    def encode_frames(self, frames_PHWC: Tensor, counts: Sequence[int]) -> Tensor:  # noqa: ARG002 (all one)
        """Vectors of frames; equal neighbours are encoded once."""
        # Normalised on the model's device: uint8 frames are a quarter of the bytes to move there.
        frames_PCHW = normalize_frames(frames_PHWC.to(self.device))
        return finite(self.embedder.embed_frames(frames_PCHW).visual_PD, precision=self.embedder.precision)

    def encode_text(self, text: str) -> Mapping[Modality, Tensor]:
        """Refuse: the model has seen no words.

        Raises:
            ConfigError: Always.
        """
        raise ConfigError(
            f"This model knows no words, so it cannot look for {text!r:.80}. Train a probe on labelled clips "
            "and ask for one of its classes: --class NAME --probe PROBE."
        )

    def moved(self, device: str) -> Self:
        """The same on another device; the model here stays where it is."""
        is_there = torch.device(device).type == self.device.type
        model = self.embedder.model if is_there else deepcopy(self.embedder.model)
        return type(self)(self.embedder.replace(model, device=device))


def _made(model: CAVMAESync, settings: dict[str, Any]) -> OwnEncoder:
    return OwnEncoder(Embedder(model, **settings))


def as_encoder(encoder: Embedder | ClipEncoder) -> ClipEncoder:
    """An encoder, of an embedder too."""
    return OwnEncoder(encoder) if isinstance(encoder, Embedder) else encoder
