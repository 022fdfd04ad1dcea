"""Model input of a clip: its frames and the segments of sound around them.

Shapes: T frames per clip, C colours, H W pixels, L spectrogram frames per segment, M mel bins.
"""

from dataclasses import dataclass

from torch import Tensor

from cavmae_sync import paper
from cavmae_sync.inputs.alignment import cut_segments
from cavmae_sync.inputs.config import InputConfig
from cavmae_sync.inputs.frames import normalize_frames, resize_and_crop
from cavmae_sync.inputs.spectrogram import log_mel
from cavmae_sync.media import Clip


@dataclass(frozen=True, kw_only=True, slots=True)
class ModelInput:
    """Frames of a clip and the segment of sound around each, normalised.

    Attributes:
        frames_TCHW: float32 [T, 3, H, W].
        segments_TLM: float32 [T, L, 128]; segment i belongs to frame i.
    """

    frames_TCHW: Tensor
    segments_TLM: Tensor

    def __post_init__(self) -> None:
        """Check that the shapes belong together."""
        if self.frames_TCHW.ndim != 4 or self.segments_TLM.ndim != 3:
            raise ValueError(
                "A model input needs frames [T, C, H, W] and segments [T, L, M], but got "
                f"{tuple(self.frames_TCHW.shape)} and {tuple(self.segments_TLM.shape)}."
            )
        if len(self.frames_TCHW) != len(self.segments_TLM):
            raise ValueError(
                f"Each frame needs one segment, but got {len(self.frames_TCHW)} frames and "
                f"{len(self.segments_TLM)} segments."
            )


def model_input(clip: Clip, config: InputConfig) -> ModelInput:
    """Make the model input of a clip.

    Args:
        clip: A decoded clip with sound at 16 kHz.
        config: Sizes, alignment and normalisation.

    Raises:
        ValueError: The sound has another sample rate, or lasts less than 25 ms.
    """
    if clip.sample_rate_hz != paper.SAMPLE_RATE_HZ:
        raise ValueError(
            f"The model needs sound at {paper.SAMPLE_RATE_HZ} Hz, but the clip has {clip.sample_rate_hz} Hz. "
            "Read it with cavmae_sync.media.read_clip, which resamples."
        )
    frames_THWC = resize_and_crop(clip.frames_THWC, pixels=config.frame_pixels)
    return ModelInput(
        frames_TCHW=normalize_frames(frames_THWC),
        segments_TLM=cut_segments(
            log_mel(clip.waveform_S), frame_seconds=clip.frame_seconds_T, config=config
        ),
    )
