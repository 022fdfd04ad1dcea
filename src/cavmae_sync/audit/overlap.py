"""Overlap of two prepared datasets: clips of one that are also in the other, found by content, not by name.

In order of certainty: the same span of a file; another span of the same file; in different files (another
container, cut again) the same sound sample by sample, or the same frames byte by byte; and the same sound in
another encoding, by similarity. `audit.duplicates.find_overlap` searches more thoroughly, also by similarity
of pictures.
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
from cavmae_sync.checks import first_names
from cavmae_sync.data.preparing.videos import content_hash_of
from cavmae_sync.data.storage.prepared_dataset import PreparedDataset
from cavmae_sync.errors import DatasetError

#: What is equal in two clips.
Shared = Literal[
    "same file",
    "another stretch of the same file",
    "same sound",
    "same pictures",
    "same sound, encoded again",
    "same features",
]

#: Least similarity of the same sound: the largest of 124,750 pairs of different clips was 0.54
#: (docs/results.md). With more pairs than `_MOST_PAIRS`, chance could come near, so similarity is not used.
_ALIKE: Final = replace(SOUNDS, least_likeness=0.7)
_MOST_PAIRS: Final = 10_000_000


@dataclass(frozen=True, kw_only=True, slots=True)
class SharedClip:
    """Clip that is in two datasets.

    Attributes:
        clip_id: Id in the first dataset.
        other_id: Id in the other dataset.
        how: What is equal.
    """

    clip_id: str
    other_id: str
    how: Shared

    def __str__(self) -> str:
        """Text for messages."""
        return f"{self.clip_id} ({self.how}{'' if self.clip_id == self.other_id else f' as {self.other_id}'})"


def shared_clips(
    clips: PreparedDataset, others: PreparedDataset, *, by_likeness: bool = False
) -> tuple[SharedClip, ...]:
    """Clips that are also in another dataset, in their order, each with the first one there that is the same.

    Silent clips are not compared by sound, nor still clips by picture: many different clips have one silence
    or one still picture.

    Args:
        clips: Clips to look for.
        others: Clips to look in.
        by_likeness: Also look for the same sound in another encoding, unless there are more than 10 million
            pairs. It takes 2 ms per clip; everything else is read from tables and headers of sounds.
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
    """Check that no test clip is a training clip.

    Args:
        test: Test clips.
        train: Training clips.
        allow_overlap: Raise no error; the shared clips are returned, for a warning.

    Raises:
        DatasetError: Clips are in both datasets, and that is not allowed; names some.
    """
    shared = shared_clips(test, train, by_likeness=True)
    if not allow_overlap:
        refuse_shared(shared, num_clips=len(test), test=str(test.folder), train=str(train.folder))
    return shared


def refuse_shared(shared: Sequence[SharedClip], *, num_clips: int, test: str, train: str) -> None:
    """Raise an error if test clips are also training clips.

    Args:
        shared: The test clips that are also training clips.
        num_clips: Number of test clips.
        test: Folder of the test clips, for the message.
        train: Folder of the training clips, for the message.

    Raises:
        DatasetError: There are shared clips; names some.
    """
    if shared:
        raise DatasetError(
            f"{len(shared)} of {num_clips} clips of {test} are also in {train}: "
            f"{first_names(map(str, shared))}. A score on training clips measures memory. Remove them from "
            "one of the two, or measure anyway with --allow-overlap."
        )


def without_file(clips: PreparedDataset, file: Path) -> PreparedDataset:
    """Dataset without the clips that were cut from a file with the same content."""
    content_hash = content_hash_of(file)
    kept = [row for row, known in enumerate(clips.content_hashes) if known != content_hash]
    return clips if len(kept) == len(clips) else clips.subset(kept)


class _Clips:
    """Content of clips in the forms in which two datasets are compared."""

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
    """Way to find the same clips: clips with equal keys (not None) are candidates, an equal proof decides."""

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
