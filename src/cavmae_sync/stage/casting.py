"""Choice of the objects of a clip."""

import hashlib
from collections.abc import Mapping, Sequence
from typing import Final

import numpy as np

from cavmae_sync.errors import DatasetError
from cavmae_sync.stage.config import NUM_TAKING_TURNS
from cavmae_sync.stage.pack import StageObject

Cast = Mapping[str, Sequence[StageObject]]

#: Chosen so that the built-in classes of the first six quartets differ in look, pitch and kind of sound.
_SALT: Final = "quartet 18504"
_ATTRIBUTES: Final = ("size", "warmth", "texture")
_NUM_TRIES: Final = 20


def quartets(class_names: Sequence[str]) -> list[tuple[str, ...]]:
    """Groups of four classes that appear together, always the same ones.

    Clips share few groups, so which classes a clip has does not say which clip it is. Each class is in two
    groups and no two classes are in the same two, so labels of clips still tell classes apart: a probe can
    learn them. Where the number of classes is no multiple of four, groups are filled up with the first ones.

    Raises:
        DatasetError: There are fewer than four classes.
    """
    if len(class_names) < NUM_TAKING_TURNS:
        raise DatasetError(
            f"Four objects of different classes take turns, but there are {len(class_names)} classes: "
            f"{', '.join(sorted(class_names))}. Use a pack with more classes, or variant=easy."
        )
    ordered = sorted(class_names, key=lambda name: hashlib.sha256(f"{_SALT} {name}".encode()).digest())
    num_groups = -(-len(ordered) // NUM_TAKING_TURNS)
    places = np.arange(num_groups * NUM_TAKING_TURNS) % len(ordered)
    neighbours, apart = places.reshape(-1, NUM_TAKING_TURNS), places.reshape(NUM_TAKING_TURNS, -1).T
    return [tuple(ordered[place] for place in group) for group in (*neighbours, *apart)]


def choose_quartet(cast: Cast, generator: np.random.Generator) -> list[StageObject]:
    """Choose four objects of one quartet of classes, one from each quarter of every attribute.

    So the means over the objects of a clip (how large, how red, how striped) hardly differ between clips, and
    do not say which clip it is. Where a pack has no such objects, the closest to it of some tries is taken.
    """
    groups = quartets(sorted(cast))
    classes = groups[int(generator.integers(len(groups)))]
    best: list[StageObject] = []
    for _ in range(_NUM_TRIES):
        wanted_AK = np.stack([generator.permutation(NUM_TAKING_TURNS) for _ in _ATTRIBUTES])
        chosen = [
            _nearest(cast[name], wanted, generator)
            for name, wanted in zip(classes, wanted_AK.T.tolist(), strict=True)
        ]
        if num_quarters(chosen) > num_quarters(best):
            best = chosen
        if num_quarters(best) == len(_ATTRIBUTES) * NUM_TAKING_TURNS:
            break
    return best


def num_quarters(things: Sequence[StageObject]) -> int:
    """Number of different quarters of their range in which the objects lie, summed over the attributes."""
    return sum(len({_quarter(thing, name) for thing in things}) for name in _ATTRIBUTES)


def choose_outsider(cast: Cast, inside: Sequence[StageObject], generator: np.random.Generator) -> StageObject:
    """Choose an object that is not among those inside, of another class if there is one."""
    classes = sorted(set(cast) - {thing.class_name for thing in inside}) or sorted(cast)
    others = [thing for name in classes for thing in cast[name] if thing not in inside]
    if not others:
        raise DatasetError(
            f"off_stage_fraction needs another object than the {len(inside)} on the stage, but the split has "
            "no more. Use a larger pack, or off_stage_fraction=0."
        )
    return others[int(generator.integers(len(others)))]


def _nearest(
    things: Sequence[StageObject], wanted: Sequence[int], generator: np.random.Generator
) -> StageObject:
    """One of the objects whose attributes lie in the wanted quarters, or in as many of them as possible."""
    pairs = tuple(zip(_ATTRIBUTES, wanted, strict=True))
    agreement = [sum(_quarter(thing, name) in (quarter, None) for name, quarter in pairs) for thing in things]
    good = [thing for thing, number in zip(things, agreement, strict=True) if number == max(agreement)]
    return good[int(generator.integers(len(good)))]


def _quarter(thing: StageObject, name: str) -> int | None:
    # Packs in folders know no warmth. The size that they give an object is not heard, so it tells nothing,
    # and choosing by it would show a few objects of a small class again and again.
    value: float | None = None if thing.warmth is None else getattr(thing, name)
    return None if value is None else min(int(value * NUM_TAKING_TURNS), NUM_TAKING_TURNS - 1)
