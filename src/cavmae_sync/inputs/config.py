"""Configuration of the model's inputs: sizes of frames and segments, their alignment and normalisation."""

from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field, model_validator

from cavmae_sync import paper
from cavmae_sync.config import Config

Alignment = Literal["padded", "valid", "centered"]

# Bounds, because these numbers come from headers of weights files too. Positions are computed, so no tensor
# of such a file shows the sizes, and a bad header could ask for gigabytes. 163 s; 9 times the published side.
_MOST_SPECTROGRAM_FRAMES = 16384
_MOST_PIXELS = 2048


def _published_length(value: object) -> object:
    return paper.SEGMENT_LENGTHS.get(value, value) if isinstance(value, str) else value


class InputConfig(Config):
    """Sizes, alignment and normalisation of the model's inputs."""

    frame_pixels: Annotated[int, Field(gt=0, le=_MOST_PIXELS, multiple_of=paper.PATCH_SIZE)] = (
        paper.FRAME_PIXELS
    )
    """Side of a frame in pixels, a multiple of 16."""
    segment_length: Annotated[
        int,
        BeforeValidator(_published_length),
        Field(gt=0, le=_MOST_SPECTROGRAM_FRAMES, multiple_of=paper.PATCH_SIZE),
    ] = paper.SEGMENT_LENGTH
    """Spectrogram frames (10 ms) of a segment, a multiple of 16; or a published name: "1s" (96), "2s" (192),
    "3s" (304), "4s" (416, the published model), "5s" (512), "6s" (624), "7s" (720), "8s" (816), "9s" (912),
    "10s" (1024)."""
    alignment: Alignment = "padded"
    """How a segment is laid around its frame. "centered" = in its middle is the time of the frame; what lies
    outside of the clip is silence (our own recipes). "padded" = frames are spread over 1024 spectrogram
    frames, whatever their times, and segments are moved inwards at the ends (published). "valid" = the same
    over the spectrogram frames that the clip really has."""
    spectrogram_mean: float = paper.SPECTROGRAM_MEAN
    """Mean of log-mel values, subtracted."""
    spectrogram_std: Annotated[float, Field(gt=0)] = paper.SPECTROGRAM_STD
    """Standard deviation of log-mel values, divided by."""

    @model_validator(mode="before")
    @classmethod
    def _read_old_name(cls, fields: Any) -> Any:
        """Fields with today's name of `align_length`: files of version 0.1 have the old one."""
        if not isinstance(fields, dict) or "align_length" not in fields or "alignment" in fields:
            return fields
        return {("alignment" if name == "align_length" else name): value for name, value in fields.items()}
