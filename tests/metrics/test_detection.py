import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cavmae_sync.metrics.detection import (
    area_under_roc,
    count_found,
    f1_score,
    interval_over_units,
    rate,
)


def test_a_rate_pools_all_units():
    assert rate(np.array([1.0, 3.0]), np.array([2.0, 6.0])) == 0.5
    assert rate(np.array([0.0]), np.array([0.0])) is None


@given(
    st.lists(st.integers(0, 4), min_size=1, max_size=8), st.lists(st.integers(0, 4), min_size=1, max_size=8)
)
def test_the_area_is_the_share_of_pairs_in_the_right_order(positive, negative):
    pairs = [1.0 if p > n else 0.5 if p == n else 0.0 for p in positive for n in negative]
    found = area_under_roc(np.array(positive, float), np.array(negative, float))
    assert found == pytest.approx(np.mean(pairs))


def test_the_area_at_its_ends():
    assert area_under_roc(np.array([2.0, 3.0]), np.array([0.0, 1.0])) == 1
    assert area_under_roc(np.ones(3), np.ones(4)) == 0.5
    assert area_under_roc(np.empty(0), np.ones(4)) is None


def test_spans_are_matched_one_to_one_and_the_best_first():
    planted = [(10.0, 20.0), (30.0, 40.0)]
    assert count_found([(11.0, 21.0), (31.0, 39.0)], planted) == (2, 0, 0)
    assert count_found([], planted) == (0, 2, 0)
    assert count_found([(0.0, 5.0)], planted) == (0, 2, 1)
    # Two reports of one span: the second is false. 2 of 10 seconds are too few.
    assert count_found([(10.0, 15.0), (15.0, 20.0)], planted) == (1, 1, 1)
    assert count_found([(18.0, 20.0)], planted) == (0, 2, 1)


def test_f1():
    assert f1_score(2, 0, 0) == 1
    assert f1_score(1, 1, 1) == 0.5
    assert f1_score(0, 0, 0) is None


def test_the_interval_draws_units_and_leaves_out_what_is_not_defined():
    hits, trials = np.array([0.0, 10.0] * 10), np.full(20, 10.0)
    ends = interval_over_units(
        lambda units: rate(hits[units], trials[units]),
        num_units=20,
        num_resamples=400,
        generator=np.random.default_rng(0),
    )
    assert ends is not None
    # The binomial interval of 10 of 20 units, not of 100 of 200 trials.
    assert ends.low == pytest.approx(0.3, abs=0.06)
    assert ends.high == pytest.approx(0.7, abs=0.06)
    nothing = interval_over_units(
        lambda _: None, num_units=3, num_resamples=10, generator=np.random.default_rng(0)
    )
    assert nothing is None
