"""Configuration of a library: which clips are cut, and how their vectors are stored."""

from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from cavmae_sync import paper
from cavmae_sync.config import Config
from cavmae_sync.data import PrepareConfig
from cavmae_sync.data.flags import STILL_BELOW_LEVELS
from cavmae_sync.media import SamplingRule
from cavmae_sync.media.loudness import SILENT_BELOW_DBFS


class LibraryConfig(Config):
    """Configuration of a library: which clips are cut, and how their vectors are stored."""

    clip_seconds: Annotated[float, Field(gt=0)] = paper.CLIP_SECONDS
    """Length of a clip in seconds. A longer video becomes several clips."""
    hop_seconds: Annotated[float, Field(gt=0)] | None = None
    """From the start of one clip to the start of the next, in seconds; none = `clip_seconds`."""
    min_seconds: Annotated[float, Field(ge=0.05)] = 1.0
    """A video with less picture than this is rejected; a shorter rest of a long video is left out."""
    max_clips_per_file: Annotated[int, Field(gt=0)] | None = None
    """Clips taken of one file, from its start; none = all."""
    num_frames: Annotated[int, Field(gt=0)] = paper.NUM_FRAMES
    """Frames of a clip, each with the sound around it: vectors per clip and sense."""
    sampling: SamplingRule = "linspace_inclusive"
    """Which moments the frames show; see `sample_times`."""
    channel: Literal["first", "mix"] = "first"
    """Channel of the sound: the first (as published), or the mean of all."""
    files_per_unit: Annotated[int, Field(gt=0)] | None = None
    """Files embedded together, the unit of parallel work and of resuming, one Parquet file each; none = a
    64th of all, at least 1 and at most 1024."""
    frames_per_piece: Annotated[int, Field(gt=0)] = 64
    """Frames decoded and encoded at once, whole clips and one clip at least: bounds memory."""
    store: Literal["float32", "float16"] = "float32"
    """Numbers as they are stored. float16 takes half the room; a cosine is off by 0.00001, 0.0001 at most."""
    silent_below_dbfs: Annotated[float, Field(lt=0)] = SILENT_BELOW_DBFS
    """A clip is flagged silent when its sound is quieter (root mean square, decibels of full scale)."""
    still_below_levels: Annotated[float, Field(ge=0)] = STILL_BELOW_LEVELS
    """A clip is flagged still when no 16 x 16 patch changes by this many grey levels from frame to frame."""

    @model_validator(mode="after")
    def _check_lengths(self) -> Self:
        self.clips()
        return self

    def clips(self) -> PrepareConfig:
        """Configuration of `prepare` that cuts the same clips, with the same ids and times."""
        names = ("clip_seconds", "hop_seconds", "min_seconds", "max_clips_per_file", "num_frames")
        shared = (*names, "sampling", "channel", "silent_below_dbfs", "still_below_levels")
        return PrepareConfig(**{name: getattr(self, name) for name in shared})
