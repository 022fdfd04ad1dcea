"""The linear rule: folded directions say what the regression says."""

import numpy as np
import pytest

from cavmae_sync.teaching.fitting import Directions, fit_rule, regression_of


@pytest.mark.parametrize("scale", [1.0, 0.01])
@pytest.mark.parametrize("num_others", [0, 50])
def test_the_rule_says_what_scikit_learn_says(scale: float, num_others: int):
    """On features as they are stored: neither the centre, nor the axes, nor their lengths are lost."""
    generator = np.random.default_rng(0)
    library_MD = scale * (generator.normal(size=(500, 12)) @ generator.normal(size=(12, 12)) + 3)
    marks_nD, is_match_n = library_MD[:30], library_MD[:30, 0] > np.median(library_MD[:30, 0])
    directions = Directions.of(library_MD, np.arange(500))
    others_mD = directions.others(np.arange(500) < 30)[:num_others]
    rule = fit_rule(marks_nD, is_match_n, directions, others_mD=others_mD)
    regression = regression_of(directions.apply(marks_nD), is_match_n, others_mD)
    wanted = regression.predict_proba(directions.apply(library_MD))[:, 1]
    found = 1 / (1 + np.exp(-rule.logits(library_MD)))
    np.testing.assert_allclose(found, wanted, atol=1e-5)
    assert np.ptp(wanted) > 0.3


def test_directions_are_about_equally_wide():
    generator = np.random.default_rng(1)
    library_MD = generator.normal(size=(2000, 6)) * [10, 5, 1, 1, 1, 0.0]
    directions = Directions.of(library_MD, np.arange(2000))
    spread_D = directions.apply(library_MD).std(axis=0)
    assert sorted(spread_D)[0] == pytest.approx(0, abs=1e-9)  # what never differs stays so
    assert 0.15 < sorted(spread_D)[1] < sorted(spread_D)[-1] < 1.2  # 10 : 1 before
    assert directions.others_nD.shape == (2000, 6)
    assert len(directions.others(np.arange(2000) < 1990)) == 10


def test_yes_and_no_weigh_the_same_however_many_they_are():
    """Ten times as many no-marks of the same places leave the line in the middle."""
    rows_nD = np.array([[1.0, 0.0], [-1.0, 0.0]])
    directions = Directions(
        mean_D=np.zeros(2), scaled_DD=np.eye(2), others_nD=np.zeros((0, 2)), number_n=np.zeros(0, np.int64)
    )
    many_nD = np.concatenate([rows_nD[:1], np.repeat(rows_nD[1:], 10, axis=0)])
    rule = fit_rule(many_nD, np.array([True] + [False] * 10), directions, others_mD=np.zeros((0, 2)))
    assert rule.bias == pytest.approx(0, abs=1e-3)
    assert rule.logits(rows_nD)[0] == pytest.approx(-rule.logits(rows_nD)[1], abs=1e-3)
