"""Proposals: which moments to mark next.

Two kinds, each with its own use:

- *uncertain*: the probe is least sure of them, so that an answer teaches it most. At most one of each file,
  and none that looks or sounds like another one of them, as long as there are others.
- *check*: a random sample of what the probe calls present. They are not learned from; see `estimate`.

Before there is a probe: moments that are near the yes-marks (*sure*), and moments at *random*. Later, the
surest need half as many marks again to the same precision, and find less (docs/teach.md).
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from cavmae_sync.teaching.fitting import Directions
from cavmae_sync.teaching.marks import Reason
from cavmae_sync.teaching.moments import Moments, Span
from cavmae_sync.teaching.population import Population

#: Share of proposals that are checks, once there are enough marks.
CHECK_SHARE: Final = 0.3
#: Share of random moments while there is no probe.
_RANDOM_SHARE: Final = 0.4
#: Candidates for each proposal.
_CANDIDATES: Final = 40
#: Cosine of two features, in the directions of the library, from which on they are too alike.
_ALIKE: Final = 0.9


@dataclass(frozen=True, kw_only=True, slots=True)
class Proposal:
    """Moment to mark next.

    Attributes:
        content: SHA-256 of the file.
        start_seconds: Its start in the file.
        stop_seconds: Its end.
        reason: Why it is proposed; a mark of it must say the same.
        probability: What the probe says of it; None where there is no probe yet.
    """

    content: str
    start_seconds: float
    stop_seconds: float
    reason: Reason
    probability: float | None

    @property
    def span(self) -> Span:
        """The moment."""
        return Span(content=self.content, start_seconds=self.start_seconds, stop_seconds=self.stop_seconds)


def first_numbers(
    moments: Moments,
    is_open_N: NDArray[np.bool_],
    yes_nD: NDArray[np.float64],
    directions: Directions,
    *,
    count: int,
    generator: np.random.Generator,
) -> list[tuple[int, Reason]]:
    """Moments to mark before there is a probe: near the yes-marks, and at random.

    Args:
        moments: The library.
        is_open_N: Moments that may be proposed.
        yes_nD: Features of the yes-marks.
        directions: Directions of the library.
        count: How many.
        generator: Draws the random ones.
    """
    chosen: list[tuple[int, Reason]] = []
    num_near = count - round(_RANDOM_SHARE * count) if len(yes_nD) else 0
    if num_near:
        towards_D = directions.scaled_DD @ directions.apply(yes_nD).mean(axis=0)
        near_N = moments.logits(towards_D.astype(np.float32), 0.0)
        order = np.argsort(-np.where(is_open_N, near_N, -np.inf), kind="stable")[: _CANDIDATES * count]
        numbers = separate(moments, order[is_open_N[order]], directions, count=num_near)
        chosen.extend((number, "sure") for number in numbers)
    is_left_N = is_open_N.copy()
    is_left_N[[number for number, _ in chosen]] = False
    left = np.flatnonzero(is_left_N)
    drawn = generator.permutation(left)[: _CANDIDATES * count]
    numbers = separate(moments, drawn, directions, count=count - len(chosen))
    return [*chosen, *((number, "random") for number in numbers)]


def next_numbers(
    moments: Moments,
    population: Population,
    directions: Directions,
    *,
    count: int,
    num_checks: int,
) -> list[tuple[int, Reason]]:
    """Moments to mark for a probe.

    Args:
        moments: The library.
        population: What the probe says of it, and what is marked.
        directions: Directions of the library.
        count: How many.
        num_checks: How many of them are checks, where there are so many.
    """
    checks = [int(each) for each in population.unchecked()[:num_checks]]
    is_open_N = population.is_open_N.copy()
    is_open_N[checks] = False
    uncertain = _first(np.abs(population.logit_N), is_open_N, _CANDIDATES * count)
    numbers = separate(moments, uncertain, directions, count=count - len(checks))
    chosen: list[tuple[int, Reason]] = [(number, "uncertain") for number in numbers]
    return [*chosen, *((number, "check") for number in checks)]


def _first(value_N: NDArray[np.floating], is_open_N: NDArray[np.bool_], count: int) -> NDArray[np.int64]:
    """Open moments with the lowest values, lowest first."""
    numbers = np.flatnonzero(is_open_N)
    values = value_N[numbers]
    if len(numbers) > count:
        part = np.argpartition(values, count)[:count]
        numbers, values = numbers[part], values[part]
    return numbers[np.argsort(values, kind="stable")]


def separate(
    moments: Moments,
    order: NDArray[np.int64],
    directions: Directions,
    *,
    count: int,
) -> list[int]:
    """The first moments of an order, but for those of a file that has one, and those much like another.

    Where too few are left, these are taken too, in their order.

    Args:
        moments: The library.
        order: Candidates, best first.
        directions: Directions in which likeness is judged.
        count: How many.
    """
    if count <= 0 or not len(order):
        return []
    rows = _unit(directions.apply(moments.features(order)))
    row_of = {int(number): row for number, row in zip(order, rows, strict=True)}
    taken: list[int] = []
    contents: set[int] = set()
    for number in map(int, order):
        if len(taken) == count:
            return taken
        is_alike = any(float(row_of[number] @ row_of[other]) > _ALIKE for other in taken)
        if int(moments.content_N[number]) not in contents and not is_alike:
            contents.add(int(moments.content_N[number]))
            taken.append(number)
    return [*taken, *_others(order, taken, count - len(taken))]


def _others(order: NDArray[np.int64], taken: list[int], count: int) -> Iterator[int]:
    """Further moments of an order."""
    known, left = set(taken), count
    for number in map(int, order):
        if left == 0:
            return
        if number not in known:
            left -= 1
            yield number


def _unit(rows: NDArray[np.float64]) -> NDArray[np.float64]:
    return rows / np.maximum(np.linalg.norm(rows, axis=1, keepdims=True), np.finfo(np.float64).tiny)
