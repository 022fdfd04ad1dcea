"""What became of every clip that is expected: there and well, or what is wrong with it."""

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Final, Literal, get_args

from cavmae_sync.audit.duplicates import DuplicatePair
from cavmae_sync.audit.facts import ClipFacts
from cavmae_sync.audit.inventory import Inventory
from cavmae_sync.data.lists import match_names
from cavmae_sync.data.lists.clip_list import ClipList
from cavmae_sync.data.storage.tables import SKIP_REASONS

#: The state of a clip. Where several hold the first of this order is given, and the others in the details.
ClipState = Literal["missing", "unreadable", "short", "silent", "still", "duplicate", "ok"]
CLIP_STATES: Final[tuple[ClipState, ...]] = get_args(ClipState)


@dataclass(frozen=True, kw_only=True, slots=True)
class ExpectedClip:
    """One clip that is expected, and what became of it.

    Attributes:
        id: As the list names it; without a list as preparation would.
        labels: Of the list.
        state: The worst that is wrong with it.
        details: Everything that is wrong with it, in words.
        problems: The same as states.
        file: Where it is; None where it is missing.
        clip: Number of its facts; None where it has none.
        duplicate_of: Id of the clip that is the same and is kept, or None: the first without other faults.
    """

    id: str
    labels: tuple[str, ...]
    state: ClipState
    details: str
    problems: tuple[ClipState, ...]
    file: str | None
    clip: int | None
    duplicate_of: str | None


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Audit:
    """What is there of what is expected.

    Attributes:
        expected: Every clip of the list, in its order; without a list everything that was found.
        clips: Facts of all clips that can be read, those that are not expected included.
        pairs: Clips that are the same.
        unreadable: Files by the reason why they cannot be used.
        skipped: Files that were not tried, by reason.
        num_unexpected: Clips that are there but not on the list.
    """

    expected: tuple[ExpectedClip, ...]
    clips: tuple[ClipFacts, ...]
    pairs: tuple[DuplicatePair, ...]
    unreadable: Mapping[str, int]
    skipped: Mapping[str, int]
    num_unexpected: int

    def counts(self) -> dict[ClipState, int]:
        """Clips by state, in the order of the states."""
        counts = Counter(clip.state for clip in self.expected)
        return {state: counts[state] for state in CLIP_STATES}

    def with_problem(self) -> dict[ClipState, int]:
        """Clips that have a problem, whatever else they have; those without any under "ok"."""
        counts = Counter(problem for clip in self.expected for problem in clip.problems or ("ok",))
        return {state: counts[state] for state in CLIP_STATES}

    def available_clips(self, *, keep: Sequence[ClipState] = ()) -> list[ExpectedClip]:
        """Clips with which nothing is wrong, or nothing but what `keep` names, in order."""
        return [clip for clip in self.expected if set(clip.problems) <= set(keep) and clip.clip is not None]


