"""Classes that are taught on the page: marks, proposals and what they find, as JSON values."""

from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

from cavmae_sync.embedding.library import Library
from cavmae_sync.search import LibrarySearch, Place
from cavmae_sync.teaching import (
    ExportFormat,
    Mark,
    Taught,
    TaughtSense,
    TaughtState,
    export_marks,
    list_taught,
)


class TaughtClasses:
    """Classes of a library. Calls must not overlap.

    Args:
        library: The library.
        search: Search over it, shared with the service.
    """

    def __init__(self, library: Library, search: LibrarySearch) -> None:
        self._library, self._search = library, search
        self._opened: dict[str, Taught] = {}

    def states(self) -> list[dict[str, Any]]:
        """State of each class."""
        return [self.state(name) for name in list_taught(self._library)]

    def begin(self, name: str, sense: TaughtSense) -> dict[str, Any]:
        """Begin a class, or go on with it.

        Raises:
            ConfigError: The name cannot be one, or it was begun with another sense.
        """
        self._opened[name] = Taught(self._library, name, sense=sense, search=self._search)
        return self.state(name)

    def state(self, name: str) -> dict[str, Any]:
        """State of a class.

        Raises:
            ConfigError: There is none of this name.
        """
        taught = self._get(name)
        return _state(taught.state(), len(taught.marks()))

    def add(self, name: str, marks: Sequence[Mark]) -> dict[str, Any]:
        """Add marks, learn from them, and say how it stands."""
        taught = self._get(name)
        taught.add(marks)
        return _state(taught.fit(), len(taught.marks()))

    def undo(self, name: str) -> dict[str, Any]:
        """Undo the last mark."""
        taught = self._get(name)
        taught.undo()
        return _state(taught.fit(), len(taught.marks()))

    def proposals(self, name: str, count: int) -> list[dict[str, Any]]:
        """Moments to mark next, in the form of hits."""
        taught = self._get(name)
        return [
            _hit(each.content, taught.places(each.content), each.start_seconds, each.stop_seconds)
            | {"probability": each.probability, "how": each.reason}
            for each in taught.propose(count)
        ]

    def ranked(self, name: str, count: int) -> list[dict[str, Any]]:
        """Moments that the class is surest of, in the form of hits."""
        return [
            _hit(each.content, each.places, each.start_seconds, each.stop_seconds)
            | {"probability": each.probability, "how": "sure"}
            for each in self._get(name).ranked(count)
        ]

    def marks_file(self, name: str, kind: ExportFormat) -> bytes:
        """Marks of a class as a file."""
        return export_marks(self._get(name), kind)

    def _get(self, name: str) -> Taught:
        if name not in self._opened:
            self._opened[name] = Taught(self._library, name, search=self._search)
        return self._opened[name]


def _state(state: TaughtState, num_marks: int) -> dict[str, Any]:
    estimate = state.estimate
    precision = None if estimate is None else estimate.precision
    return {
        "name": state.name,
        "sense": state.sense,
        "num_yes": state.counts.num_yes,
        "num_no": state.counts.num_no,
        "num_marks": num_marks,
        "state": " ".join(filter(None, (state.reason, state.advice, state.note))),
        "is_fitted": state.probe is not None,
        "num_present": 0 if estimate is None else estimate.num_present,
        "precision": None if precision is None else asdict(precision),
        "probe": state.probe,
    }


def _hit(
    content: str, places: tuple[Place, ...], start_seconds: float, stop_seconds: float
) -> dict[str, Any]:
    return {
        "content": content,
        "places": [asdict(place) for place in places],
        "start_seconds": start_seconds,
        "stop_seconds": stop_seconds,
        "offset_seconds": start_seconds,
        "score": 0.0,
        "sound": None,
        "picture": None,
    }
