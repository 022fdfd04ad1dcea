"""Hits: the moments that a search has found, with where they are and how well they fit."""

from dataclasses import asdict, dataclass
from typing import Any


@dataclass(frozen=True, kw_only=True, slots=True)
class Place:
    """A file in which a moment is.

    Attributes:
        root: Name of its root.
        path: Path below the root.
        is_offline: Whether the root is not there now.
    """

    root: str
    path: str
    is_offline: bool


@dataclass(frozen=True, kw_only=True, slots=True)
class Hit:
    """A moment that was found.

    Attributes:
        content: SHA-256 of the file.
        places: Files that hold it, the first one that is there in front.
        start_seconds: Start of the moment in the file.
        stop_seconds: End of it.
        offset_seconds: Time in the file at which the beginning of the query lies; negative where the file
            begins later.
        score: What hits are ordered by: nearness, in deviations of mismatched places.
        sound: Mean cosine of the query with the sound there; None where it has none.
        picture: The same with the picture.
        probability: Chance that a query without an answer in the library gets no hit as good; None where the
            library is too small to say.
    """

    content: str
    places: tuple[Place, ...]
    start_seconds: float
    stop_seconds: float
    offset_seconds: float
    score: float
    sound: float | None
    picture: float | None
    probability: float | None

    @property
    def file(self) -> Place:
        """The file to show."""
        return self.places[0]


@dataclass(frozen=True, kw_only=True, slots=True)
class Found:
    """Result of a search.

    Attributes:
        hits: Best first.
        matches: Number of hits above the cut-off; None where the library is too small to say. 0 means that
            nothing here matches.
        cutoff: The probability that a match must have.
        is_exact: Whether every place was looked at, so that no better one exists.
        num_contents: Contents that were searched.
        num_damaged: Contents that could not be: their parts are missing or damaged.
        searched_seconds: Length of them together.
        about: What was looked for.
        by: What hits are ordered by.
        seconds: Time that it took.
    """

    hits: tuple[Hit, ...]
    matches: int | None
    cutoff: float
    is_exact: bool
    num_contents: int
    num_damaged: int
    searched_seconds: float
    about: str
    by: str
    seconds: float

    def to_dict(self) -> dict[str, Any]:
        """All of it as JSON values."""
        return asdict(self)

    def by_file(self) -> list[tuple[Place, list[Hit]]]:
        """Hits grouped by file, in the order of the best of each."""
        groups: dict[str, list[Hit]] = {}
        for hit in self.hits:
            groups.setdefault(hit.content, []).append(hit)
        return [(hits[0].file, hits) for hits in groups.values()]


def verdict(found: Found) -> str:
    """Result in words: how many match, or that nothing does, or that it cannot be said."""
    hours = found.searched_seconds / 3600
    searched = f"{found.num_contents:,} files, {hours:.1f} hours"
    if found.matches is None:
        return f"Ranked, not judged: {searched} are too few to know how strangers score."
    if found.matches == 0:
        return f"Nothing here matches ({searched}; cut-off {found.cutoff:.0%}). The nearest moments:"
    count = "1 moment matches" if found.matches == 1 else f"{found.matches} moments match"
    return f"{count} ({searched}; cut-off {found.cutoff:.0%})."
