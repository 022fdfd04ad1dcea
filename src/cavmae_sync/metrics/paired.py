"""Differences between two ways, measured with the same seeds: their mean and its interval.

S seeds.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from math import sqrt
from statistics import fmean, stdev

from scipy.stats import t


@dataclass(frozen=True, kw_only=True, slots=True)
class PairedDifference:
    """Mean difference over seeds.

    Attributes:
        mean: Mean of the differences.
        half_width: Half of the 95 % interval around it (Student's t); infinite for one seed.
        num_seeds: Seeds that both ways have.
    """

    mean: float
    half_width: float
    num_seeds: int

    @property
    def low(self) -> float:
        """Lower end of the interval."""
        return self.mean - self.half_width

    @property
    def high(self) -> float:
        """Upper end of the interval."""
        return self.mean + self.half_width


def paired_difference(first: Mapping[int, float], second: Mapping[int, float]) -> PairedDifference | None:
    """Difference first - second over the seeds that both have; None if they have none.

    Args:
        first: Value by seed.
        second: Value by seed.
    """
    differences_S = [first[seed] - second[seed] for seed in sorted(first.keys() & second.keys())]
    if not differences_S:
        return None
    return PairedDifference(
        mean=fmean(differences_S), half_width=mean_half_width(differences_S), num_seeds=len(differences_S)
    )


def mean_half_width(values_S: list[float]) -> float:
    """Half of the 95 % interval of a mean over seeds, by Student's t; infinite for one value."""
    count = len(values_S)
    if count < 2:
        return float("inf")
    return float(t.ppf(0.975, count - 1)) * stdev(values_S) / sqrt(count)
