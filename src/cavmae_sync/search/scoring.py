"""Scores of a query over a library: of every placement where it is small, else of those worth a look.

C contents, P placements, K phases of a query, N moments of one.
"""

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from cavmae_sync.embedding.library.schema import SENSES, Sense
from cavmae_sync.search.axes import SENSES_OF, Scale, asked, axis_scores
from cavmae_sync.search.calibration import By
from cavmae_sync.search.indexes import CoarseIndexes
from cavmae_sync.search.placements import Placements, all_placements, joined, likely_placements
from cavmae_sync.search.query import Query
from cavmae_sync.search.timeline import Timelines
from cavmae_sync.search.windows import SHORT_QUERY

#: Placements times moments of a query up to which every placement is scored.
_SCAN_UP_TO: Final = 1 << 20
#: Numbers of all grids up to which they are multiplied at once, and places for each placement.
_SCANNED_NUMBERS: Final = 1 << 28
_SCANNED_RATIO: Final = 8


@dataclass(frozen=True, kw_only=True, slots=True)
class Scored:
    """Placements of a query with their scores.

    Attributes:
        placements: Where it was laid.
        total_KP: What hits are ordered by, for each phase; -inf where it cannot lie there.
        is_exact: Whether these are all placements.
    """

    placements: Placements
    total_KP: NDArray[np.float32]
    is_exact: bool


class Scorer:
    """Scores of queries over timelines.

    Args:
        timelines: The library.
        indexes: Its coarse indexes.
    """

    def __init__(self, timelines: Timelines, indexes: CoarseIndexes) -> None:
        self.timelines, self._indexes = timelines, indexes

    def follow(self, timelines: Timelines) -> None:
        """Use timelines that hold more."""
        self.timelines = timelines
        self._indexes.follow(timelines)

    def warm_up(self) -> None:
        """Make the indexes that questions of any length ask, where the library is too large to scan."""
        if self.timelines.num_places <= _SCAN_UP_TO:
            return
        for sense in SENSES:
            for is_short in (True, False):
                self._indexes.get(sense, is_short=is_short)

    def scored(
        self,
        query: Query,
        by: By,
        scale: Scale,
        allowed_C: NDArray[np.bool_],
        *,
        is_exact: bool = False,
    ) -> Scored:
        """Scores of a query.

        Args:
            query: The query.
            by: What hits are ordered by.
            scale: Scale of each axis.
            allowed_C: Contents that may be found.
            is_exact: Whether to score every placement, however many there are.
        """
        counts, lengths = self.timelines.count_C[allowed_C], [len(each) for each in query.phases]
        num_placements = int((np.abs(counts - len(query)) + 1).sum())
        if is_exact or num_placements * len(query) <= _SCAN_UP_TO:
            placements = all_placements(self.timelines, lengths, allowed_C=allowed_C)
            # One product over everything is faster where nearly everything is asked, and fits.
            num_places = self.timelines.num_places
            is_scanned = num_places * self.timelines.width <= _SCANNED_NUMBERS
            is_scanned &= num_places <= _SCANNED_RATIO * max(len(placements), 1)
            return self.at(query, by, scale, placements, is_all=True, is_scanned=is_scanned)
        found: list[Placements] = []
        for sense in SENSES_OF[by]:
            made = self._indexes.get(sense, is_short=len(query) <= SHORT_QUERY)
            allowed_W = None if allowed_C.all() else allowed_C[made.content_W]
            rows = asked(query, sense)
            found.append(
                likely_placements(self.timelines, made.index, made.place_W, rows, allowed_W=allowed_W)
            )
        return self.at(query, by, scale, joined(found))

    def at(
        self,
        query: Query,
        by: By,
        scale: Scale,
        placements: Placements,
        *,
        is_all: bool = False,
        is_scanned: bool = False,
    ) -> Scored:
        """Scores at some placements, or at all; see `axis_scores`."""
        scores = axis_scores(self.timelines, query, placements, SENSES_OF[by], is_scanned=is_scanned)
        return Scored(placements=placements, total_KP=scale.combined(scores), is_exact=is_all)

    def rows(self, number: int, place: int, length: int) -> dict[Sense, NDArray[np.float32]]:
        """Rows of a content from a place on, of each sense that is there."""
        at = np.array([int(self.timelines.first_C[number]) + place])
        found = {sense: self.timelines.spans(sense, at, length)[0].astype(np.float32) for sense in SENSES}
        return {sense: rows for sense, rows in found.items() if (rows != 0).any()}
