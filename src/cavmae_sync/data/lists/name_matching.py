"""Rules that match names of files, or ids of prepared clips, with the clips of a list.

Download programs name files differently. `V` is the YouTube id of a video, 11 characters. The rules are tried
in this order; the first one that matches a name decides:

    "same path"               the whole path, without ending, is the id
    "same name"               the name, without folder and ending, is the id
    "same path, other form"   the same path in another spelling of accented letters (`data/spellings.py`)
    "same name, other form"   the same name in another spelling
    "start in seconds"        V_30, V_000030, V_30.000, also with a stop: V_30.000_40.000
    "start in milliseconds"   V_30000, V_30000_40000
    "cut from the video"      V@30.000: a clip that preparation cut from a whole video at this second
    "video alone"             V, if the list has the start of the clip but the name has not
    "start not checked"       V_30 and the like, if the list has only V

Each of the last five also matches with a `Y` before V, as in archives of AudioSet ("Y + start in seconds"). A
name with another start than the list is another clip and matches nothing. Upper and lower case differ. If two
names match one clip, the one with the better rule is taken and the other is spare. The ending of a media file
is ignored: ids of clips have it where `V.mp4` and `V.wav` are in one folder.
"""

import re
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from cavmae_sync.data.spellings import Spellings, escaped, nfc
from cavmae_sync.errors import DatasetError
from cavmae_sync.media.suffixes import MEDIA_SUFFIXES

_ENDING: Final = re.compile(
    rf"({'|'.join(re.escape(suffix) for suffix in sorted(MEDIA_SUFFIXES))})(?=@\d+\.\d+$|$)", re.IGNORECASE
)
_NAME: Final = re.compile(
    r"(?P<prefix>Y?)(?P<video>[A-Za-z0-9_-]{11})"
    r"(?:_(?P<start>\d+(?:\.\d+)?)(?:_(?P<stop>\d+(?:\.\d+)?))?)?"
    r"(?:@(?P<cut>\d+\.\d+))?"
)
_RULES: Final = (
    "same path",
    "same name",
    "same path, other form",
    "same name, other form",
    "start in seconds",
    "start in milliseconds",
    "cut from the video",
    "video alone",
    "start not checked",
)
_PREFIXED: Final = "Y + "
_SECONDS_APART: Final = 5e-4


@dataclass(frozen=True, kw_only=True, slots=True)
class WantedClip:
    """Clip of a list that is looked for.

    Attributes:
        id: Id in the list.
        start_seconds: Start in its video; None = taken from an id in the form of VGGSound, or unknown.
    """

    id: str
    start_seconds: float | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class NameMatches:
    """Matches of names with the clips of a list.

    Attributes:
        wanted_of: For each name, the number of its clip in the list, or None.
        rule_of: For each name, the rule that matched it, or None.
        num_spare: Number of names whose clip is matched by another name with a better rule.
    """

    wanted_of: tuple[int | None, ...]
    rule_of: tuple[str | None, ...]
    num_spare: int

    @property
    def by_rule(self) -> dict[str, int]:
        """Number of names that each rule matched, in the order of the rules."""
        counts = Counter(rule for rule in self.rule_of if rule is not None)
        return {rule: counts[rule] for rule in sorted(counts, key=_rank)}


