"""Which file, or which prepared clip, is which clip of an official list.

Downloaders name files differently. `V` is the name of a video on YouTube, 11 characters. The rules, tried in
this order; the best one that fits a file decides:

    "same path"               the whole path, without ending, is the id
    "same name"               the name, without folder and ending, is the id
    "start in seconds"        V_30, V_000030, V_30.000, and with a stop behind: V_30.000_40.000
    "start in milliseconds"   V_30000, V_30000_40000
    "video alone"             V, when the list says where the clip starts but the name does not
    "start not checked"       V_30 and the like, when the list has V alone

Each of the last four also with a `Y` before V, as archives of AudioSet have it ("Y + start in seconds"). A
name whose start is not the list's is another clip and fits nothing. Upper and lower case differ.
"""

import re
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from cavmae_sync.errors import DatasetError

_NAME: Final = re.compile(
    r"(?P<prefix>Y?)(?P<video>[A-Za-z0-9_-]{11})"
    r"(?:_(?P<start>\d+(?:\.\d+)?)(?:_(?P<stop>\d+(?:\.\d+)?))?)?"
)
#: The weakest rule: nothing says that a file is this stretch of its video.
START_NOT_CHECKED: Final = "start not checked"
_RULES: Final = (
    "same path",
    "same name",
    "start in seconds",
    "start in milliseconds",
    "video alone",
    START_NOT_CHECKED,
)
_SECONDS_APART: Final = 5e-4


@dataclass(frozen=True, kw_only=True, slots=True)
class WantedClip:
    """A clip that is looked for.

    Attributes:
        id: Its id in the list.
        start_seconds: Where it starts in its video; None takes it from an id like VGGSound's, or knows not.
    """

    id: str
    start_seconds: float | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class NameMatches:
    """What the names are.

    Attributes:
        wanted_of: For each name the number of the clip in the list, or None.
        rule_of: For each name the rule that found it, or None.
    """

    wanted_of: tuple[int | None, ...]
    rule_of: tuple[str | None, ...]

    @property
    def by_rule(self) -> Mapping[str, int]:
        """How many names each rule found, in the order of the rules."""
        return dict(sorted(Counter(rule for rule in self.rule_of if rule).items(), key=lambda x: rank(x[0])))


def rank(rule: str) -> int:
    """Place of a rule in the order in which they are tried; a smaller one is better."""
    plain = rule.removeprefix("Y + ")
    return 2 * _RULES.index(plain) + (plain != rule)


def has_start(name: str) -> bool:
    """Whether a file's name, without folder and ending, says where in its video the clip starts."""
    parts = _NAME.fullmatch(name)
    return parts is not None and parts["start"] is not None


def match_names(names: Sequence[str], wanted: Sequence[WantedClip]) -> NameMatches:
    """Find the listed clip of every name.

    Args:
        names: Paths without ending, for example `part1/YTID_30.000`.
        wanted: The clips of the list, ids all different.

    Raises:
        DatasetError: A name could be several clips of the list.
    """
    by_id = {clip.id: number for number, clip in enumerate(wanted)}
    by_video: dict[str, list[tuple[int, float | None]]] = defaultdict(list)
    for number, clip in enumerate(wanted):
        parts = _NAME.fullmatch(clip.id)
        if parts is not None and not parts["prefix"]:
            start = clip.start_seconds
            if start is None and parts["start"] is not None:
                start = float(parts["start"])
            by_video[parts["video"]].append((number, start))
    found = [_match(name, by_id, by_video, wanted) for name in names]
    return NameMatches(
        wanted_of=tuple(None if match is None else match[0] for match in found),
        rule_of=tuple(None if match is None else match[1] for match in found),
    )


def _match(
    name: str,
    by_id: Mapping[str, int],
    by_video: Mapping[str, list[tuple[int, float | None]]],
    wanted: Sequence[WantedClip],
) -> tuple[int, str] | None:
    if name in by_id:
        return by_id[name], "same path"
    last = name.rpartition("/")[2]
    if last in by_id:
        return by_id[last], "same name"
    parts = _NAME.fullmatch(last)
    if parts is None:
        return None
    candidates = [
        (rule, number)
        for number, start in by_video.get(parts["video"], ())
        if (rule := _rule(parts["start"], start)) is not None
    ]
    if not candidates:
        return None
    best = min(rank(rule) for rule, _ in candidates)
    chosen = [(number, rule) for rule, number in candidates if rank(rule) == best]
    if len(chosen) > 1:
        several = ", ".join(wanted[number].id for number, _ in chosen[:3])
        raise DatasetError(
            f"{name} could be {len(chosen)} clips of the list: {several}. Name the file by the start of the "
            f"clip too, for example {parts['video']}_30."
        )
    number, rule = chosen[0]
    return number, f"Y + {rule}" if parts["prefix"] else rule


def _rule(token: str | None, start: float | None) -> str | None:
    """By which rule the start in a name says where the list's clip starts; None if it says otherwise."""
    if token is None:
        return "video alone"
    if start is None:
        return START_NOT_CHECKED
    if abs(float(token) - start) < _SECONDS_APART:
        return "start in seconds"
    if token.isdigit() and abs(int(token) / 1000 - start) < _SECONDS_APART:
        return "start in milliseconds"
    return None
