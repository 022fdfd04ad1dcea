"""Proposals that are kept until they are answered, and marks from what people type.

    LIBRARY/taught/NAME/proposed.json   the last proposals, in their order

A mark is named by the number of a proposal, or by a file and a span as results show them.
"""

import json
import re
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Final

from cavmae_sync.atomic import write_text
from cavmae_sync.errors import ConfigError
from cavmae_sync.search import parse_span
from cavmae_sync.teaching.marks import Mark
from cavmae_sync.teaching.proposals import Proposal
from cavmae_sync.teaching.taught import Taught
from cavmae_sync.untrusted import read_json

_FILE: Final = "proposed.json"
_REMEDY: Final = "Ask for proposals again: cavmae-sync teach next LIBRARY NAME"
_NUMBERS: Final = re.compile(r"\d{1,6}(-\d{1,6})?(,\d{1,6}(-\d{1,6})?)*")


@dataclass(frozen=True, kw_only=True, slots=True)
class _Proposed:
    proposals: tuple[Proposal, ...]


def keep_proposals(taught: Taught, proposals: Sequence[Proposal]) -> None:
    """Keep proposals, in the place of earlier ones, so that they can be answered by their numbers."""
    text = json.dumps({"proposals": [asdict(each) for each in proposals]}, indent=1)
    write_text(taught.folder / _FILE, text + "\n")


def kept_proposals(taught: Taught) -> tuple[Proposal, ...]:
    """The last proposals; none where there were none.

    Raises:
        DatasetError: Their file is damaged.
    """
    path = taught.folder / _FILE
    return read_json(path, _Proposed, remedy=_REMEDY).proposals if path.is_file() else ()


def typed_marks(taught: Taught, words: Sequence[str], *, is_match: bool | None) -> list[Mark]:
    """Marks of moments that are named by words.

    Args:
        taught: What is taught.
        words: Numbers of the last proposals (`3`, `1,4-6`), or ROOT/PATH@START-STOP.
        is_match: What is said of them; None where the user cannot tell.

    Raises:
        ConfigError: There is no such proposal, or the library has no such file.
    """
    proposals = kept_proposals(taught)
    named: dict[str, str | None] = {}
    found: list[Mark] = []
    for word in words:
        if _NUMBERS.fullmatch(word):
            found += [_answer(proposals, number, is_match) for number in _numbers(word)]
            continue
        if not named:
            named = {f"{row.root}/{row.path}": row.content for row in taught.library.files()}
        path, span = parse_span(word)
        content = named.get(path.as_posix())
        if content is None or span.stop_seconds is None:
            raise ConfigError(
                f"{word!r:.200} is no moment of the library. Write ROOT/PATH@START-STOP as results show "
                "it, or the number of a proposal of `teach next`."
            )
        found.append(
            Mark(
                content=content,
                start_seconds=span.start_seconds,
                stop_seconds=span.stop_seconds,
                is_match=is_match,
            )
        )
    return found


def answered(proposal: Proposal, *, is_match: bool | None, note: str = "") -> Mark:
    """Mark that answers a proposal."""
    return Mark(
        content=proposal.content,
        start_seconds=proposal.start_seconds,
        stop_seconds=proposal.stop_seconds,
        is_match=is_match,
        reason=proposal.reason,
        probability=proposal.probability,
        note=note,
    )


def _answer(proposals: Sequence[Proposal], number: int, is_match: bool | None) -> Mark:  # noqa: FBT001
    if not 1 <= number <= len(proposals):
        raise ConfigError(f"There is no proposal {number}: the last `teach next` gave {len(proposals)}.")
    return answered(proposals[number - 1], is_match=is_match)


def _numbers(word: str) -> list[int]:
    """Numbers of a word.

    >>> _numbers("1,4-6")
    [1, 4, 5, 6]
    """
    found: list[int] = []
    for part in word.split(","):
        first, _, last = part.partition("-")
        found += range(int(first), int(last or first) + 1)
    return found
