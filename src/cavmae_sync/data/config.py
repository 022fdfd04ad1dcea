"""How videos are prepared."""

from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from cavmae_sync import paper
from cavmae_sync.config import Config
from cavmae_sync.data.flags import STILL_BELOW_LEVELS
from cavmae_sync.media import SamplingRule
from cavmae_sync.media.loudness import SILENT_BELOW_DBFS


class PrepareConfig(Config):
    """What a prepared dataset holds of each video. The dataset records it in full."""

    clip_seconds: Annotated[float, Field(gt=0)] = paper.CLIP_SECONDS
    """Length of a clip in seconds. A longer video becomes several clips."""
    hop_seconds: Annotated[float, Field(gt=0)] | None = None
    """From the start of one clip to the start of the next, in seconds; none = `clip_seconds`."""
    min_seconds: Annotated[float, Field(ge=0.05)] = 1.0
    """A video with less picture than this is rejected; a shorter rest of a long video is left out. At least
    0.05: one frame of a spectrogram takes 25 ms of sound, a shorter clip would have none."""
    max_clips_per_file: Annotated[int, Field(gt=0)] | None = None
    """Clips taken of one file, from its start; none = all. 1 gives the clips of the published datasets."""
    num_frames: Annotated[int, Field(gt=0)] = paper.NUM_FRAMES
    """Frames of a clip."""
    sampling: SamplingRule = "linspace_inclusive"
    """Which moments the frames show: "linspace_inclusive" has the first and the last (as the released
    checkpoint, spec 1.1), "uniform_left" the start of equal parts, "uniform_center" their middle."""
    frame_pixels: Annotated[int, Field(gt=0, multiple_of=paper.PATCH_SIZE)] = paper.FRAME_PIXELS
    """Side of a stored frame in pixels: the middle square, its side resized to this."""
    jpeg_quality: Annotated[int, Field(ge=1, le=95)] = 92
    """Quality of stored frames, 1 to 95. 92 is off by less than 2 grey levels in 15 to 20 kB."""
    channel: Literal["first", "mix"] = "first"
    """Channel of the sound: the first (as published), or the mean of all."""
    files_per_shard: Annotated[int, Field(gt=0)] | None = None
    """Files prepared together, the unit of parallel work, of progress and of resuming; none = a 64th of all,
    at least 1 and at most 1024."""
    shard_bytes: Annotated[int, Field(gt=0)] = 1_000_000_000
    """A shard that has grown to this many bytes is followed by another."""
    silent_below_dbfs: Annotated[float, Field(lt=0)] = SILENT_BELOW_DBFS
    """A clip is flagged silent when its sound is quieter (root mean square, decibels of full scale)."""
    still_below_levels: Annotated[float, Field(ge=0)] = STILL_BELOW_LEVELS
    """A clip is flagged still when no 16 x 16 patch changes by this many grey levels from frame to frame."""

    @model_validator(mode="after")
    def _check_lengths(self) -> Self:
        if self.min_seconds > self.clip_seconds:
            raise ValueError(
                f"min_seconds={self.min_seconds} is longer than clip_seconds={self.clip_seconds}: "
                "every clip would be too short. Lower min_seconds."
            )
        return self
