"""Views behind a hit: how well a query fits along a whole file, and moment against moment.

P places of a file, N moments of a query, M of a file.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from cavmae_sync.embedding.library.schema import Sense
from cavmae_sync.search.axes import Scale
from cavmae_sync.search.calibration import By
from cavmae_sync.search.placements import all_placements
from cavmae_sync.search.query import Query
from cavmae_sync.search.scoring import Scorer

#: Parts of a strip at most: a longer file has the best fit of each part.
MOST_PARTS: Final = 600
#: Moments of each side of a table of similarities.
NUM_MOMENTS: Final = 16


@dataclass(frozen=True, kw_only=True, slots=True)
class Strip:
    """Fit of a query along a file, wherever it is laid.

    Attributes:
        start_seconds_P: Time in the file at which the query begins.
        score_P: What hits are ordered by.
        probability_P: Chance that a stranger's best hit is worse; None where the library is too small.
        step_seconds: Time that a place stands for.
        duration_seconds: Length of the query.
    """

    start_seconds_P: NDArray[np.float64]
    score_P: NDArray[np.float32]
    probability_P: NDArray[np.float64] | None
    step_seconds: float
    duration_seconds: float

    def to_dict(self) -> dict[str, Any]:
        """All of it as JSON values."""
        return {
            "start_seconds": np.round(self.start_seconds_P, 3).tolist(),
            "score": np.round(self.score_P.astype(np.float64), 4).tolist(),
            "probability": None if self.probability_P is None else np.round(self.probability_P, 5).tolist(),
            "step_seconds": self.step_seconds,
            "duration_seconds": self.duration_seconds,
        }


@dataclass(frozen=True, kw_only=True, slots=True)
class Similarity:
    """Cosines of the moments of a query with those of a file, and of the file's own sound and picture.

    Attributes:
        query_seconds_N: Times of the moments of the query.
        file_seconds_M: Times of the moments of the file.
        cosines: For "SENSE SENSE", of the query and of the file, float32 [N, M]; a moment that is absent is
            NaN.
        own_MM: Sound (rows) against picture (columns) of the file; None where it lacks one.
    """

    query_seconds_N: NDArray[np.float64]
    file_seconds_M: NDArray[np.float64]
    cosines: Mapping[tuple[Sense, Sense], NDArray[np.float32]]
    own_MM: NDArray[np.float32] | None

    def to_dict(self) -> dict[str, Any]:
        """All of it as JSON values; absent cosines are null."""
        return {
            "query_seconds": np.round(self.query_seconds_N, 3).tolist(),
            "file_seconds": np.round(self.file_seconds_M, 3).tolist(),
            "cosines": [
                {"query": query, "file": file, "values": _values(found)}
                for (query, file), found in self.cosines.items()
            ],
            "own": None if self.own_MM is None else _values(self.own_MM),
        }


def strip_of(scorer: Scorer, query: Query, by: By, scale: Scale, number: int) -> Strip:
    """Fit of a query along one content.

    Args:
        scorer: Scores over the library.
        query: The query.
        by: What hits are ordered by.
        scale: Scale of each axis.
        number: Number of the content.
    """
    timelines = scorer.timelines
    one_C = np.zeros(len(timelines.contents), bool)
    one_C[number] = True
    lengths = [len(each) for each in query.phases]
    placements = all_placements(timelines, lengths, allowed_C=one_C)
    order = np.argsort(placements.offset_P, kind="stable")
    total_KP = scorer.at(query, by, scale, placements.take(order)).total_KP
    score_P, phase_P = total_KP.max(axis=0), total_KP.argmax(axis=0)
    lead_K = np.array([phase.first_seconds for phase in query.phases])
    start_P = timelines.seconds_of(number, 0.0) + placements.offset_P[order] * timelines.step_seconds
    start_P = start_P - lead_K[phase_P]
    each = max(1, -(-len(score_P) // MOST_PARTS))
    best = [int(low + score_P[low : low + each].argmax()) for low in range(0, len(score_P), each)]
    best_P = score_P[best]
    return Strip(
        start_seconds_P=start_P[best],
        score_P=np.where(np.isfinite(best_P), best_P, np.float32(-99)),
        probability_P=None
        if scale.calibration is None
        else np.array(
            [scale.calibration.probability(float(s), num_tries=len(query.phases)) for s in best_P], float
        ),
        step_seconds=each * timelines.step_seconds,
        duration_seconds=query.duration_seconds,
    )


def similarity_at(
    scorer: Scorer, query: Query, number: int, start_seconds: float, *, comparable: tuple[Sense, ...]
) -> Similarity:
    """Cosines around a hit, of at most `NUM_MOMENTS` moments each.

    Args:
        scorer: Scores over the library.
        query: The query.
        number: Number of the content.
        start_seconds: Time in the file at which the query begins.
        comparable: Senses of the library that the query compares with.
    """
    timelines = scorer.timelines
    step, count = timelines.step_seconds, int(timelines.count_C[number])
    length = min(len(query), NUM_MOMENTS)
    place = round((start_seconds + query.first_seconds - float(timelines.start_seconds_C[number])) / step)
    low = int(np.clip(place - (NUM_MOMENTS - length) // 2, 0, max(count - NUM_MOMENTS, 0)))
    width = min(NUM_MOMENTS, count - low)
    rows = scorer.rows(number, low, width)
    cosines = {
        (asked, sense): _cosines(query.rows[asked][:length], rows[sense])
        for asked in query.senses
        for sense in rows
        if sense in comparable
    }
    has_both = len(rows) == 2 and len(comparable) == 2
    return Similarity(
        query_seconds_N=query.first_seconds + step * np.arange(length, dtype=np.float64),
        file_seconds_M=timelines.seconds_of(number, low) + step * np.arange(width, dtype=np.float64),
        cosines=cosines,
        own_MM=_cosines(rows["audio"], rows["visual"]) if has_both else None,
    )


def _cosines(one_ND: NDArray[np.float32], other_MD: NDArray[np.float32]) -> NDArray[np.float32]:
    found_NM = one_ND @ other_MD.T
    found_NM[~one_ND.any(axis=1)] = np.nan
    found_NM[:, ~other_MD.any(axis=1)] = np.nan
    return found_NM


def _values(cosines_NM: NDArray[np.float32]) -> list[list[float | None]]:
    return [[None if np.isnan(each) else round(float(each), 4) for each in row] for row in cosines_NM]
