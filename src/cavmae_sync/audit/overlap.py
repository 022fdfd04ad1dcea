"""Which clips of one list are also in another, told by what is in them: names may differ.

In order of certainty: the same stretch of a file; another stretch of that file; where files differ (packed
into another container, cut again), the same sound sample by sample, or the same pictures byte by byte; and
the same sound encoded again, by likeness. `inventory.duplicates.find_overlap` looks harder, also at pictures.
"""

from collections import defaultdict
from collections.abc import Callable, Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from types import MappingProxyType
from typing import Final, Literal

import numpy as np
from numpy.typing import NDArray

from cavmae_sync.audit.duplicates import SOUNDS
from cavmae_sync.audit.fingerprint import sound_code
from cavmae_sync.audit.matching import matches
from cavmae_sync.data.preparing.videos import content_hash_of
from cavmae_sync.data.storage.prepared_dataset import PreparedDataset
from cavmae_sync.errors import DatasetError

#: In which way two clips are the same.
Shared = Literal[
    "same file",
    "another stretch of the same file",
    "same sound",
    "same pictures",
    "same sound, encoded again",
    "same features",
]

_NUM_NAMED: Final = 5
#: Sounds this alike are the same: the likest of 124,750 pairs of different clips had 0.54 (docs/results.md).
#: Among more pairs than below, chance alone might come near, and nothing is said by likeness.
_ALIKE: Final = replace(SOUNDS, least_likeness=0.7)
_MOST_PAIRS: Final = 10_000_000


@dataclass(frozen=True, kw_only=True, slots=True)
class SharedClip:
    """A clip that is in both lists.

    Attributes:
        clip_id: Its id in the list that is asked about.
        other_id: Id of its likeness in the other list.
        how: In which way they are the same.
    """

    clip_id: str
    other_id: str
    how: Shared

    def __str__(self) -> str:
        """For people."""
        return f"{self.clip_id} ({self.how}{'' if self.clip_id == self.other_id else f' as {self.other_id}'})"


def shared_clips(
    clips: PreparedDataset, others: PreparedDataset, *, by_likeness: bool = False
) -> tuple[SharedClip, ...]:
    """The clips that are also in another list, each with its first likeness there, in their order.

    Silence sounds like any other silence, and one still picture may stand over many sounds: neither makes two
    clips the same.

    Args:
        clips: Which of these ...
        others: ... are also here?
        by_likeness: Look for sounds that were encoded again too, unless there are more than 10 million pairs:
            2 ms for each clip. Everything else stands in the tables and in the heads of sounds.
    """
    mine, theirs = _Clips(clips), _Clips(others)
    found: dict[int, SharedClip] = {}
    for how, way in _WAYS.items():
        places: dict[Hashable, list[int]] = defaultdict(list)
        for row, key in enumerate(way.keys(theirs)):
            if key is not None:
                places[key].append(row)
        for row, key in enumerate(way.keys(mine)):
            if row in found:
                continue
            for other in places.get(key, ()):
                if way.proof(mine, row) == way.proof(theirs, other):
                    found[row] = SharedClip(clip_id=mine.ids[row], other_id=theirs.ids[other], how=how)
                    break
    if by_likeness and len(clips) * len(others) <= _MOST_PAIRS:
        for match in matches(mine.sound_codes(), _ALIKE, others=theirs.sound_codes()):
            again = SharedClip(
                clip_id=mine.ids[match.first],
                other_id=theirs.ids[match.second],
                how="same sound, encoded again",
            )
            found.setdefault(match.first, again)
    return tuple(found[row] for row in sorted(found))


def check_apart(
    test: PreparedDataset, train: PreparedDataset, *, allow_overlap: bool = False
) -> tuple[SharedClip, ...]:
    """Refuse to measure on clips that were learned from.

    Args:
        test: Clips to measure with.
        train: Clips that were, or will be, learned from.
        allow_overlap: Measure all the same; the shared clips are returned to be told.

    Raises:
        DatasetError: Clips are in both lists, and that is not allowed; names some.
    """
    shared = shared_clips(test, train, by_likeness=True)
    if not allow_overlap:
        refuse_shared(shared, num_clips=len(test), test=str(test.folder), train=str(train.folder))
    return shared


def refuse_shared(shared: Sequence[SharedClip], *, num_clips: int, test: str, train: str) -> None:
    """Refuse clips to measure with that were learned from.

    Args:
        shared: Those.
        num_clips: Clips to measure with, in all.
        test: Where these are, for the message.
        train: Where those to learn from are.

    Raises:
        DatasetError: There are any; names some.
    """
    if shared:
        raise DatasetError(
            f"{len(shared)} of {num_clips} clips of {test} are also in {train}: "
            f"{named(map(str, shared))}. A score on clips that were learned from says what was remembered. "
            "Take them out of one of the two, or measure all the same with --allow-overlap."
        )


def without_file(clips: PreparedDataset, file: Path) -> PreparedDataset:
    """The clips that were not cut from a file, told by its content."""
    content_hash = content_hash_of(file)
    kept = [row for row, known in enumerate(clips.content_hashes) if known != content_hash]
    return clips if len(kept) == len(clips) else clips.subset(kept)


def named(names: Iterable[str]) -> str:
    """The first names, and how many more there are."""
    found = list(names)
    more = "" if len(found) <= _NUM_NAMED else f" and {len(found) - _NUM_NAMED} more"
    return f"{', '.join(found[:_NUM_NAMED])}{more}"


class _Clips:
    """What two lists are compared by."""

    def __init__(self, clips: PreparedDataset) -> None:
        self.clips = clips
        facts = clips.facts("id", "content_hash", "start_seconds", "num_samples", "sound_length")
        self.ids, self.hashes, self.starts, self.num_samples, self.sound_lengths = facts
        self.is_silent, self.is_still = clips.facts("is_silent", "is_still")
        self.sound_of = cache(clips.read_sound_digest)
        self.pictures_of = cache(clips.read_frames_digest)

    def files(self) -> Iterable[Hashable]:
        return zip(self.hashes, self.starts, strict=True)

    def sounds(self) -> Iterable[Hashable]:
        rows = zip(self.is_silent, self.num_samples, self.sound_lengths, strict=True)
        return (None if is_silent else (samples, length) for is_silent, samples, length in rows)

    def sound_codes(self) -> list[NDArray[np.int8]]:
        lengths = map(self.clips.num_spectrogram_frames, range(len(self.clips)))
        return [
            sound_code(self.clips.read_log_mel_rows(row, start=0, stop=length))
            for row, length in enumerate(lengths)
        ]

    def pictures(self) -> Iterable[Hashable]:
        rows = zip(self.is_still, self.clips.frame_lengths_NT, strict=True)
        return (None if is_still else hash(lengths_T.tobytes()) for is_still, lengths_T in rows)


@dataclass(frozen=True, kw_only=True, slots=True)
class _Way:
    """What makes two clips candidates (None: never), and what then proves that they are the same."""

    keys: Callable[[_Clips], Iterable[Hashable]]
    proof: Callable[[_Clips, int], Hashable] = lambda _clips, _row: None


_WAYS: Final[Mapping[Shared, _Way]] = MappingProxyType(
    {
        "same file": _Way(keys=_Clips.files),
        "another stretch of the same file": _Way(keys=lambda clips: clips.hashes),
        "same sound": _Way(keys=_Clips.sounds, proof=lambda clips, row: clips.sound_of(row)),
        "same pictures": _Way(keys=_Clips.pictures, proof=lambda clips, row: clips.pictures_of(row)),
    }
)
