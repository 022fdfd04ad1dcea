"""Detection metrics: rates, areas under the curve and spans, with intervals over independent units.

Letters: U units that are resampled as a whole (videos), X resamples, S scores.
"""

from collections.abc import Callable, Sequence
from typing import Final

import numpy as np
import torch
from numpy.typing import NDArray
from sklearn.metrics import roc_auc_score

from cavmae_sync.metrics.bootstrap import Interval, interval

#: Least intersection over union of a true span and the reported span that finds it.
LEAST_OVERLAP: Final = 0.3
Span = tuple[float, float]


def rate(hits_U: NDArray[np.floating], trials_U: NDArray[np.floating]) -> float | None:
    """Hits divided by trials of all units together, in [0, 1]; None without trials."""
    return float(hits_U.sum() / trials_U.sum()) if trials_U.sum() > 0 else None


def area_under_roc(positive_S: NDArray[np.floating], negative_S: NDArray[np.floating]) -> float | None:
    """Probability that a positive scores above a negative, ties counting half; 0.5 is chance.

    None if either is empty. Scores must be finite.
    """
    if len(positive_S) == 0 or len(negative_S) == 0:
        return None
    truth = np.concatenate([np.ones(len(positive_S)), np.zeros(len(negative_S))])
    return float(roc_auc_score(truth, np.concatenate([positive_S, negative_S])))


def count_found(found: Sequence[Span], planted: Sequence[Span]) -> tuple[int, int, int]:
    """Number of planted spans that were found, of those missed, and of false reports.

    Each reported span is paired with at most one planted span, the best pairs first. A pair needs an
    intersection over union of 0.3.
    """
    pairs = sorted(
        ((_overlap(one, other), i, j) for i, one in enumerate(found) for j, other in enumerate(planted)),
        reverse=True,
    )
    used: set[int] = set()
    answered: set[int] = set()
    for overlap, i, j in pairs:
        if overlap >= LEAST_OVERLAP and i not in used and j not in answered:
            used.add(i)
            answered.add(j)
    return len(answered), len(planted) - len(answered), len(found) - len(used)


def f1_score(num_found: int, num_missed: int, num_false: int) -> float | None:
    """Harmonic mean of precision and recall, in [0, 1]; None if nothing was planted and nothing reported."""
    total = 2 * num_found + num_missed + num_false
    return 2 * num_found / total if total else None


def interval_over_units(
    statistic: Callable[[NDArray[np.intp]], float | None],
    *,
    num_units: int,
    num_resamples: int,
    generator: np.random.Generator,
) -> Interval | None:
    """95 % interval of a statistic, from resamples of its units.

    The seconds of one video are not independent, so videos are resampled and not seconds.

    Args:
        statistic: Function of the indices of some units, with repeats; None where it is not defined, and such
            resamples are left out.
        num_units: Number of units.
        num_resamples: Number of resamples.
        generator: Source of the draws.

    Returns:
        The interval; None if fewer than half of the resamples have a value.
    """
    draws_XU = generator.integers(num_units, size=(num_resamples, num_units))
    values = [value for value in map(statistic, draws_XU) if value is not None]
    if num_resamples == 0 or 2 * len(values) < num_resamples:
        return None
    return interval(torch.tensor(values, dtype=torch.float64))


def _overlap(one: Span, other: Span) -> float:
    shared = max(0.0, min(one[1], other[1]) - max(one[0], other[0]))
    union = (one[1] - one[0]) + (other[1] - other[0]) - shared
    return shared / union if union > 0 else 0.0
