"""Calibration: how good the best hit of a query is that has no answer in the library.

Stretches of the library itself are asked as queries, and their own file is left out (in a library of few
files their own neighbourhood): what they then find is mismatched. Scores are logarithms of distances, since
the least of many distances follows Weibull's distribution, and its logarithm Gumbel's. It is fitted to the
lower half of what the stretches found. The upper half is left to itself, because there stand stretches that
do have an answer: libraries hold the same thing several times. The chance that a query without an answer
gets a hit as good is p, and a hit's *probability* is 1 - p.

M stretches.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, Literal, Self

import numpy as np
from numpy.typing import NDArray

#: What hits are ordered by: how well their sound fits, their picture, or both.
By = Literal["sound", "picture", "both"]

#: Clips below which nothing is calibrated: too few strangers for each.
LEAST_CLIPS: Final = 20
#: Stretches that are asked.
NUM_STRETCHES: Final = 200
#: Quantiles of their best scores that the distribution is fitted to.
_QUANTILES: Final = (0.1, 0.5)
#: 1 - cosine below which things count as equal: float16 and other encodings of a sound differ by so much.
_LEAST_DISTANCE: Final = 1e-3


@dataclass(frozen=True, kw_only=True, slots=True)
class Axis:
    """Scale of one axis, from random mismatched placements.

    Attributes:
        mean: Mean of their nearness.
        deviation: Standard deviation of it.
        is_linear: Whether cosines count as they are, and not as nearness.
    """

    mean: float = 0.0
    deviation: float = 1.0
    is_linear: bool = False

    @classmethod
    def of(cls, scores: Sequence[float]) -> Self:
        """The scale of some mean cosines; where they tell nothing, nearness stays as it is."""
        near = nearness(np.array(scores, np.float32))
        deviation = float(near.std()) if len(near) > 1 else 0.0
        return cls(mean=float(near.mean()), deviation=deviation) if deviation > 0 else cls()

    def standard(self, cosines: NDArray[np.float32]) -> NDArray[np.float32]:
        """Mean cosines in standard deviations above the mean; -inf stays what it is."""
        return ((cosines if self.is_linear else nearness(cosines)) - self.mean) / self.deviation


def nearness(cosines: NDArray[np.float32]) -> NDArray[np.float32]:
    """Minus the logarithm of 1 - cosine, which is half the squared distance of unit vectors.

    >>> [round(float(each), 1) for each in nearness(np.array([0.5, 0.9, 1.0], np.float32))]
    [0.7, 2.3, 6.9]
    """
    return -np.log(np.maximum(1 - cosines, _LEAST_DISTANCE))


@dataclass(frozen=True, kw_only=True, slots=True)
class Calibration:
    """Distribution of the best score of a query without an answer: Gumbel's.

    Attributes:
        location: Its mode.
        width: Its scale, > 0.
    """

    location: float
    width: float

    @classmethod
    def of(cls, best_M: NDArray[np.float64]) -> Self | None:
        """Fit to best scores of stretches, by their lower half; None where they tell nothing.

        >>> found = Calibration.of(np.random.default_rng(0).gumbel(2.0, 0.5, 100_000))
        >>> round(found.location, 1), round(found.width, 1)
        (2.0, 0.5)
        """
        finite_M = best_M[np.isfinite(best_M)]
        if len(finite_M) < LEAST_CLIPS:
            return None
        low, high = np.quantile(finite_M, _QUANTILES)
        # The quantile q of Gumbel's distribution is location - width * ln(-ln q).
        at_low, at_high = (-math.log(-math.log(q)) for q in _QUANTILES)
        width = float(high - low) / (at_high - at_low)
        return cls(location=float(high) - width * at_high, width=width) if width > 0 else None

    def probability(self, score: float, *, num_tries: int = 1) -> float:
        """1 - p of a score, in [0, 1].

        Args:
            score: Best score of several tries.
            num_tries: Their number, taken as independent. Phases of a query are such tries: uncounted, four
                let 20 % of strangers pass where 5 % were stated (docs/results.md).

        >>> round(Calibration(location=0.0, width=1.0).probability(2.97), 3)
        0.95
        """
        one = math.exp(-math.exp(min(-(score - self.location) / self.width, 700.0)))
        return one**num_tries


def draw_stretches(
    count_C: NDArray[np.int64], *, length: int, num: int, seed: int = 0
) -> list[tuple[int, int]]:
    """Stretches of a library, drawn evenly over its places: number of the content and place in it.

    Args:
        count_C: Places of each content that may be drawn; zero for others.
        length: Places of a stretch.
        num: Number of stretches.
        seed: The same seed gives the same stretches.
    """
    generator = np.random.default_rng(seed)
    room_C = np.maximum(count_C - length + 1, 0)
    starts_C = np.cumsum(room_C) - room_C
    if room_C.sum() == 0:
        return []
    drawn = generator.integers(0, room_C.sum(), num)
    numbers = np.searchsorted(starts_C + room_C, drawn, side="right")
    return [(int(each), int(at - starts_C[each])) for each, at in zip(numbers, drawn, strict=True)]
