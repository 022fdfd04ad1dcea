"""Configuration of a library: which clips are cut, and how their vectors are stored."""

from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from cavmae_sync import paper
from cavmae_sync.config import Config
from cavmae_sync.data.flags import STILL_BELOW_LEVELS
from cavmae_sync.errors import ConfigError
from cavmae_sync.media import SamplingRule
from cavmae_sync.media.loudness import SILENT_BELOW_DBFS

#: Rules whose frames are equally far apart over the whole of a file.
STEADY_RULES: tuple[SamplingRule, ...] = ("uniform_center", "uniform_start")


class LibraryConfig(Config):
    """Configuration of a library: which clips are cut, and how their vectors are stored."""

    clip_seconds: Annotated[float, Field(gt=0)] = paper.CLIP_SECONDS
    """Length of a clip in seconds. A longer video becomes several clips."""
    hop_seconds: Annotated[float, Field(gt=0)] | None = None
    """From the start of one clip to the start of the next, in seconds; none = `clip_seconds`."""
    min_seconds: Annotated[float, Field(ge=0.05)] = 0.5
    """A file with less than this is rejected; a shorter rest of a long one is left out."""
    max_clips_per_file: Annotated[int, Field(gt=0)] | None = None
    """Clips taken of one file, from its start; none = all."""
    num_frames: Annotated[int, Field(gt=0)] = paper.NUM_FRAMES
    """Frames of a clip, each with the sound around it: vectors per clip and sense."""
    sampling: SamplingRule | None = None
    """Which moments the frames show; see `sample_times`. none = by the model's inputs: "uniform_center" where
    segments are centred on times, "uniform_start" otherwise. With these two all moments of a file are equally
    far apart, and a clip at its end that is shorter has fewer."""
    channel: Literal["first", "mix"] = "first"
    """Channel of the sound: the first (as published), or the mean of all."""
    frames_per_piece: Annotated[int, Field(gt=0)] = 64
    """Frames decoded and encoded at once, whole clips and one clip at least: bounds memory."""
    store: Literal["float32", "float16"] = "float16"
    """Numbers as they are stored. float16 takes half the room; a cosine is off by 0.00001, 0.0001 at most."""
    silent_below_dbfs: Annotated[float, Field(lt=0)] = SILENT_BELOW_DBFS
    """A clip is flagged silent when its sound is quieter (root mean square, decibels of full scale)."""
    still_below_levels: Annotated[float, Field(ge=0)] = STILL_BELOW_LEVELS
    """A clip is flagged still when no 16 x 16 patch changes by this many grey levels from frame to frame."""

    @model_validator(mode="after")
    def _check_lengths(self) -> Self:
        if self.min_seconds > self.clip_seconds:
            raise ConfigError(
                f"min_seconds={self.min_seconds:g} is more than clip_seconds={self.clip_seconds:g}: no clip "
                "would be taken."
            )
        return self

    def with_rule(self, rule: SamplingRule) -> Self:
        """The same with a rule for the moments, where none was chosen."""
        return self if self.sampling is not None else self.model_copy(update={"sampling": rule})

    @property
    def rule(self) -> SamplingRule:
        """Rule for the moments.

        Raises:
            ValueError: It was not decided yet; see `with_rule`.
        """
        if self.sampling is None:
            raise ValueError("The rule for moments depends on the model: call with_rule first.")
        return self.sampling

    @property
    def step_seconds(self) -> float:
        """Time from one moment to the next; with one moment a clip, from one clip to the next."""
        if self.num_frames == 1 and self.hop_seconds is not None:
            return self.hop_seconds
        return self.window_seconds

    @property
    def window_seconds(self) -> float:
        """Length of the part of a clip that a moment stands for."""
        return self.clip_seconds / self.num_frames
