"""Turns of objects that sound one after another, without gaps."""

from typing import Final

import numpy as np

from cavmae_sync.stage.scene import Event

#: Shortest and longest turn.
TURN_SECONDS: Final = (0.5, 0.9)
_SEEDS: Final = 2**31


def plan_turns(
    num_objects: int, *, clip_seconds: float, overlap_fraction: float, generator: np.random.Generator
) -> list[tuple[Event, ...]]:
    """Events of each object: at every moment one of them sounds.

    In each round every object has one turn, in a random order, and none has two turns in sequence. The first
    turn began before the clip and the last one ends after it, so the ends of a clip are like its middle.

    Args:
        num_objects: Number of objects, at least two.
        clip_seconds: Length of the clip.
        overlap_fraction: Share of the turns in which a second object sounds too, both softer by 3 dB.
        generator: Source of random numbers.
    """
    events: list[list[Event]] = [[] for _ in range(num_objects)]
    start, last = -float(generator.uniform(0.0, TURN_SECONDS[0])), -1
    while start < clip_seconds:
        order = [int(number) for number in generator.permutation(num_objects)]
        if order[0] == last:
            order.append(order.pop(0))
        last = order[-1]
        for number in order:
            stop = start + float(generator.uniform(*TURN_SECONDS))
            other = (number + int(generator.integers(1, num_objects))) % num_objects
            has_other = bool(generator.random() < overlap_fraction)
            if start < clip_seconds and stop > 0:
                loudness = 0.5**0.5 if has_other else 1.0
                seeds = [int(seed) for seed in generator.integers(_SEEDS, size=2)]
                for heard, seed in list(zip((number, other), seeds, strict=True))[: 1 + has_other]:
                    events[heard].append(_event(start, stop, clip_seconds, loudness, seed))
            start = stop
    return [tuple(own) for own in events]


def _event(start: float, stop: float, clip_seconds: float, loudness: float, seed: int) -> Event:
    return Event(
        start_seconds=max(start, 0.0), stop_seconds=min(stop, clip_seconds), loudness=loudness, seed=seed
    )
