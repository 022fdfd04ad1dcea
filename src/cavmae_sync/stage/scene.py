"""Plan of a clip: which objects are on the stage, how they move and when they sound.

A scene is a value; it holds no frames and no sound. `audible_scene` gives the scene as its sound track has
it: most controls change a clip there. Positions are in units of the frame's side, (0, 0) the upper left
corner. Shape letters: T frames.
"""

import hashlib
import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from typing import Final

import numpy as np
from numpy.typing import NDArray

from cavmae_sync.stage.config import StageConfig
from cavmae_sync.stage.pack import StageObject

#: Delay of the sound in the control `shifted_sound`, in seconds.
SOUND_SHIFT_SECONDS: Final = 1.5


@dataclass(frozen=True, kw_only=True, slots=True)
class Trajectory:
    """A smooth motion: a straight line at constant speed, with a wave on each axis."""

    start: tuple[float, float]
    stop: tuple[float, float]
    swing: tuple[float, float] = (0.0, 0.0)
    turns: tuple[float, float] = (0.0, 0.0)
    phase: tuple[float, float] = (0.0, 0.0)

    def centers(self, progress_T: NDArray[np.float64]) -> NDArray[np.float64]:
        """Centres at moments of the clip, in [0, 1]: (T, 2) float64, x and y."""
        line = np.asarray(self.start) + np.outer(progress_T, np.subtract(self.stop, self.start))
        angle = 2 * np.pi * (np.outer(progress_T, self.turns) + self.phase)
        return line + np.asarray(self.swing) * np.sin(angle)


@dataclass(frozen=True, kw_only=True, slots=True)
class Event:
    """A span of time in which an object sounds. `loudness` is in (0, 1]; `seed` fixes the random sound."""

    start_seconds: float
    stop_seconds: float
    loudness: float
    seed: int


@dataclass(frozen=True, kw_only=True, slots=True)
class Rhythm:
    """Motion of a plate's pattern: place in its cycle at the start, in [0, 1), and the seed of its steps.

    Each object has its own, whatever it is and whatever sounds.
    """

    phase: float
    seed: int


@dataclass(frozen=True, kw_only=True, slots=True)
class Actor:
    """An object in a scene.

    Attributes:
        thing: The object.
        trajectories: One for each shot of the scene; none when it is never seen.
        events: When it sounds; none when it is silent.
        rhythm: Motion of its plate's pattern, where objects have plates.
    """

    thing: StageObject
    trajectories: tuple[Trajectory, ...]
    events: tuple[Event, ...]
    rhythm: Rhythm | None = None

    @property
    def is_seen(self) -> bool:
        """Whether it is part of the picture."""
        return bool(self.trajectories)


@dataclass(frozen=True, kw_only=True, slots=True)
class Shot:
    """A part of a clip between two cuts, with a background of its own."""

    start_seconds: float
    backdrop_seed: int


@dataclass(frozen=True, kw_only=True, slots=True)
class Post:
    """A wide post that passes in front of everything: its way, its width and the seed of its look."""

    trajectory: Trajectory
    width: float
    seed: int


@dataclass(frozen=True, kw_only=True, slots=True)
class Scene:
    """Plan of one clip. Actors are ordered from back to front; those never seen come last.

    Attributes:
        index: Number of the clip.
        actors: Objects that are seen or heard.
        shots: At least one, in order of time.
        post: What passes in front, if anything does.
        noise_seed: Seed of all that is heard behind.
    """

    index: int
    actors: tuple[Actor, ...]
    shots: tuple[Shot, ...]
    post: Post | None
    noise_seed: int

    @property
    def labels(self) -> tuple[str, ...]:
        """Classes that are both on the stage and heard, sorted."""
        return tuple(sorted({a.thing.class_name for a in self.actors if a.is_seen and a.events}))

    def fingerprint(self) -> str:
        """SHA-256 of the plan, in hexadecimal. It is the same on all machines."""
        return hashlib.sha256(json.dumps(asdict(self), sort_keys=True).encode()).hexdigest()


def audible_scene(scene: Scene, *, config: StageConfig, donor: Scene | None = None) -> Scene:
    """Scene as its sound track has it, after the controls that change the sound.

    Args:
        scene: The plan of the clip.
        config: Its `control` decides.
        donor: Another scene, whose sound replaces this one's under `swapped_sound`.
    """
    if config.control in {"silent", "both_silent_moving"}:
        return replace(scene, actors=tuple(replace(actor, events=()) for actor in scene.actors))
    if config.control == "shifted_sound":
        actors = tuple(replace(a, events=_shifted(a.events, config.clip_seconds)) for a in scene.actors)
        return replace(scene, actors=actors)
    if config.control == "swapped_sound":
        if donor is None:
            raise ValueError("control swapped_sound needs a donor scene, got None")
        seen = tuple(replace(actor, events=()) for actor in scene.actors if actor.is_seen)
        return replace(
            scene, actors=seen + tuple(replace(a, trajectories=()) for a in donor.actors if a.events)
        )
    return scene


def _shifted(events: Sequence[Event], clip_seconds: float) -> tuple[Event, ...]:
    moved = (
        replace(
            event,
            start_seconds=event.start_seconds + SOUND_SHIFT_SECONDS,
            stop_seconds=min(event.stop_seconds + SOUND_SHIFT_SECONDS, clip_seconds),
        )
        for event in events
    )
    return tuple(event for event in moved if event.start_seconds < clip_seconds)
