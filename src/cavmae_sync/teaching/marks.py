"""Marks: moments that somebody called yes or no. They are the user's own work, and are only ever added to.

    LIBRARY/taught/NAME/marks.jsonl   one JSON object a line: a mark, or what was done to an earlier one

Marks name a file by its content, so that they stay true where it moves, and can be given to others who have
it.
"""

import json
import os
import uuid
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Final, Literal

from cavmae_sync.atomic import locked
from cavmae_sync.embedding.library.schema import is_content
from cavmae_sync.errors import ConfigError, DatasetError
from cavmae_sync.teaching.moments import Span
from cavmae_sync.untrusted import checked, parse_json

#: How a moment came to be marked: the user found it or a search did, it was proposed because the probe is not
#: sure, because it is sure, at random from everything, or at random from what the probe calls present. Marks
#: of the last kind, "check", are not learned from: precision is estimated from them.
Reason = Literal["own", "search", "uncertain", "sure", "random", "check"]

MARKS_FILE: Final = "marks.jsonl"
#: Largest file of marks that is read; a mark takes about 300 bytes.
_MOST_BYTES: Final = 1 << 27
#: Two marks whose edges are no farther apart are of the same moment.
_SAME_SECONDS: Final = 1e-3
_LONGEST_NOTE: Final = 500


@dataclass(frozen=True, kw_only=True, slots=True)
class Mark:
    """Moment that was called yes or no.

    Attributes:
        content: SHA-256 of the file.
        start_seconds: Its start in the file.
        stop_seconds: Its end.
        is_match: Whether it is what is taught; None where the user cannot tell.
        reason: How it came to be marked.
        probability: What the probe said of it before, in [0, 1]; None where there was none.
        note: What the user wrote.
        id: Name of the mark.
        time: When it was made, ISO 8601.
    """

    content: str
    start_seconds: float
    stop_seconds: float
    is_match: bool | None
    reason: Reason = "own"
    probability: float | None = None
    note: str = ""
    id: str = field(default_factory=lambda: uuid.uuid4().hex)
    time: str = field(default_factory=lambda: datetime.now(UTC).isoformat(timespec="seconds"))

    @property
    def span(self) -> Span:
        """The moment."""
        return Span(content=self.content, start_seconds=self.start_seconds, stop_seconds=self.stop_seconds)

    def is_of(self, other: "Mark") -> bool:
        """Whether another mark is of the same moment."""
        return (
            self.content == other.content
            and abs(self.start_seconds - other.start_seconds) <= _SAME_SECONDS
            and abs(self.stop_seconds - other.stop_seconds) <= _SAME_SECONDS
        )


@dataclass(frozen=True, kw_only=True, slots=True)
class _Change:
    """What was done to earlier marks: they were undone, or are learned from although they were checks."""

    undo: tuple[str, ...] = ()
    learn: tuple[str, ...] = ()
    time: str = ""


def check_mark(mark: Mark) -> None:
    """Refuse a mark that cannot be one.

    Raises:
        ConfigError: Its content is no SHA-256, its times are not in order, or its note is too long.
    """
    if not is_content(mark.content):
        raise ConfigError(f"The mark names {mark.content!r:.80}, which is not the SHA-256 of a file.")
    if not 0 <= mark.start_seconds < mark.stop_seconds < float("inf"):
        raise ConfigError(
            f"The mark from {mark.start_seconds:g} to {mark.stop_seconds:g} s ends before it begins. Give "
            "its start and its end, in seconds from the start of the file."
        )
    if mark.probability is not None and not 0 <= mark.probability <= 1:
        raise ConfigError(f"The probability {mark.probability:g} of a mark must be in [0, 1].")
    if len(mark.note) > _LONGEST_NOTE or not mark.note.isprintable():
        raise ConfigError(f"The note of a mark must be one line of at most {_LONGEST_NOTE} letters.")


