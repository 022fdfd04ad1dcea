"""Planner of clips: from a number to a scene. All that is random in a clip is drawn or seeded here."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Final

import numpy as np
from numpy.typing import NDArray

from cavmae_sync.choices import Split
from cavmae_sync.stage.casting import Cast, choose_outsider, choose_quartet
from cavmae_sync.stage.config import NUM_TAKING_TURNS, StageConfig
from cavmae_sync.stage.pack import StageObject
from cavmae_sync.stage.scene import Actor, Event, Post, Rhythm, Scene, Shot, Trajectory
from cavmae_sync.stage.turns import plan_turns

_SPLIT_NUMBERS: Final[Mapping[Split, int]] = {"train": 0, "validation": 1, "test": 2}
_ANCHORS: Final = {
    1: ((0.5, 0.5),),
    2: ((0.3, 0.4), (0.7, 0.6)),
    3: ((0.26, 0.32), (0.74, 0.36), (0.5, 0.72)),
    4: ((0.26, 0.26), (0.74, 0.26), (0.26, 0.74), (0.74, 0.74)),
}
_SEEDS: Final = 2**31


def plan_scene(index: int, *, config: StageConfig, cast: Cast) -> Scene:
    """Plan clip number `index`. The control does not take part: it changes a clip that is otherwise the same.

    Args:
        index: Number of the clip, from 0.
        config: Choices that all clips share.
        cast: Objects that may appear, by class.

    Raises:
        DatasetError: The cast is too small for the configuration.
    """
    generator = np.random.default_rng([config.seed, _SPLIT_NUMBERS[config.split], index])
    actors = (_taking_turns if config.takes_turns else _at_will)(config, cast, generator)
    backdrop_seed, noise_seed = (int(seed) for seed in generator.integers(_SEEDS, size=2))
    # Options draw from generators of their own, so that they do not change the rest of the clip.
    return Scene(
        index=index,
        actors=_after_cuts(actors, config.num_cuts, np.random.default_rng([backdrop_seed, 3])),
        shots=_shots(config, backdrop_seed, np.random.default_rng([backdrop_seed, 1])),
        post=_post(config, np.random.default_rng([backdrop_seed, 2])),
        noise_seed=noise_seed,
    )


def _taking_turns(config: StageConfig, cast: Cast, generator: np.random.Generator) -> list[Actor]:
    things = choose_quartet(cast, generator)
    has_outsider = bool(generator.random() < config.off_stage_fraction)
    if has_outsider:
        things.append(choose_outsider(cast, things, generator))
    events = plan_turns(
        len(things),
        clip_seconds=config.clip_seconds,
        overlap_fraction=config.overlap_fraction,
        generator=generator,
    )
    anchors_K2 = generator.permutation(_ANCHORS[NUM_TAKING_TURNS])
    actors = []
    for number, thing in enumerate(things):
        ways = (_small_swing(anchors_K2[number], generator),) if number < NUM_TAKING_TURNS else ()
        rhythm = Rhythm(phase=float(generator.random()), seed=int(generator.integers(_SEEDS)))
        actors.append(Actor(thing=thing, trajectories=ways, events=events[number], rhythm=rhythm))
    # The order of the objects is that of the quartet; who stands in front must not depend on the class.
    front = generator.permutation(NUM_TAKING_TURNS)
    return [actors[number] for number in front] + actors[NUM_TAKING_TURNS:]


def _at_will(config: StageConfig, cast: Cast, generator: np.random.Generator) -> list[Actor]:
    num_visible = min(int(generator.integers(config.min_objects, config.max_objects + 1)), len(cast))
    has_hidden = bool(generator.random() < config.off_stage_fraction) and num_visible < len(cast)
    things = _choose(cast, num_visible + has_hidden, generator)
    anchors_K2 = generator.permutation(_ANCHORS[num_visible])
    actors = []
    for number, thing in enumerate(things):
        is_first, is_hidden = number == 0, number >= num_visible
        is_silent = not is_first and not is_hidden and bool(generator.random() < config.silent_fraction)
        crosses = not is_first and bool(generator.random() < config.crossing_fraction)
        ways = () if is_hidden else (_large_swing(anchors_K2[number], generator, crosses=crosses),)
        events = () if is_silent else _events(config.clip_seconds, 0.5 if is_hidden else 1.0, generator)
        actors.append(Actor(thing=thing, trajectories=ways, events=events))
    # Small objects stand in front, so that large ones do not hide them.
    return sorted(actors, key=lambda actor: (not actor.is_seen, -actor.thing.size))


def _after_cuts(actors: Sequence[Actor], num_cuts: int, generator: np.random.Generator) -> tuple[Actor, ...]:
    """Actors with a trajectory for each shot: a cut deals the trajectories to the actors anew."""
    num_seen = sum(actor.is_seen for actor in actors)
    shots = [[actor.trajectories[0] for actor in actors[:num_seen]]]
    for _ in range(num_cuts):
        shots.append([shots[-1][number] for number in generator.permutation(num_seen)])
    ways = list(zip(*shots, strict=True)) + [()] * (len(actors) - num_seen)
    return tuple(replace(actor, trajectories=own) for actor, own in zip(actors, ways, strict=True))


def _choose(cast: Cast, count: int, generator: np.random.Generator) -> list[StageObject]:
    names = generator.choice(sorted(cast), size=count, replace=False)
    return [cast[name][int(generator.integers(len(cast[name])))] for name in names]


def _small_swing(anchor: NDArray[np.float64], generator: np.random.Generator) -> Trajectory:
    x, y = (float(value) for value in anchor + generator.uniform(-0.02, 0.02, 2))
    return Trajectory(
        start=(x, y),
        stop=(x, y),
        swing=_pair(generator.uniform(0.015, 0.045, 2)),
        turns=_pair(generator.uniform(1.0, 4.0, 2)),
        phase=_pair(generator.random(2)),
    )


def _large_swing(anchor: NDArray[np.float64], generator: np.random.Generator, *, crosses: bool) -> Trajectory:
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
        seed = int(generator.integers(_SEEDS))
        events.append(Event(start_seconds=start, stop_seconds=stop, loudness=loudness, seed=seed))
        start = stop + float(generator.uniform(0.4, 1.8))
    return tuple(events)


def _shots(config: StageConfig, first_seed: int, generator: np.random.Generator) -> tuple[Shot, ...]:
    cuts = np.sort(generator.uniform(0.0, config.clip_seconds, config.num_cuts))
    later = (Shot(start_seconds=float(cut), backdrop_seed=int(generator.integers(_SEEDS))) for cut in cuts)
    return (Shot(start_seconds=0.0, backdrop_seed=first_seed), *later)


def _post(config: StageConfig, generator: np.random.Generator) -> Post | None:
    if generator.random() >= config.occlusion_fraction:
        return None
    width = float(generator.uniform(0.3, 0.45))
    # Far enough outside at both ends that it is in the picture for about two thirds of the clip.
    ends = (-0.3, 1.3) if generator.random() < 0.5 else (1.3, -0.3)
    return Post(
        trajectory=Trajectory(start=(ends[0], 0.5), stop=(ends[1], 0.5)),
        width=width,
        seed=int(generator.integers(_SEEDS)),
    )
