"""How sure a gain is: against Student's distribution, and by simulation of data without a fault."""

import pytest
import torch
from scipy import stats

from cavmae_sync.doctor.diagnosis import LEAST_Z, standard_score


def clips_of_ratio(ratio: float, count: int) -> torch.Tensor:
    """Gains whose mean is so many standard errors."""
    gains_N = torch.linspace(-1, 1, count, dtype=torch.float64)
    return gains_N + ratio * gains_N.std() / count**0.5


@pytest.mark.parametrize("count", [20, 50, 100, 1000])
@pytest.mark.parametrize("ratio", [-4.0, 0.5, 2.0, 3.5, 6.0])
def test_a_score_is_as_likely_as_the_ratio_by_students_distribution(ratio: float, count: int):
    exact = stats.norm.isf(stats.t.sf(ratio, count - 1))
    assert standard_score(clips_of_ratio(ratio, count)) == pytest.approx(exact, abs=0.01)


def test_a_huge_ratio_is_a_number():
    assert 10 < standard_score(clips_of_ratio(1e9, 20)) < 100


def test_where_nothing_changes_there_is_no_gain():
    assert standard_score(torch.zeros(30)) == 0


def test_few_clips_give_no_more_false_alarms_than_many():
    """Of 20 clips, the bare ratio passes the threshold five times as often as a normal score."""
    draws = torch.randn(20_000, 20, generator=torch.Generator().manual_seed(0))
    alarms = sum(standard_score(gains_N) >= LEAST_Z for gains_N in draws)
    assert alarms / len(draws) < 3 * stats.norm.sf(LEAST_Z)