class MarkFile:
    """File of marks. Several processes may add to it at once.

    Args:
        folder: Folder of the file; made when something is added.
    """

    def __init__(self, folder: Path) -> None:
        self.path = folder / MARKS_FILE

    @property
    def stamp(self) -> tuple[int, int]:
        """Size and time of change, by which readers see that they have to look again."""
        try:
            found = self.path.stat()
        except FileNotFoundError:
            return 0, 0
        return found.st_size, found.st_mtime_ns

    def read(self) -> tuple[Mark, ...]:
        """Marks that hold, in the order in which they were made; the last one of a moment counts.

        A last line that a kill has cut is left out.

        Raises:
            DatasetError: A line is damaged; names it.
        """
        made, undone, learned = self._lines()
        holding: list[Mark] = []
        at: dict[tuple[str, int, int], int] = {}
        for mark in made:
            if mark.id in undone:
                continue
            if mark.id in learned and mark.reason == "check":
                mark = replace(mark, reason="random")
            key = (
                mark.content,
                round(mark.start_seconds / _SAME_SECONDS),
                round(mark.stop_seconds / _SAME_SECONDS),
            )
            if key in at:
                holding[at[key]] = mark
            else:
                at[key] = len(holding)
                holding.append(mark)
        return tuple(holding)

    def add(self, marks: Iterable[Mark]) -> None:
        """Add marks, all or none.

        Raises:
            ConfigError: One of them cannot be a mark.
            DatasetError: The file is damaged.
        """
        found = list(marks)
        for mark in found:
            check_mark(mark)
        self._append([dict[str, object](asdict(mark)) for mark in found])

    def undo(self, ids: Sequence[str] | None = None) -> tuple[Mark, ...]:
        """Take marks back. What was marked before of these moments holds again.

        Args:
            ids: Names of the marks; None takes the last one that was made.

        Returns:
            The marks that were taken back.

        Raises:
            ConfigError: There is no such mark, or none at all.
        """
        made, undone, _ = self._lines()
        known = {mark.id: mark for mark in made if mark.id not in undone}
        if not known:
            raise ConfigError("There is no mark to undo.")
        ids = [next(reversed(known))] if ids is None else list(dict.fromkeys(ids))
        if missing := [each for each in ids if each not in known]:
            raise ConfigError(f"There is no mark {missing[0]!r:.80}. It may have been undone already.")
        self._append([_change(undo=ids)])
        return tuple(known[each] for each in ids)

    def learn(self, ids: Sequence[str]) -> None:
        """Learn from marks that were checks so far."""
        if ids:
            self._append([_change(learn=list(ids))])

    def _lines(self) -> tuple[list[Mark], set[str], set[str]]:
        """All marks that were ever made, the ids of those undone, and of checks that are learned from."""
        made: list[Mark] = []
        undone: set[str] = set()
        learned: set[str] = set()
        for number, line in enumerate(self._whole().split(b"\n")[:-1], start=1):
            place = f"line {number}"
            remedy = "Mend or delete that line."
            try:
                content = parse_json(line)
            except ValueError as error:
                raise DatasetError(f"{self.path}, {place} is not JSON: {error}. {remedy}") from error
            if isinstance(content, dict) and content.keys() & {"undo", "learn"}:
                change = checked(content, _Change, path=self.path, field=place, remedy=remedy)
                undone.update(change.undo)
                learned.update(change.learn)
                continue
            mark = checked(content, Mark, path=self.path, field=place, remedy=remedy)
            try:
                check_mark(mark)
            except ConfigError as error:
                raise DatasetError(f"{self.path}, {place}: {error} {remedy}") from error
            made.append(mark)
        return made, undone, learned

    def _whole(self) -> bytes:
        try:
            if self.path.stat().st_size > _MOST_BYTES:
                raise DatasetError(
                    f"{self.path} is larger than {_MOST_BYTES >> 20} MB: it is no file of marks made by hand."
                )
            return self.path.read_bytes()
        except FileNotFoundError:
            return b""

    def _append(self, objects: Sequence[dict[str, object]]) -> None:
        """Add lines, flushed to disk. A line that a kill has cut is taken away first."""
        if not objects:
            return
        self._lines()
        text = "".join(json.dumps(each, allow_nan=False) + "\n" for each in objects).encode()
        with locked(self.path.with_suffix(".lock")), self.path.open("a+b") as file:
            before = self._whole()
            file.truncate(before.rfind(b"\n") + 1)
            file.seek(0, os.SEEK_END)
            file.write(text)
            file.flush()
            os.fsync(file.fileno())


def _change(**changed: list[str]) -> dict[str, object]:
    return {**changed, "time": datetime.now(UTC).isoformat(timespec="seconds")}
