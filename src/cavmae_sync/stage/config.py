"""Configuration of a stage: every choice that changes a generated clip, and nothing else."""

from typing import Final, Literal, Self

from pydantic import Field, model_validator

from cavmae_sync.choices import Split
from cavmae_sync.config import Config
from cavmae_sync.paper import CLIP_SECONDS, FRAME_PIXELS

Variant = Literal["bind", "no_pulse", "easy"]
ClassSet = Literal["known", "unknown"]
Control = Literal["none", "swapped_sound", "silent", "both_silent_moving", "flipped", "shifted_sound"]
#: Way in which a frame shows what sounds: by the pattern of the object's plate, by its size and brightness,
#: or not at all.
Pulse = Literal["plate", "loudness", "none"]

#: Version of the generator. Clips of different versions never mix in one folder, nor in one result.
STAGE_VERSION: Final = 2
#: Objects on the stage of `bind` and `no_pulse`.
NUM_TAKING_TURNS: Final = 4


class StageConfig(Config):
    """Choices that all clips of a stage share. A clip depends on this, on its number and on the pack only."""

    seed: int = Field(default=0, ge=0)
    """Another seed gives other clips of the same objects; the split of the objects does not depend on it."""
    split: Split = "train"
    """The objects that may appear. No object of one split appears in another, whatever the seeds."""
    variant: Variant = "bind"
    """`bind`: four objects sound in turn, equally loud, and the plate of the sounding one shows it.
    `no_pulse`: the same, but nothing shows it. `easy`: objects sound when they like, and grow and light up
    with their loudness."""
    classes: ClassSet = "known"
    """`unknown`: only classes that no stage of known classes shows, so that only synchrony helps. Not for
    training."""
    control: Control = "none"
    """Change made on purpose. The clip is otherwise the clip of the same number without control."""
    clip_seconds: float = Field(default=CLIP_SECONDS, ge=1.0, le=60.0)
    """Length of a clip in seconds."""
    frame_pixels: int = Field(default=FRAME_PIXELS, ge=32, le=1024, multiple_of=2)
    """Side of the square frame in pixels; even, because H.264 halves the colour planes."""
    frames_per_second: int = Field(default=12, ge=1, le=60)
    """Frames of a clip in each second."""
    min_objects: int = Field(default=1, ge=1, le=4)
    """Fewest objects on the stage, in `easy`; the other variants show four."""
    max_objects: int = Field(default=3, ge=1, le=4)
    """Most objects on the stage, in `easy`."""
    silent_fraction: float = Field(default=0.4, ge=0.0, le=1.0)
    """Share of the objects on the stage, the first one excepted, that make no sound, in `easy`."""
    crossing_fraction: float = Field(default=0.15, ge=0.0, le=1.0)
    """Share of the objects on the stage, the first one excepted, that enter on one side and leave on the
    other, in `easy`."""
    off_stage_fraction: float = Field(default=0.0, ge=0.0, le=1.0)
    """Share of the clips in which an object is heard that is never seen."""
    overlap_fraction: float = Field(default=0.0, ge=0.0, le=1.0)
    """Share of the turns in which a second object sounds too; not in `easy`, where sounds overlap anyway."""
    occlusion_fraction: float = Field(default=0.0, ge=0.0, le=1.0)
    """Share of the clips in which a wide post passes in front of all objects."""
    num_cuts: int = Field(default=0, ge=0, le=10)
    """Scene cuts in each clip: the background and the places of all objects change, the sound goes on."""
    music_level: float = Field(default=0.0, ge=0.0, le=1.0)
    """Loudness of music behind, in `bind` 1 is as loud as the objects; 0 is none."""
    noise_level: float = Field(default=0.0, ge=0.0, le=1.0)
    """Loudness of changing noise behind, on the same scale; 0 is none."""
    noise_decibels: float = Field(default=-48.0, ge=-90.0, le=-20.0)
    """Loudness of the steady background noise that every clip has, relative to full scale."""

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
        if self.classes == "unknown" and self.split == "train":
            raise ValueError(
                'classes="unknown" shows classes that training must not see, but split="train". '
                'Use split="validation" or split="test".'
            )
        return self

    @property
    def pulse(self) -> Pulse:
        """Way in which a frame shows what sounds."""
        if self.variant == "no_pulse" or self.control == "both_silent_moving":
            return "none"
        return "plate" if self.variant == "bind" else "loudness"

    @property
    def takes_turns(self) -> bool:
        """Whether four objects stand on plates and sound in turn: all variants but `easy`."""
        return self.variant != "easy"

    @property
    def num_frames(self) -> int:
        """Frames of one clip."""
        return round(self.clip_seconds * self.frames_per_second)

    def video_id(self, index: int) -> str:
        """Name of clip number `index`. A control keeps the name of the clip that it changes."""
        return f"{self.split}-{self.seed}-{index:06d}"
