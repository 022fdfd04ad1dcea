"""Configuration of the model's inputs: sizes of frames and segments, their alignment and normalisation."""

from typing import Annotated, Literal

from pydantic import BeforeValidator, Field

from cavmae_sync import paper
from cavmae_sync.config import Config

AlignLength = Literal["padded", "valid"]

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
    align_length: AlignLength = "padded"
    """Length over which frames are spread: "padded" = always 1024 spectrogram frames, as published;
    "valid" = the spectrogram frames the clip really has (right for clips shorter than 10 s)."""
    spectrogram_mean: float = paper.SPECTROGRAM_MEAN
    """Mean of log-mel values, subtracted."""
    spectrogram_std: Annotated[float, Field(gt=0)] = paper.SPECTROGRAM_STD
    """Standard deviation of log-mel values, divided by."""
