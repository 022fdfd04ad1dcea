"""Choice of the objects of the real pack: which pictures, with which sounds, in which class and split."""

import hashlib
import re
from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from itertools import cycle
from pathlib import Path
from typing import Final

from PIL import Image

from cavmae_sync.choices import Split, Voice
from cavmae_sync.stage.packages.duplicates import same_pictures, same_recordings
from cavmae_sync.stage.packages.installed import Candidate
from cavmae_sync.stage.packages.kinds import HELD_BACK, kind_of
from cavmae_sync.stage.packages.suitable import usable_picture, usable_recording
from cavmae_sync.stage.recordings import Samples

#: Splits of every seven things of a class. Fewer than the 70 % of other packs train, because a class has
#: 13 to 28 things only and each split must show several.
_DEAL: Final[tuple[Split, ...]] = ("train", "test", "train", "validation", "train", "test", "train")
_DEAL_HELD_BACK: Final[tuple[Split, ...]] = ("test", "validation", "test")
#: "cow-2", "sedan_mirror" and "bat_left" are the things "cow", "sedan" and "bat".
_COPY: Final = re.compile(r"(?:[-_]?\d+|[-_](?:mirror|left|right|open|closed))+$")


@dataclass(frozen=True, kw_only=True, slots=True)
class Chosen:
    """An object of the real pack.

    Attributes:
        name: Its name, for example "qabcs-cow".
        class_name: Its kind; with spoken names alone, its folder in the package.
        thing: Name that all objects share that are the same thing; they share a split, too.
        split: The only split it appears in.
        picture: Its PNG file.
        sounds: Its recordings, by take: "effect" or a language.
    """

    name: str
    class_name: str
    thing: str
    split: Split
    picture: Path
    sounds: dict[str, Path]


@dataclass(frozen=True, kw_only=True, slots=True)
class _Usable:
    candidate: Candidate
    class_name: str
    thing: str
    image: Image.Image
    sounds: dict[str, Path]
    recordings: dict[str, Samples]


def choose_objects(
    candidates: Iterable[Candidate], *, voice: Voice, on_candidate: Callable[[], None] = lambda: None
) -> tuple[list[Chosen], dict[str, str]]:
    """Objects of the pack, by name, and the reason for each candidate that is not among them.

    Args:
        candidates: All pictures of the packages, with their recordings. Of two that are the same, the earlier
            one is kept.
        voice: Which recordings are the sound of an object.
        on_candidate: Called after each candidate.
    """
    usable: list[_Usable] = []
    left_out: dict[str, str] = {}
    for candidate in candidates:
        found = _examine(candidate, voice)
        if isinstance(found, str):
            left_out[candidate.name] = found
        else:
            usable.append(found)
        on_candidate()
    copies = _copies(usable)
    left_out |= copies
    kept = [one for one in usable if one.candidate.name not in copies]
    small = _in_small_classes(kept)
    left_out |= small
    kept = [one for one in kept if one.candidate.name not in small]
    split_of = _deal(kept)
    return [
        Chosen(
            name=one.candidate.name,
            class_name=one.class_name,
            thing=one.thing,
            split=split_of[one.class_name, one.thing],
            picture=one.candidate.picture,
            sounds=one.sounds,
        )
        for one in kept
    ], left_out


def _examine(candidate: Candidate, voice: Voice) -> _Usable | str:
    """What is needed of a candidate, or in words why it cannot be used."""
    sounds = candidate.sounds(voice)
    if not sounds:
        return "no recording of its name" if voice == "names" else "no sound of its own"
    if candidate.picture.suffix != ".png":
        return "only a vector picture"
    place = _place(candidate, voice)
    if place is None:
        return "its kind is not known"
    image = usable_picture(candidate.picture)
    if isinstance(image, str):
        return image
    read = {take: usable_recording(path) for take, path in sounds.items()}
    recordings = {take: waveform_S for take, waveform_S in read.items() if not isinstance(waveform_S, str)}
    if not recordings or ("effect" in sounds and "effect" not in recordings):
        return "silent or unreadable recording"
    return _Usable(
        candidate=candidate,
        class_name=place[0],
        thing=place[1],
        image=image,
        sounds={take: sounds[take] for take in recordings},
        # Two spoken names are compared by their bytes only: no two of them were found to be copies.
        recordings={take: waveform_S for take, waveform_S in recordings.items() if take == "effect"},
    )


def _place(candidate: Candidate, voice: Voice) -> tuple[str, str] | None:
    """Class of a candidate, and the thing that it is."""
    if voice == "names":
        return candidate.folder, _COPY.sub("", candidate.stem.lower())
    return kind_of(candidate.stem)


def _copies(usable: Sequence[_Usable]) -> dict[str, str]:
    """Reason for each object that is the same as one before it, by name."""
    pairs = [
        *(("same picture file", pair) for pair in _same_files([[one.candidate.picture] for one in usable])),
        *(("same recording file", pair) for pair in _same_files([one.sounds.values() for one in usable])),
        *(("nearly the same picture", pair) for pair in same_pictures([one.image for one in usable])),
        *(("nearly the same recording", pair) for pair in _same_effects(usable)),
    ]
    reasons: dict[int, str] = {}
    for kind, (first, second) in sorted(pairs, key=lambda pair: (pair[1][1], pair[1][0])):
        if first not in reasons and second not in reasons:
            reasons[second] = f"{kind} as {usable[first].candidate.name}"
    return {usable[number].candidate.name: reason for number, reason in reasons.items()}


def _same_files(files: Sequence[Iterable[Path]]) -> list[tuple[int, int]]:
    owners: dict[bytes, list[int]] = defaultdict(list)
    for number, paths in enumerate(files):
        for digest in {hashlib.sha256(path.read_bytes()).digest() for path in paths}:
            owners[digest].append(number)
    return sorted({(first, other) for first, *others in owners.values() for other in others})


def _same_effects(usable: Sequence[_Usable]) -> list[tuple[int, int]]:
    numbers = [number for number, one in enumerate(usable) if "effect" in one.recordings]
    pairs = same_recordings([usable[number].recordings["effect"] for number in numbers])
    return [(numbers[first], numbers[second]) for first, second in pairs]


def _things(usable: Sequence[_Usable]) -> dict[str, set[str]]:
    """Names of the things of each class."""
    things: dict[str, set[str]] = defaultdict(set)
    for one in usable:
        things[one.class_name].add(one.thing)
    return things


def _rule(class_name: str) -> tuple[Split, ...]:
    return _DEAL_HELD_BACK if class_name in HELD_BACK else _DEAL


def _in_small_classes(usable: Sequence[_Usable]) -> dict[str, str]:
    """Reason for each object of a class that has too few things for all its splits, by name.

    Without them every split has the same classes, so that the same ones appear together in all.
    """
    too_small = {
        class_name
        for class_name, names in _things(usable).items()
        if set(_rule(class_name)[: len(names)]) != set(_rule(class_name))
    }
    return {
        one.candidate.name: f"too few things for all splits: class {one.class_name}"
        for one in usable
        if one.class_name in too_small
    }


def _deal(usable: Sequence[_Usable]) -> dict[tuple[str, str], Split]:
    """Split of each thing of each class, dealt in the order of a hash of its name."""
    return {
        (class_name, thing): split
        for class_name, names in _things(usable).items()
        for thing, split in zip(
            sorted(names, key=lambda name: hashlib.sha256(name.encode()).digest()),
            cycle(_rule(class_name)),
            strict=False,
        )
    }
