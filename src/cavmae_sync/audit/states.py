"""State of every expected clip: "ok", or its problems."""

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

#: State of a clip. With several problems, the state is the first of them in this order.
ClipState = Literal["missing", "unreadable", "short", "silent", "still", "duplicate", "ok"]
CLIP_STATES: Final[tuple[ClipState, ...]] = get_args(ClipState)


@dataclass(frozen=True, kw_only=True, slots=True)
class ExpectedClip:
    """Expected clip and its state.

    Attributes:
        id: Id in the list; without a list, the id that preparation gives it.
        labels: Labels in the list.
        state: First of its problems, or "ok".
        details: All problems, in words.
        problems: All problems, as states.
        file: Path of its file; None if it is missing.
        clip: Number of its facts in `Audit.clips`; None if it could not be read.
        duplicate_of: Id of the clip that is the same and is kept; None if it is no duplicate.
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
    """States of all expected clips.

    Attributes:
        expected: Clips of the list, in its order; without a list, all clips that were found.
        clips: Facts of all clips that can be read, also of those that are not expected.
        pairs: Pairs of clips that are the same.
        unreadable: Number of files that cannot be used, by reason.
        skipped: Number of files that were not tried, by reason.
        num_unexpected: Number of clips that were found but are not on the list.
    """

    expected: tuple[ExpectedClip, ...]
    clips: tuple[ClipFacts, ...]
    pairs: tuple[DuplicatePair, ...]
    unreadable: Mapping[str, int]
    skipped: Mapping[str, int]
    num_unexpected: int

    def counts(self) -> dict[ClipState, int]:
        """Number of clips in each state, in the order of the states."""
        counts = Counter(clip.state for clip in self.expected)
        return {state: counts[state] for state in CLIP_STATES}

    def with_problem(self) -> dict[ClipState, int]:
        """Number of clips with each problem, also as one of several; "ok" counts those without any."""
        counts = Counter(problem for clip in self.expected for problem in clip.problems or ("ok",))
        return {state: counts[state] for state in CLIP_STATES}

    def available_clips(self, *, keep: Sequence[ClipState] = ()) -> list[ExpectedClip]:
        """Clips without problems, or only with problems of `keep`, in order."""
        return [clip for clip in self.expected if set(clip.problems) <= set(keep) and clip.clip is not None]


def audit_clips(inventory: Inventory, pairs: Sequence[DuplicatePair], *, wanted: ClipList | None) -> Audit:
    """Find the state of every expected clip.

    Args:
        inventory: Everything that was read.
        pairs: Pairs of `find_duplicates` for its clips.
        wanted: List of the expected clips; None = all clips that were found, of which none is "short".

    Raises:
        DatasetError: A file matches several clips of the list, or several files match one clip by one rule.
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
        place_of = _places_of(wanted, names, num_clips=len(clips))
    order = [place_of[n] for n in range(len(ids)) if n in place_of]
    problems_of = partial(_problems, is_listed=wanted is not None)
    # Copies without problems come first, so that they are kept. Otherwise both copies could be unavailable.
    order.sort(key=lambda place: place >= len(clips) or bool(problems_of(clips[place], None)))
    earlier = _earlier(pairs, order=order)
    id_of = {place: ids[number] for number, place in place_of.items()}

    def expected_clip(number: int) -> ExpectedClip:
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
            problems_of(clips[place], None if twin is None else (twin[1], id_of[twin[0]])),
            file=clips[place].source,
            clip=place,
            duplicate_of=None if twin is None else id_of[twin[0]],
        )

    return Audit(
        expected=tuple(expected_clip(number) for number in range(len(ids))),
        clips=clips,
        pairs=tuple(pairs),
        unreadable=dict(Counter(str(item.reason) for item in tried)),
        skipped=dict(Counter(str(item.reason) for item in bad if item.reason in SKIP_REASONS)),
        num_unexpected=0 if wanted is None else len(clips) - sum(place < len(clips) for place in id_of),
    )


def _places_of(wanted: ClipList, names: Sequence[str], *, num_clips: int) -> dict[int, int]:
    """Place in `names` of each listed clip that is found there.

    The first `num_clips` names are those of clips, the others those of files that cannot be used.
    """
    place_of: dict[int, int] = {}
    # A bad file, such as V.wav beside V.mp4, takes the place of a clip only if no good file is that clip.
    for begin, some in ((0, names[:num_clips]), (num_clips, names[num_clips:])):
        for place, number in enumerate(match_names(some, wanted.wanted_clips).wanted_of, start=begin):
            if number is not None:
                place_of.setdefault(number, place)
    return place_of


def _stem(file: str) -> str:
    folder, slash, name = file.rpartition("/")
    return f"{folder}{slash}{name.rpartition('.')[0] or name}"


def _earlier(pairs: Sequence[DuplicatePair], *, order: Sequence[int]) -> dict[int, tuple[int, DuplicatePair]]:
    """For each clip that is not kept: the first clip before it in the order that is the same and is kept."""
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


def _problems(
    clip: ClipFacts, twin: tuple[DuplicatePair, str] | None, *, is_listed: bool
) -> dict[ClipState, str]:
    wrong: dict[ClipState, str] = {}
    if clip.is_short and is_listed:  # without a list, nobody says that a clip should be longer
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