def audit_clips(inventory: Inventory, pairs: Sequence[DuplicatePair], *, wanted: ClipList | None) -> Audit:
    """Say of every expected clip what became of it.

    Args:
        inventory: What is there.
        pairs: `find_duplicates` of its clips.
        wanted: What is expected; None expects what is there, of which no part can be missing: no clip is
            "short" then.

    Raises:
        DatasetError: A file could be several clips of the list, or two are one.
    """
    clips = tuple(clip for item in inventory.items for clip in item.clips)
    bad = [item for item in inventory.items if item.reason is not None]
    tried = [item for item in bad if item.reason not in SKIP_REASONS]
    names = [*(clip.id for clip in clips), *(_stem(item.file) for item in tried)]
    if wanted is None:
        ids, labels = names, [clip.labels for clip in clips] + [()] * len(tried)
        place_of = dict(enumerate(range(len(names))))
    else:
        ids, labels = list(wanted.ids), list(wanted.labels)
        place_of = {}
        # A file that cannot be used, V.wav beside V.mp4, stands for a clip only where no clip is there.
        for begin, some in ((0, names[: len(clips)]), (len(clips), names[len(clips) :])):
            for place, number in enumerate(match_names(some, wanted.wanted_clips).wanted_of, start=begin):
                if number is not None:
                    place_of.setdefault(number, place)
    order = [place_of[n] for n in range(len(ids)) if n in place_of]
    wrong_of = partial(_wrong, is_listed=wanted is not None)
    # A copy without faults is kept before one with faults, which would take both away.
    order.sort(key=lambda place: place >= len(clips) or bool(wrong_of(clips[place], None)))
    earlier = _earlier(pairs, order=order)
    id_of = {place: ids[number] for number, place in place_of.items()}

    def became(number: int) -> ExpectedClip:
        place = place_of.get(number)
        if place is None:
            return _expected(ids[number], labels[number], {"missing": "no file is this clip"})
        if place >= len(clips):
            item = tried[place - len(clips)]
            why: dict[ClipState, str] = {"unreadable": f"{item.reason}: {item.message}"}
            return _expected(ids[number], labels[number], why, file=item.file)
        twin = earlier.get(place)
        return _expected(
            ids[number],
            labels[number],
            wrong_of(clips[place], None if twin is None else (twin[1], id_of[twin[0]])),
            file=clips[place].source,
            clip=place,
            duplicate_of=None if twin is None else id_of[twin[0]],
        )

    return Audit(
        expected=tuple(became(number) for number in range(len(ids))),
        clips=clips,
        pairs=tuple(pairs),
        unreadable=dict(Counter(str(item.reason) for item in tried)),
        skipped=dict(Counter(str(item.reason) for item in bad if item.reason in SKIP_REASONS)),
        num_unexpected=0 if wanted is None else len(clips) - sum(place < len(clips) for place in id_of),
    )


def _stem(file: str) -> str:
    folder, slash, name = file.rpartition("/")
    return f"{folder}{slash}{name.rpartition('.')[0] or name}"


def _earlier(pairs: Sequence[DuplicatePair], *, order: Sequence[int]) -> dict[int, tuple[int, DuplicatePair]]:
    """For each clip that is not kept the first one before it in the order that is the same and is kept."""
    rank = {place: number for number, place in enumerate(order)}
    before: dict[int, list[tuple[int, DuplicatePair]]] = defaultdict(list)
    for pair in pairs:
        if pair.first in rank and pair.second in rank:
            first, second = sorted((pair.first, pair.second), key=lambda place: rank[place])
            before[second].append((first, pair))
    found: dict[int, tuple[int, DuplicatePair]] = {}
    for place in order:
        kept = [twin for twin in before[place] if twin[0] not in found]
        if kept:
            found[place] = min(kept, key=lambda twin: rank[twin[0]])
    return found


def _wrong(
    clip: ClipFacts, twin: tuple[DuplicatePair, str] | None, *, is_listed: bool
) -> dict[ClipState, str]:
    wrong: dict[ClipState, str] = {}
    if clip.is_short and is_listed:  # a part can be missing only from what somebody asked for
        wrong["short"] = f"{clip.duration_seconds:.2f} s long"
    if clip.is_silent:
        wrong["silent"] = "no sound"
    if clip.is_still:
        wrong["still"] = "the picture does not change"
    if twin is not None:
        pair, twin_id = twin
        wrong["duplicate"] = f"same {' and '.join(pair.same)} as {twin_id}"
    return wrong


def _expected(
    clip_id: str,
    labels: tuple[str, ...],
    wrong: Mapping[ClipState, str],
    *,
    file: str | None = None,
    clip: int | None = None,
    duplicate_of: str | None = None,
) -> ExpectedClip:
    problems = tuple(state for state in CLIP_STATES if state in wrong)
    return ExpectedClip(
        id=clip_id,
        labels=labels,
        state=problems[0] if problems else "ok",
        details="; ".join(wrong[state] for state in problems),
        problems=problems,
        file=file,
        clip=clip,
        duplicate_of=duplicate_of,
    )
