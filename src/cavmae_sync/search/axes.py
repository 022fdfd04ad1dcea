"""Axes: how well the sound of a place fits, how well its picture does, on scales that can be put together.

P placements, K phases of a query, N moments of one, D width.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final

import numpy as np
from numpy.typing import NDArray

from cavmae_sync.embedding.library.schema import SENSES, Sense
from cavmae_sync.search.calibration import Axis, By, Calibration
from cavmae_sync.search.placements import Placements, placement_scores, scanned_scores
from cavmae_sync.search.query import Query
from cavmae_sync.search.timeline import Timelines

#: What hits are ordered by, and the senses of the library that it is about.
SENSES_OF: Final[Mapping[By, tuple[Sense, ...]]] = MappingProxyType(
    {"sound": ("audio",), "picture": ("visual",), "both": SENSES}
)


@dataclass(frozen=True, kw_only=True, slots=True)
class Scale:
    """Scale of each sense of the library for a kind of query, and how strangers score.

    Attributes:
        axes: Scale of each sense.
        calibration: How strangers score; None where the library is too small to know.
        is_sum: Whether axes that are there are summed, and not averaged.
    """

    axes: dict[Sense, Axis]
    calibration: Calibration | None = None
    is_sum: bool = False

    def combined(self, scores: Mapping[Sense, NDArray[np.float32]]) -> NDArray[np.float32]:
        """Values that hits are ordered by, like the scores: means, in deviations, over the axes."""
        standard = np.stack([self.axes[sense].standard(found) for sense, found in scores.items()])
        is_there = np.isfinite(standard)
        sums, counts = np.where(is_there, standard, 0).sum(axis=0), is_there.sum(axis=0)
        divisors = 1 if self.is_sum else np.maximum(counts, 1)
        return np.where(counts > 0, sums / divisors, -np.inf).astype(np.float32)


def asked(query: Query, sense: Sense) -> list[NDArray[np.float32]]:
    """Rows [N, D] of each phase that a sense of the library is compared with: the same, or the other."""
    return [each.rows.get(sense, next(iter(each.rows.values()))) for each in query.phases]


def axis_scores(
    timelines: Timelines,
    query: Query,
    placements: Placements,
    senses: tuple[Sense, ...] = SENSES,
    *,
    is_scanned: bool = False,
) -> dict[Sense, NDArray[np.float32]]:
    """Mean cosine of each phase of a query with each sense at some placements, float32 [K, P] each.

    Args:
        timelines: The library.
        query: The query.
        placements: Where it is laid.
        senses: Senses of the library.
        is_scanned: Whether these are all placements, so that one product over everything is faster.
    """
    score = scanned_scores if is_scanned else placement_scores
    return {sense: score(timelines, sense, asked(query, sense), placements) for sense in senses}
