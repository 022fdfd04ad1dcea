"""Canonical correlations: found where they were planted, and equal to those of another library."""

import numpy as np
import pytest
import torch
from sklearn.cross_decomposition import CCA

from cavmae_sync.metrics.canonical import canonical_directions


def planted(num_things: int, *, noise: float, seed: int = 0) -> tuple[torch.Tensor, torch.Tensor]:
    """Two shared numbers, mixed into 5 and 7 numbers with noise."""
    generator = torch.Generator().manual_seed(seed)
    mixing = torch.Generator().manual_seed(99)
    shared = torch.randn(num_things, 2, generator=generator)
    return tuple(
        shared @ torch.randn(2, width, generator=mixing)
        + noise * torch.randn(num_things, width, generator=generator)
        + 3
        for width in (5, 7)
    )


def test_correlations_equal_those_of_scikit_learn():
    first, second = planted(500, noise=1.0)
    found = canonical_directions(first, second, num_directions=2, ridge=1e-9)
    x, y = CCA(n_components=2, max_iter=5000, tol=1e-10).fit_transform(first.numpy(), second.numpy())
    expected = [np.corrcoef(x[:, k], y[:, k])[0, 1] for k in range(2)]
    np.testing.assert_allclose(found.correlations_K, expected, atol=1e-5)
    projected = found.project_first(first), found.project_second(second)
    for k in range(2):
        both = torch.stack([each[:, k] for each in projected])
        assert float(both.corrcoef()[0, 1]) == pytest.approx(expected[k], abs=1e-5)


def test_directions_hold_for_things_they_were_not_fitted_on():
    found = canonical_directions(*planted(400, noise=0.1), num_directions=2, ridge=1e-3)
    first, second = planted(100, noise=0.1, seed=1)
    x, y = found.project_first(first), found.project_second(second)
    assert min(float(torch.stack([x[:, k], y[:, k]]).corrcoef()[0, 1]) for k in range(2)) > 0.9


def test_more_numbers_than_things_do_not_make_everything_correlate():
    generator = torch.Generator().manual_seed(0)
    noise = torch.randn(20, 50, generator=generator), torch.randn(20, 60, generator=generator)
    strong = canonical_directions(*noise, num_directions=3, ridge=10.0).correlations_K
    weak = canonical_directions(*noise, num_directions=3, ridge=1e-6).correlations_K
    assert float(strong.max()) < 0.7
    assert float(weak.max()) > 0.99


def test_what_cannot_be_fitted_is_refused():
    with pytest.raises(ValueError, match="belong together"):
        canonical_directions(torch.ones(3, 2), torch.ones(4, 2), num_directions=1, ridge=0.1)
    with pytest.raises(ValueError, match="at most 2 directions"):
        canonical_directions(torch.ones(3, 2), torch.ones(3, 4), num_directions=3, ridge=0.1)
