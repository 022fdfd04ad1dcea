"""Paired differences by hand, and against scipy's test."""

import math

import numpy as np
import pytest
from scipy import stats

from cavmae_sync.metrics.paired import mean_half_width, paired_difference


def test_worked_by_hand():
    """Differences 1, 2 and 3: mean 2, deviation 1, and Student's t of two degrees of freedom is 4.303."""
    found = paired_difference({0: 3.0, 1: 5.0, 2: 9.0, 7: 1.0}, {0: 2.0, 1: 3.0, 2: 6.0, 8: 0.0})
    assert found is not None
    assert found.num_seeds == 3
    assert found.mean == 2
    assert found.half_width == pytest.approx(4.302653 / math.sqrt(3), rel=1e-6)
    assert (found.low, found.high) == (2 - found.half_width, 2 + found.half_width)


def test_equals_the_interval_of_a_paired_test():
    random = np.random.default_rng(0)
    first, second = random.normal(1, 1, 10), random.normal(0, 1, 10)
    found = paired_difference(dict(enumerate(first)), dict(enumerate(second)))
    expected = stats.ttest_rel(first, second).confidence_interval(0.95)
    assert found is not None
    assert (found.low, found.high) == pytest.approx((expected.low, expected.high), rel=1e-9)


def test_one_seed_has_no_interval_and_none_no_difference():
    found = paired_difference({0: 1.0}, {0: 0.5})
    assert found is not None
    assert found.half_width == math.inf
    assert paired_difference({0: 1.0}, {1: 0.5}) is None
    assert mean_half_width([0.3]) == math.inf
