import math

import numpy as np
import pytest
import torch

from cavmae_sync.metrics import bootstrap_means, bootstrap_metrics, interval


def seeded(seed=0):
    return torch.Generator().manual_seed(seed)


def test_resamples_equal_a_numpy_second_implementation():
    ranks = torch.tensor([[0.0, 3.0, 0.5, 9.0, 20.0], [4.0, 4.0, 0.0, 0.0, 11.0]])
    samples = bootstrap_metrics(ranks, num_resamples=40, generator=seeded(5))
    draws = torch.randint(5, (40, 5), generator=seeded(5)).numpy()
    for d in range(2):
        drawn = ranks[d].numpy()[draws]
        for k in (1, 5, 10):
            np.testing.assert_allclose(samples[f"recall_at_{k}"][d], (drawn < k).mean(axis=1))
        np.testing.assert_allclose(samples["median_rank"][d], np.median(drawn, axis=1) + 1)


def test_interval_has_the_width_of_the_binomial_distribution():
    ranks = (torch.arange(400) % 4 != 0).double()[None]  # R@1 = 0.25
    samples = bootstrap_metrics(ranks, num_resamples=4000, generator=seeded())["recall_at_1"][0]
    found = interval(samples)
    half_width = 1.96 * math.sqrt(0.25 * 0.75 / 400)
    assert found.low == pytest.approx(0.25 - half_width, abs=0.004)
    assert found.high == pytest.approx(0.25 + half_width, abs=0.004)


def test_rows_share_their_draws_so_that_differences_are_paired():
    ranks = torch.randint(0, 20, (1, 50), generator=seeded())
    samples = bootstrap_metrics(ranks.expand(2, -1), num_resamples=30, generator=seeded())
    difference = samples["recall_at_10"][0] - samples["recall_at_10"][1]
    assert interval(difference) == interval(torch.zeros(3))


def test_resamples_depend_on_the_seed_only_not_on_blocks(monkeypatch):
    ranks = torch.rand(2, 40, generator=seeded()) * 30
    whole = bootstrap_metrics(ranks, num_resamples=25, generator=seeded(1))
    monkeypatch.setattr("cavmae_sync.metrics.bootstrap._BLOCK_DRAWS", 40 * 7)
    blocks = bootstrap_metrics(ranks, num_resamples=25, generator=seeded(1))
    other = bootstrap_metrics(ranks, num_resamples=25, generator=seeded(2))
    assert all(torch.equal(whole[name], blocks[name]) for name in whole)
    assert not torch.equal(whole["recall_at_10"], other["recall_at_10"])


def test_intervals_refuse_nonsense():
    with pytest.raises(ValueError, match="at least one resample"):
        bootstrap_metrics(torch.zeros(1, 3), num_resamples=0, generator=seeded())
    with pytest.raises(ValueError, match="between 0 and 1, got 95"):
        interval(torch.zeros(3), confidence=95)


def test_means_share_the_draws_of_the_metrics():
    """Whether a query is found is a value of its clip, so its mean is the recall: the same resamples."""
    ranks = torch.tensor([[0.0, 3.0, 0.5, 9.0, 20.0], [4.0, 4.0, 0.0, 0.0, 11.0]])
    found = bootstrap_means((ranks < 1).double(), num_resamples=40, generator=seeded(5))
    expected = bootstrap_metrics(ranks, num_resamples=40, generator=seeded(5))["recall_at_1"]
    torch.testing.assert_close(found, expected)


def test_means_of_nothing_are_refused():
    with pytest.raises(ValueError, match="at least one resample"):
        bootstrap_means(torch.ones(2, 0), num_resamples=3, generator=seeded())