def match_names(names: Sequence[str], wanted: Sequence[WantedClip]) -> NameMatches:
    """Find the clip of a list for every name.

    Args:
        names: Paths, for example `part1/YTID_30.000`. Equal names are the same clip.
        wanted: The clips of the list, ids all different.

    Raises:
        DatasetError: A name matches several clips of the list, or several names match one clip, by one rule.
    """
    index = _Index(wanted)
    found = [index.find(name) for name in names]
    best: dict[int, tuple[int, list[str]]] = {}
    for name, match in zip(names, found, strict=True):
        if match is not None:
            number, place = match[0], _rank(match[1])
            other = best.get(number)
            if other is None or place < other[0]:
                best[number] = (place, [name])
            elif place == other[0] and name not in other[1]:
                other[1].append(name)
    for number, (_, several) in best.items():
        if len(several) > 1:
            first, second = several[:2]
            if nfc(first) == nfc(second):
                first, second = escaped(first), escaped(second)
            raise DatasetError(
                f"{wanted[number].id!r} could be {first} or {second}. Remove one of them, or list "
                f"each by its path without ending, for example {several[1]!r}."
            )
    kept = [match if match is not None and best[match[0]][0] == _rank(match[1]) else None for match in found]
    return NameMatches(
        wanted_of=tuple(None if match is None else match[0] for match in kept),
        rule_of=tuple(None if match is None else match[1] for match in kept),
        num_spare=sum(was is not None and now is None for was, now in zip(found, kept, strict=True)),
    )


class _Index:
    """Index of the clips of a list, by id and by video."""

    def __init__(self, wanted: Sequence[WantedClip]) -> None:
        self.wanted = wanted
        self.by_id: Mapping[str, int] = {clip.id: number for number, clip in enumerate(wanted)}
        self.spellings = Spellings(self.by_id)
        self.by_video: dict[str, list[tuple[int, float | None]]] = defaultdict(list)
        for number, clip in enumerate(wanted):
            parts = _NAME.fullmatch(clip.id)
            if parts is not None and not parts["prefix"]:
                start = clip.start_seconds
                if start is None and parts["start"] is not None:
                    start = float(parts["start"])
                self.by_video[parts["video"]].append((number, start))

    def find(self, name: str) -> tuple[int, str] | None:
        """Number of the matching clip in the list, and the rule; None without a match."""
        bare = _ENDING.sub("", name)
        last = bare.rpartition("/")[2]
        file = name.rpartition("/")[2]
        as_listed = (("same path", name), ("same path", bare), ("same name", file), ("same name", last))
        for rule, text in as_listed:
            if text in self.by_id:
                return self.by_id[text], rule
        for rule, text in as_listed:
            listed = self.spellings.find(text)
            if listed is not None:
                return self.by_id[listed], f"{rule}, other form"
        parts = _NAME.fullmatch(last)
        if parts is None:
            return None
        fitting = [
            (_RULES.index(rule), number)
            for number, start in self.by_video.get(parts["video"], ())
            if (rule := _rule(parts["start"], parts["cut"], start)) is not None
        ]
        if not fitting:
            return None
        best = min(place for place, _ in fitting)
        numbers = [number for place, number in fitting if place == best]
        if len(numbers) > 1:
            several = ", ".join(self.wanted[number].id for number in numbers[:3])
            raise DatasetError(
                f"{name} could be {len(numbers)} clips of the list: {several}. Add the start of the clip "
                f"to the name of the file, for example {parts['video']}_30."
            )
        return numbers[0], (_PREFIXED if parts["prefix"] else "") + _RULES[best]


def _rank(rule: str) -> int:
    """Rank of a rule; the smallest is the best."""
    plain = rule.removeprefix(_PREFIXED)
    return 2 * _RULES.index(plain) + (plain != rule)


def _rule(token: str | None, cut: str | None, start: float | None) -> str | None:
    """Rule by which a name of the right video matches a listed clip; None if it is another clip.

    Args:
        token: Start as it is written in the name; None if the name has none.
        cut: Second at which preparation cut the clip from its file; None if it is the whole file.
        start: Start of the listed clip in its video, in seconds; None if unknown.
    """
    if token is None and cut is None:
        return "video alone"
    if token is None or cut is None or float(cut) == 0:
        seconds = float(token or cut or 0)
    else:
        return None  # cut from the middle of a file that is itself a clip
    if start is None:
        return "start not checked" if token is not None else None
    if abs(seconds - start) < _SECONDS_APART:
        return "cut from the video" if token is None else "start in seconds"
    is_milliseconds = token is not None and token.isdigit() and abs(seconds / 1000 - start) < _SECONDS_APART
    return "start in milliseconds" if is_milliseconds else None
