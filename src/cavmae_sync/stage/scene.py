"""Plan of a clip: which objects are on the stage, how they move and when they sound.

A scene is a value; it holds no frames and no sound. `audible_scene` gives the scene as its sound track has
it: most controls change a clip there. Positions are in units of the frame's side, (0, 0) the upper left
corner. Shape letters: T frames.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final

import numpy as np
from numpy.typing import NDArray

from cavmae_sync.choices import Split
from cavmae_sync.stage.config import StageConfig
from cavmae_sync.stage.pack import StageObject

#: Delay of the sound in the control `shifted_sound`, in seconds.
SOUND_SHIFT_SECONDS: Final = 1.5
_SPLIT_NUMBERS: Final[Mapping[Split, int]] = {"train": 0, "validation": 1, "test": 2}
_ANCHORS: Final = {
    1: ((0.5, 0.5),),
    2: ((0.3, 0.4), (0.7, 0.6)),
    3: ((0.26, 0.32), (0.74, 0.36), (0.5, 0.72)),
    4: ((0.27, 0.28), (0.73, 0.28), (0.27, 0.72), (0.73, 0.72)),
}


@dataclass(frozen=True, kw_only=True, slots=True)
class Trajectory:
    """A smooth motion: a straight line at constant speed, with a wave on each axis."""

    start: tuple[float, float]
    stop: tuple[float, float]
    swing: tuple[float, float]
    turns: tuple[float, float]
    phase: tuple[float, float]

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
class Actor:
    """An object in a scene: its trajectory (None when it is never seen) and its events (none when silent)."""

    thing: StageObject
    trajectory: Trajectory | None
    events: tuple[Event, ...]


@dataclass(frozen=True, kw_only=True, slots=True)
class Scene:
    """Plan of one clip. Actors are ordered from back to front; those never seen come last."""

    index: int
    actors: tuple[Actor, ...]
    backdrop_seed: int
    noise_seed: int

    @property
    def labels(self) -> tuple[str, ...]:
        """Classes that are both on the stage and heard, sorted."""
        return tuple(
            sorted({a.thing.class_name for a in self.actors if a.trajectory is not None and a.events})
        )


def plan_scene(index: int, *, config: StageConfig, cast: Mapping[str, Sequence[StageObject]]) -> Scene:
    """Plan clip number `index`. The control does not take part: it changes a clip that is otherwise the same.

    Args:
        index: Number of the clip, from 0.
        config: Choices that all clips share.
        cast: Objects that may appear, by class.
    """
    generator = np.random.default_rng([config.seed, _SPLIT_NUMBERS[config.split], index])
    num_visible = min(int(generator.integers(config.min_objects, config.max_objects + 1)), len(cast))
    has_hidden = bool(generator.random() < config.off_stage_fraction) and num_visible < len(cast)
    things = _choose(cast, num_visible + has_hidden, generator)
    anchors = generator.permutation(_ANCHORS[num_visible])
    actors = []
    for number, thing in enumerate(things):
        is_first, is_hidden = number == 0, number >= num_visible
        is_silent = not is_first and not is_hidden and bool(generator.random() < config.silent_fraction)
        crosses = not is_first and bool(generator.random() < config.crossing_fraction)
        trajectory = None if is_hidden else _trajectory(anchors[number], generator=generator, crosses=crosses)
        events = () if is_silent else _events(config.clip_seconds, 0.5 if is_hidden else 1.0, generator)
        actors.append(Actor(thing=thing, trajectory=trajectory, events=events))
    # Small objects stand in front, so that large ones do not hide them.
    actors.sort(key=lambda actor: (actor.trajectory is None, -actor.thing.size))
    backdrop_seed, noise_seed = (int(seed) for seed in generator.integers(2**31, size=2))
    return Scene(index=index, actors=tuple(actors), backdrop_seed=backdrop_seed, noise_seed=noise_seed)


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
        seen = tuple(replace(actor, events=()) for actor in scene.actors if actor.trajectory is not None)
        return replace(
            scene, actors=seen + tuple(replace(a, trajectory=None) for a in donor.actors if a.events)
        )
    return scene


def _choose(
    cast: Mapping[str, Sequence[StageObject]], count: int, generator: np.random.Generator
) -> list[StageObject]:
    names = generator.choice(sorted(cast), size=count, replace=False)
    return [cast[name][int(generator.integers(len(cast[name])))] for name in names]


def _trajectory(anchor: NDArray[np.float64], *, generator: np.random.Generator, crosses: bool) -> Trajectory:
    x, y = (float(value) for value in anchor + generator.uniform(-0.08, 0.08, 2))
    ends = (x, x)
    if crosses:
        ends = (-0.35, 1.35) if generator.random() < 0.5 else (1.35, -0.35)
    return Trajectory(
        start=(ends[0], y),
        stop=(ends[1], y),
        swing=_pair(generator.uniform(0.05, 0.13, 2)),
        turns=_pair(generator.uniform(0.6, 2.0, 2)),
        phase=_pair(generator.random(2)),
    )


def _pair(values: NDArray[np.float64]) -> tuple[float, float]:
    return float(values[0]), float(values[1])


def _events(clip_seconds: float, strength: float, generator: np.random.Generator) -> tuple[Event, ...]:
    events: list[Event] = []
    start = float(generator.uniform(0.1, min(1.8, clip_seconds / 3)))
    while start + 0.5 <= clip_seconds - 0.05:
        stop = min(start + float(generator.uniform(0.7, 2.4)), clip_seconds - 0.05)
        loudness = strength * float(generator.uniform(0.6, 1.0))
        seed = int(generator.integers(2**31))
        events.append(Event(start_seconds=start, stop_seconds=stop, loudness=loudness, seed=seed))
        start = stop + float(generator.uniform(0.4, 1.8))
    return tuple(events)


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
