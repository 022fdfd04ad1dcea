"""Estimate: how many of the moments that a probe calls present are right, with an interval, or why not.

It rests on checks alone: moments drawn at random from what the probe calls present, that it does not learn
from (`population`). Marks of moments that the probe was unsure of would make it look worse than it is, and
marks that it has learned from better.
"""

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit, logit

from cavmae_sync.teaching.intervals import CONFIDENCE, Interval, share_interval
from cavmae_sync.teaching.population import Population

#: Checks from which on a precision is stated: with fewer its interval is wider than a third even where all
#: checks are right.
LEAST_CHECKS: Final = 10
#: Width of the interval that more checks aim at.
WANTED_WIDTH: Final = 0.2
#: Probabilities that are offered as thresholds. Few, because the interval allows for the choice among them.
THRESHOLDS: Final = (0.5, 0.6, 0.7, 0.8, 0.9, 0.95)


@dataclass(frozen=True, kw_only=True, slots=True)
class Estimate:
    """How good a probe is on the library.

    Attributes:
        threshold: Probability from which on it calls a moment present.
        num_present: Moments that it calls present.
        num_known: Those of them that a mark says yes to that was learned from.
        num_rest: Those that no learned mark covers: what the precision is about.
        num_checks: Checks that count: a random sample of the rest.
        num_right: Checks that were a yes.
        num_unsure: Checks of which the user could not tell. They count as no at the lower end of the
            interval, and as yes at the upper one.
        precision: Share of the rest that is right; None where it cannot be stated.
        num_found: Right moments among all those called present; None where it cannot be stated.
        more_checks: Checks that are still needed: to state a precision, or for an interval of 20 points,
            where it stays as it is. 0 where nothing more is needed.
        reason: Why there is no precision, or what it rests on.
    """

    threshold: float
    num_present: int
    num_known: int
    num_rest: int
    num_checks: int
    num_right: int
    num_unsure: int
    precision: Interval | None
    num_found: Interval | None
    more_checks: int
    reason: str


def estimate_of(
    population: Population, *, threshold: float = 0.5, confidence: float = CONFIDENCE
) -> Estimate:
    """Estimate for a threshold.

    Args:
        population: What the probe says of every moment, and the marks.
        threshold: Probability from which on a moment counts as present, in (0, 1).
        confidence: How often the interval holds at least.
    """
    line = float(logit(threshold))
    answers, num_rest = population.checked(line)
    num_checks, num_right, num_unsure = len(answers), int((answers == 1).sum()), int((answers == 2).sum())
    num_known = population.num_known(line)
    needed = min(LEAST_CHECKS, num_rest)
    precision = num_found = None
    if num_rest and num_checks >= needed:
        precision = share_interval(num_right, num_unsure, num_checks, num_rest, confidence=confidence)
        num_found = Interval(
            value=num_known + num_rest * precision.value,
            low=num_known + num_rest * precision.low,
            high=num_known + num_rest * precision.high,
        )
        more_checks = _more(precision.value, num_checks, num_rest, confidence=confidence)
    else:
        more_checks = max(needed - num_checks, 0)
    return Estimate(
        threshold=threshold,
        num_present=int(population.is_present_N(line).sum()),
        num_known=num_known,
        num_rest=num_rest,
        num_checks=num_checks,
        num_right=num_right,
        num_unsure=num_unsure,
        precision=precision,
        num_found=num_found,
        more_checks=more_checks,
        reason=_reason(num_rest, num_checks, needed),
    )


def threshold_for(
    population: Population, wanted: float, *, confidence: float = CONFIDENCE
) -> Estimate | None:
    """Estimate at the lowest threshold whose precision is at least as wanted; None where none is known.

    The interval is wider than that of one threshold, by Bonferroni's rule: it holds although the threshold
    was chosen by looking at the same checks.

    Args:
        population: What the probe says of every moment, and the marks.
        wanted: Precision, in (0, 1].
        confidence: How often the intervals of all thresholds hold together.
    """
    each = 1 - (1 - confidence) / len(THRESHOLDS)
    for threshold in THRESHOLDS:
        found = estimate_of(population, threshold=threshold, confidence=each)
        if found.precision is not None and found.precision.value >= wanted:
            return found
    return None


def probability_of(logits: NDArray[np.floating] | np.floating) -> NDArray[np.float64]:
    """Probability of logits, in [0, 1]."""
    return expit(np.asarray(logits, np.float64))


def _more(share: float, num_checks: int, num_rest: int, *, confidence: float) -> int:
    """Checks that are missing for an interval of the wanted width, if the share stays as it is."""

    def is_narrow(count: int) -> bool:
        found = share_interval(round(share * count), 0, count, num_rest, confidence=confidence)
        return found.width <= WANTED_WIDTH

    low, high = num_checks, num_rest
    while low < high:  # of all, the interval is a point
        middle = (low + high) // 2
        low, high = (low, middle) if is_narrow(middle) else (middle + 1, high)
    return low - num_checks


def _reason(num_rest: int, num_checks: int, needed: int) -> str:
    if num_rest == 0:
        return (
            "The probe calls no moment present that is not marked already, so there is nothing to estimate."
        )
    if num_checks < needed:
        return (
            f"{num_checks} of {needed} checks are made: moments drawn at random from the {num_rest:,} that "
            "the probe calls present. Before that, a precision would be a guess."
        )
    return f"Of {num_checks} moments drawn at random from the {num_rest:,} that the probe calls present."
