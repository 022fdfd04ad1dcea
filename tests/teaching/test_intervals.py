"""Intervals against a second implementation in whole numbers, and how often they hold."""

from fractions import Fraction
from math import comb

import pytest

from cavmae_sync.teaching.intervals import count_bounds, share_interval


def chance(num_yes: int, num_looked_at: int, num_all: int, count: int) -> Fraction:
    """Chance of so many yes in a sample, where there are `count` of them, exactly."""
    ways = comb(count, num_yes) * comb(num_all - count, num_looked_at - num_yes)
    return Fraction(ways, comb(num_all, num_looked_at))


def by_hand(num_yes: int, num_looked_at: int, num_all: int) -> tuple[int, int]:
    """Every count is tried: it is inside unless what was seen, or more of it, is rarer than 1 in 40."""
    tail = Fraction(1, 40)
    inside = [
        count
        for count in range(num_yes, num_all - (num_looked_at - num_yes) + 1)
        if sum(chance(k, num_looked_at, num_all, count) for k in range(num_yes, num_looked_at + 1)) > tail
        and sum(chance(k, num_looked_at, num_all, count) for k in range(num_yes + 1)) > tail
    ]
    return inside[0], inside[-1]


@pytest.mark.parametrize("num_all", [1, 7, 30])
def test_bounds_equal_those_in_whole_numbers(num_all: int):
    for num_looked_at in range(1, num_all + 1):
        for num_yes in range(num_looked_at + 1):
            assert count_bounds(num_yes, num_looked_at, num_all) == by_hand(num_yes, num_looked_at, num_all)


def test_it_holds_at_least_as_often_as_it_says():
    """For every true count: the chance, over all samples, that it is inside."""
    num_all, num_looked_at = 60, 15
    bounds = [count_bounds(k, num_looked_at, num_all) for k in range(num_looked_at + 1)]
    for count in range(num_all + 1):
        held = sum(
            chance(k, num_looked_at, num_all, count)
            for k in range(num_looked_at + 1)
            if k <= count and num_looked_at - k <= num_all - count and bounds[k][0] <= count <= bounds[k][1]
        )
        assert held >= Fraction(95, 100), count


def test_few_say_little_and_all_say_everything():
    assert share_interval(10, 0, 10, 10_000).low == pytest.approx(0.692, abs=2e-3)  # Clopper, Pearson: 0.6915
    assert share_interval(20, 0, 20, 10_000).low == pytest.approx(0.832, abs=2e-3)
    assert share_interval(36, 0, 36, 100_000).low == pytest.approx(0.9026, abs=2e-3)
    assert share_interval(3, 0, 10, 10).width == 0
    assert share_interval(9, 0, 10, 20).width < share_interval(9, 0, 10, 2_000).width


def test_what_nobody_could_tell_makes_it_wider():
    sure, unsure = share_interval(8, 0, 10, 1000), share_interval(8, 2, 10, 1000)
    assert unsure.low == sure.low
    assert unsure.high == share_interval(10, 0, 10, 1000).high == 1
    assert unsure.value == 0.9


def test_counts_that_contradict_each_other():
    with pytest.raises(ValueError, match="11 yes of 10"):
        count_bounds(11, 10, 100)
