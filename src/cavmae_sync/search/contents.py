"""Contents of a library that a search may find, with their files, and filters on them.

C contents, in the order of `Timelines`.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import Final

import numpy as np
from numpy.typing import NDArray

from cavmae_sync.embedding.library import Catalogue, ContentRow, FileRow
from cavmae_sync.embedding.library.part import has_sense
from cavmae_sync.embedding.library.scan import is_offline
from cavmae_sync.embedding.library.schema import Sense
from cavmae_sync.search.hits import Place

#: Filters whose flags are kept: asking every content takes long in large libraries.
_MOST_KEPT: Final = 32


@dataclass(frozen=True, kw_only=True, slots=True)
class Filter:
    """Filter on files: those that may be found.

    Attributes:
        roots: Names of roots; empty for all.
        folder: Only files below this folder of a root.
        after_ns: Only files changed at this time or later, nanoseconds.
        before_ns: Only files changed before this time.
        least_seconds: Only files this long.
        most_seconds: Only files no longer than this.
        senses: Senses that a file must have.
    """

    roots: tuple[str, ...] = ()
    folder: str = ""
    after_ns: int | None = None
    before_ns: int | None = None
    least_seconds: float = 0.0
    most_seconds: float = float("inf")
    senses: tuple[Sense, ...] = ()

    def takes_file(self, row: FileRow) -> bool:
        """Whether a file may be found, by its place and time."""
        folder = self.folder.strip("/")
        is_there = not folder or row.path == folder or row.path.startswith(f"{folder}/")
        changed = row.changed_ns
        return (
            is_there
            and (not self.roots or row.root in self.roots)
            and (self.after_ns is None or (changed is not None and changed >= self.after_ns))
            and (self.before_ns is None or (changed is not None and changed < self.before_ns))
        )

    def takes_content(self, row: ContentRow) -> bool:
        """Whether a content may be found, by its length and senses."""
        is_long = self.least_seconds <= row.seconds <= self.most_seconds
        return is_long and all(has_sense(row, sense) for sense in self.senses)


def nanoseconds(day: date | None) -> int | None:
    """Beginning of a day, in UTC, as `Filter` takes it."""
    if day is None:
        return None
    return int(datetime(day.year, day.month, day.day, tzinfo=UTC).timestamp()) * 1_000_000_000


class HeldContents:
    """Contents that files of a library hold, as its catalogue said at one moment."""

    def __init__(self, catalogue: Catalogue) -> None:
        self.generation = catalogue.generation
        self._offline = {name for name, root in catalogue.roots().items() if is_offline(root)}
        self.rows = {row.content: row for row in catalogue.contents()}
        self._files: dict[str, list[FileRow]] = {}
        self._allowed: dict[tuple[Filter, int], NDArray[np.bool_]] = {}
        for row in catalogue.files(state="ok"):
            if row.content in self.rows:
                self._files.setdefault(row.content or "", []).append(row)

    def __iter__(self) -> Iterator[str]:
        """Contents, in the order of their first files."""
        return iter(self._files)

    def __contains__(self, content: str) -> bool:
        """Whether a file holds it."""
        return content in self._files

    def __len__(self) -> int:
        """Number of contents."""
        return len(self._files)

    def places(self, content: str) -> tuple[Place, ...]:
        """Files of a content, those that are there in front."""
        places = [
            Place(root=row.root, path=row.path, is_offline=row.root in self._offline)
            for row in self._files[content]
        ]
        return tuple(sorted(places, key=lambda place: (place.is_offline, place.root, place.path)))

    def allowed(self, contents: Sequence[str], wanted: Filter) -> NDArray[np.bool_]:
        """Flags of contents that may be found, bool [C]; kept for the next time, so do not change them."""
        key = (wanted, len(contents))
        if key not in self._allowed:
            if len(self._allowed) == _MOST_KEPT:
                self._allowed.clear()
            self._allowed[key] = np.array([self._takes(content, wanted) for content in contents], bool)
        return self._allowed[key]

    def _takes(self, content: str, wanted: Filter) -> bool:
        return (
            content in self._files
            and wanted.takes_content(self.rows[content])
            and any(map(wanted.takes_file, self._files[content]))
        )

    def having(self, contents: Sequence[str], senses: Sequence[Sense]) -> NDArray[np.bool_]:
        """Flags of contents that have all of some senses, bool [C]."""
        return self.allowed(contents, Filter(senses=tuple(senses)))
