"""Interval of a count among many things of which some were looked at."""

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray
from scipy.special import gammaln

#: Confidence of intervals.
CONFIDENCE: Final = 0.95


@dataclass(frozen=True, kw_only=True, slots=True)
class Interval:
    """Number with its interval.

    Attributes:
        value: The estimate.
        low: Lower end.
        high: Upper end.
    """

    value: float
    low: float
    high: float

    @property
    def width(self) -> float:
        """From the lower to the upper end."""
        return self.high - self.low


def count_bounds(
    num_yes: int, num_looked_at: int, num_all: int, *, confidence: float = CONFIDENCE
) -> tuple[int, int]:
    """Least and greatest number of yes among all things that fits what was seen in a random sample.

    Clopper and Pearson's interval for samples without replacement: both tails are exact, so that it holds at
    least as often as it says, whatever the true number is. If all were looked at, it is a point.

    >>> count_bounds(18, 20, 1000)
    (686, 987)
    >>> count_bounds(18, 20, 20)
    (18, 18)

    Args:
        num_yes: Yes among those that were looked at.
        num_looked_at: Size of the sample.
        num_all: Size of what it was drawn from.
        confidence: How often the interval holds at least.

    Raises:
        ValueError: The counts contradict each other.

    Source:
        Clopper, Pearson: The use of confidence or fiducial limits, Biometrika 26 (1934), with the
        hypergeometric distribution in the place of the binomial one.
    """
    if not 0 <= num_yes <= num_looked_at <= num_all:
        raise ValueError(f"{num_yes} yes of {num_looked_at} looked at of {num_all} is not possible")
    tail = (1 - confidence) / 2
    least, most = num_yes, num_all - (num_looked_at - num_yes)

    def chance(count: int, seen: range) -> float:
        """Chance of so many yes in the sample, if there are `count` of them in all."""
        return _hypergeometric(seen, num_all=num_all, count=count, num_looked_at=num_looked_at)

    def too_few(count: int) -> bool:
        """Whether so many yes in the sample would be a rare surprise."""
        return chance(count, range(num_yes, num_looked_at + 1)) <= tail

    def too_many(count: int) -> bool:
        """Whether so few would be."""
        return chance(count, range(num_yes + 1)) <= tail

    low, high = least, most
    while low < high:  # the first count that is not too few
        middle = (low + high) // 2
        low, high = (middle + 1, high) if too_few(middle) else (low, middle)
    first = low
    low, high = least, most
    while low < high:  # the last count that is not too many
        middle = (low + high + 1) // 2
        low, high = (low, middle - 1) if too_many(middle) else (middle, high)
    return first, low


def _hypergeometric(seen: range, *, num_all: int, count: int, num_looked_at: int) -> float:
    """Chance that the yes in a sample are in a range. scipy's distributions take ten times as long."""
    yes = np.arange(max(seen.start, num_looked_at - (num_all - count)), min(seen.stop, count + 1))
    ways = _log_ways(count, yes) + _log_ways(num_all - count, num_looked_at - yes)
    return float(np.exp(ways - _log_ways(num_all, np.array(num_looked_at))).sum())


def _log_ways(total: int, chosen: NDArray[np.int64]) -> NDArray[np.float64]:
    return gammaln(total + 1) - gammaln(chosen + 1) - gammaln(total - chosen + 1)


def share_interval(
    num_yes: int, num_unsure: int, num_looked_at: int, num_all: int, *, confidence: float = CONFIDENCE
) -> Interval:
    """Share of yes among all, from a random sample.

    What the user could not tell counts as no at the lower end and as yes at the upper one.

    Args:
        num_yes: Yes in the sample.
        num_unsure: Those that the user could not tell.
        num_looked_at: Size of the sample, those that the user could not tell too.
        num_all: Size of what it was drawn from.
        confidence: How often the interval holds at least.
    """
    low, _ = count_bounds(num_yes, num_looked_at, num_all, confidence=confidence)
    _, high = count_bounds(num_yes + num_unsure, num_looked_at, num_all, confidence=confidence)
    value = (num_yes + num_unsure / 2) / num_looked_at
    return Interval(value=value, low=low / num_all, high=high / num_all)
