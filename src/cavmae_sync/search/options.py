"""Options of a search, and a moment of a library."""

from dataclasses import dataclass, field

from cavmae_sync.search.calibration import By
from cavmae_sync.search.contents import Filter


@dataclass(frozen=True, kw_only=True, slots=True)
class Moment:
    """A stretch of a content of the library."""

    content: str
    start_seconds: float
    stop_seconds: float


@dataclass(frozen=True, kw_only=True, slots=True)
class SearchOptions:
    """Options of a search.

    Attributes:
        by: What hits are ordered by; None takes the senses that the query has, where the library has them.
        num_hits: Hits at most.
        cutoff: Probability that a match must have.
        filter: Which files may be found.
        is_exact: Whether every placement must be scored, however long it takes.
        without: Moment of the library that is not to be found: that which the query was taken from.
    """

    by: By | None = None
    num_hits: int = 10
    cutoff: float = 0.95
    filter: Filter = field(default_factory=Filter)
    is_exact: bool = False
    without: Moment | None = None
