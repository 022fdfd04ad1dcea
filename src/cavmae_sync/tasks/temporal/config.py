"""Configurations of temporal segmentation: of one video, and of its evaluation."""

from typing import Annotated, Literal, get_args

from pydantic import Field

from cavmae_sync.choices import Modalities
from cavmae_sync.config import Config
from cavmae_sync.paper import CLIP_SECONDS, MAX_STATES, NUM_FRAMES
from cavmae_sync.tasks.temporal.changes import LEAST_DISTANCE

#: Which frames are compared with each other: all of the file, or only those of a clip, as published.
Scope = Literal["file", "clip"]


class SegmentingConfig(Config):
    """Configuration of dividing one video."""

    modalities: Annotated[tuple[Modalities, ...], Field(min_length=1)] = get_args(Modalities)
    """Modalities whose vectors are clustered, each by itself."""
    scope: Scope = "file"
    """"file" compares all frames, so that a state that comes back has its letter again; "clip" divides every
    clip of 10 s by itself, as published, and no letter appears in two clips."""
    max_states: Annotated[int, Field(ge=2)] = MAX_STATES
    """Most states, of the file or of each clip."""
    least_distance: Annotated[float, Field(ge=0, le=1)] = LEAST_DISTANCE
    """Frames nearer than this cosine distance are one state; 0 is the published rule alone, which always
    finds two."""
    min_seconds: Annotated[float, Field(ge=0)] = 0.0
    """Shorter spans are given to their neighbours; 0 keeps all, as published."""
    clip_seconds: Annotated[float, Field(gt=0)] = CLIP_SECONDS
    """Length of the clips that are decoded and embedded."""
    num_frames: Annotated[int, Field(gt=0)] = NUM_FRAMES
    """Frames of a clip."""
    seed: int = 0
    """Seed of k-means and of the surrogates."""


class TemporalTask(Config):
    """Configuration of one evaluation: the states to find, and the vectors to find them in."""

    modality: Modalities = "both"
    """Modality whose vectors are clustered."""
    truth: Modalities | None = None
    """Which states should be found: of the objects that sound (audio), that are visible, or both; none takes
    those of the modality."""
    max_states: Annotated[int, Field(ge=2)] = MAX_STATES
    """Most states of a clip."""
    num_bootstrap: Annotated[int, Field(ge=0)] = 1000
    """Resamples of the clips behind the 95 % intervals; 0 gives none."""
    seed: int = 0
    """Seed of k-means and of the resamples."""

    @property
    def states_of(self) -> Modalities:
        """Modality whose states should be found."""
        return self.truth or self.modality
