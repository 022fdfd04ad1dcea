"""Duplicate clips: the same file, the same sound or the same picture."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, Literal

from cavmae_sync.audit.facts import ClipFacts
from cavmae_sync.audit.matching import MatchRule, matches
from cavmae_sync.errors import DatasetError

#: What is equal in two clips.
Same = Literal["file", "sound", "picture"]

#: Above all of 124,750 pairs of different clips (at most 0.49 and 0.54), below nearly all re-encodes (from
#: 0.70 and 0.49 on): docs/results.md.
PICTURES: Final = MatchRule(least_likeness=0.6, least_places=128, least_windows=1)
SOUNDS: Final = MatchRule(least_likeness=0.55, least_places=64, least_windows=8, most_moved=5)


@dataclass(frozen=True, kw_only=True, slots=True)
class DuplicatePair:
    """Two clips with the same file, sound or picture.

    Attributes:
        first: Number of the first clip.
        second: Number of the second clip, in the same list or in the other one.
        same: What is equal, the surest first.
        sound: Similarity of the sounds if they are the same; None if not, or if one has no code.
        picture: Similarity of the pictures if they are the same; None if not, or if one has no code.
    """

    first: int
    second: int
    same: tuple[Same, ...]
    sound: float | None
    picture: float | None


def find_duplicates(clips: Sequence[ClipFacts]) -> list[DuplicatePair]:
    """Pairs of clips that are the same. Clips of one file are not compared with each other."""
    return [pair for pair in _pairs(clips, None) if clips[pair.first].source != clips[pair.second].source]


def find_overlap(clips: Sequence[ClipFacts], others: Sequence[ClipFacts]) -> list[DuplicatePair]:
    """Pairs of a clip and a clip of another dataset that are the same."""
    return _pairs(clips, others)


def _pairs(clips: Sequence[ClipFacts], others: Sequence[ClipFacts] | None) -> list[DuplicatePair]:
    against = clips if others is None else others
    _check_comparable(clips, against)
    found: dict[tuple[int, int], dict[Same, float]] = {}
    by_file: dict[tuple[str, float], list[int]] = {}
    for number, clip in enumerate(against):
        by_file.setdefault((clip.content_hash, clip.start_seconds), []).append(number)
    for first, clip in enumerate(clips):
        for second in by_file.get((clip.content_hash, clip.start_seconds), ()):
            if others is not None or first < second:
                found.setdefault((first, second), {})["file"] = 1.0
    for name, rule in (("sound", SOUNDS), ("picture", PICTURES)):
        codes = [getattr(clip, name) for clip in clips]
        compared = None if others is None else [getattr(clip, name) for clip in others]
        for match in matches(codes, rule, others=compared):
            found.setdefault((match.first, match.second), {})[name] = match.likeness
    return [
        DuplicatePair(first=i, second=j, same=tuple(how), sound=how.get("sound"), picture=how.get("picture"))
        for (i, j), how in sorted(found.items())
    ]


def _check_comparable(clips: Sequence[ClipFacts], others: Sequence[ClipFacts]) -> None:
    frames = {len(clip.picture) for clip in (*clips, *others)} - {0}
    if len(frames) > 1:
        raise DatasetError(
            f"Clips with {' and '.join(map(str, sorted(frames)))} frames cannot be compared. Prepare both "
            "datasets with the same num_frames, or audit the videos."
        )
