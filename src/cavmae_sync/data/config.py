"""Configuration of the preparation of videos."""

from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from cavmae_sync import paper
from cavmae_sync.config import Config
from cavmae_sync.data.flags import STILL_BELOW_LEVELS
from cavmae_sync.media import SamplingRule
from cavmae_sync.media.loudness import SILENT_BELOW_DBFS


class PrepareConfig(Config):
    """Options for cutting and storing clips. The dataset records the whole configuration."""

    clip_seconds: Annotated[float, Field(gt=0)] = paper.CLIP_SECONDS
    """Length of a clip in seconds. A longer video becomes several clips."""
    hop_seconds: Annotated[float, Field(gt=0)] | None = None
    """Seconds from the start of one clip to the start of the next; none = `clip_seconds`."""
    min_seconds: Annotated[float, Field(ge=0.05)] = 1.0
    """Shortest clip, in seconds. A shorter video is rejected; a shorter rest of a long video is left out. At
    least 0.05: one spectrogram frame takes 25 ms of sound, a shorter clip could have none."""
    max_clips_per_file: Annotated[int, Field(gt=0)] | None = None
    """Clips taken from one file, from its start; none = all. 1 gives the clips of the published datasets."""
    num_frames: Annotated[int, Field(gt=0)] = paper.NUM_FRAMES
    """Number of frames of a clip."""
    sampling: SamplingRule = "linspace_inclusive"
    """Times of the frames: "linspace_inclusive" = evenly from the first to the last frame (as for the
    released checkpoint), "uniform_left" = the start of equal parts, "uniform_center" = their middle."""
    frame_pixels: Annotated[int, Field(gt=0, multiple_of=paper.PATCH_SIZE)] = paper.FRAME_PIXELS
    """Side of a stored frame in pixels. A frame is cropped to its central square and resized."""
    jpeg_quality: Annotated[int, Field(ge=1, le=95)] = 92
    """JPEG quality of stored frames, 1 to 95. 92 has an error below 2 grey levels in 15 to 20 kB."""
    channel: Literal["first", "mix"] = "first"
    """Channel of the sound: the first (as published), or the mean of all."""
    files_per_shard: Annotated[int, Field(gt=0)] | None = None
    """Number of files that are prepared together: the unit of parallel work and of resuming; none = a 64th of
    all, at least 1 and at most 1024."""
    shard_bytes: Annotated[int, Field(gt=0)] = 1_000_000_000
    """Size in bytes at which a new shard is begun."""
    silent_below_dbfs: Annotated[float, Field(lt=0)] = SILENT_BELOW_DBFS
    """Level below which a clip is flagged silent: root mean square, in decibels of full scale."""
    still_below_levels: Annotated[float, Field(ge=0)] = STILL_BELOW_LEVELS
    """Change below which a clip is flagged still: mean grey levels between frames in any 16 x 16 patch."""

    @model_validator(mode="after")
    def _check_lengths(self) -> Self:
        if self.min_seconds > self.clip_seconds:
            raise ValueError(
                f"min_seconds={self.min_seconds} is longer than clip_seconds={self.clip_seconds}: "
                "every clip would be too short. Lower min_seconds."
            )
        return self
