"""Configuration of a stage: every choice that changes a generated clip, and nothing else."""

from typing import Literal, Self

from pydantic import Field, model_validator

from cavmae_sync.choices import Split
from cavmae_sync.config import Config
from cavmae_sync.paper import CLIP_SECONDS, FRAME_PIXELS

Variant = Literal["standard", "no_pulse", "unknown_classes"]
Control = Literal["none", "swapped_sound", "silent", "both_silent_moving", "flipped", "shifted_sound"]
Pulse = Literal["loudness", "none"]


class StageConfig(Config):
    """Choices that all clips of a stage share. A clip depends on this, on its number and on the pack only."""

    seed: int = Field(default=0, ge=0)
    """Another seed gives other clips of the same objects; the split of the objects does not depend on it."""
    split: Split = "train"
    """The objects that may appear. No object of one split appears in another, whatever the seeds."""
    variant: Variant = "standard"
    """`standard`: objects pulse with their own loudness. `no_pulse`: they do not, so only knowledge of how
    classes sound helps. `unknown_classes`: classes that no other variant or split shows, so only synchrony
    helps."""
    control: Control = "none"
    """Change made on purpose. The clip is otherwise the clip of the same number without control."""
    clip_seconds: float = Field(default=CLIP_SECONDS, ge=1.0, le=60.0)
    """Length of a clip in seconds."""
    frame_pixels: int = Field(default=FRAME_PIXELS, ge=32, le=1024, multiple_of=2)
    """Side of the square frame in pixels; even, because H.264 halves the colour planes."""
    frames_per_second: int = Field(default=12, ge=1, le=60)
    """Frames of a clip in each second."""
    min_objects: int = Field(default=1, ge=1, le=4)
    """Fewest objects on the stage."""
    max_objects: int = Field(default=3, ge=1, le=4)
    """Most objects on the stage."""
    silent_fraction: float = Field(default=0.4, ge=0.0, le=1.0)
    """Share of the objects on the stage, the first one excepted, that make no sound."""
    off_stage_fraction: float = Field(default=0.2, ge=0.0, le=1.0)
    """Share of the clips in which an object is heard that is never seen."""
    crossing_fraction: float = Field(default=0.15, ge=0.0, le=1.0)
    """Share of the objects on the stage, the first one excepted, that enter on one side and leave on the
    other."""
    noise_decibels: float = Field(default=-48.0, ge=-90.0, le=-20.0)
    """Loudness of the background noise, relative to full scale."""

    @model_validator(mode="after")
    def _check_relations(self) -> Self:
        if self.min_objects > self.max_objects:
            raise ValueError(
                f"min_objects={self.min_objects} is more than max_objects={self.max_objects}. "
                "Raise max_objects."
            )
        if abs(self.clip_seconds * self.frames_per_second - self.num_frames) > 1e-6:
            raise ValueError(
                f"clip_seconds={self.clip_seconds} at frames_per_second={self.frames_per_second} is no whole "
                "number of frames. Change one of them."
            )
        if self.variant == "unknown_classes" and self.split == "train":
            raise ValueError(
                'variant="unknown_classes" shows classes that training must not see, but split="train". '
                'Use split="validation" or split="test".'
            )
        return self

    @property
    def pulse(self) -> Pulse:
        """Kind of pulse: `loudness` when objects pulse with their own loudness."""
        if self.variant == "no_pulse" or self.control == "both_silent_moving":
            return "none"
        return "loudness"

    @property
    def num_frames(self) -> int:
        """Frames of one clip."""
        return round(self.clip_seconds * self.frames_per_second)

    def video_id(self, index: int) -> str:
        """Name of clip number `index`. A control keeps the name of the clip that it changes."""
        return f"{self.split}-{self.seed}-{index:06d}"
