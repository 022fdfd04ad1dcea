"""Ridge regression with an intercept, against least squares and against ridge regression of scikit-learn."""

import numpy as np
import torch
from sklearn.linear_model import Ridge

from cavmae_sync.maps.regression import ridge_weights
from cavmae_sync.maps.views import draw_views


def test_what_patches_add_is_found_exactly():
    """Values that are a constant and a sum over the shown patches."""
    is_shown_VN = draw_views((4, 4), block=(1, 1), num_views=80, ratio=0.6, seed=0).is_shown()
    truth_N = torch.randn(16, generator=torch.Generator().manual_seed(0))
    values_V = 7.0 + is_shown_VN.float() @ truth_N
    found_N = ridge_weights(is_shown_VN, ridge=1e-9) @ values_V
    # Each view shows as many patches as the others, so a constant on all patches cannot be told.
    torch.testing.assert_close(found_N - found_N.mean(), truth_N - truth_N.mean(), atol=1e-4, rtol=1e-4)


def test_agrees_with_least_squares_of_numpy():
    generator = np.random.default_rng(0)
    is_shown_VN = generator.random((60, 9)) < 0.4
    values_V = generator.standard_normal(60).astype(np.float32)
    design = np.column_stack([is_shown_VN, np.ones(60)]).astype(float)
    expected = np.linalg.lstsq(design, values_V, rcond=None)[0][:9]
    found = ridge_weights(torch.from_numpy(is_shown_VN), ridge=1e-9).numpy() @ values_V
    np.testing.assert_allclose(found, expected, atol=1e-5)


def test_agrees_with_ridge_regression_of_scikit_learn():
    generator = np.random.default_rng(1)
    is_shown_VN = generator.random((20, 36)) < 0.25  # fewer views than patches
    values_V = generator.standard_normal(20).astype(np.float32)
    for ridge in (0.1, 1.0, 30.0):
        expected = Ridge(alpha=ridge).fit(is_shown_VN.astype(float), values_V).coef_
        found = ridge_weights(torch.from_numpy(is_shown_VN), ridge=ridge).numpy() @ values_V
        np.testing.assert_allclose(found, expected, atol=1e-5)


def test_an_intercept_changes_nothing():
    is_shown_VN = draw_views((4, 4), block=(1, 1), num_views=12, ratio=0.75, seed=0).is_shown()
    weights_NV = ridge_weights(is_shown_VN, ridge=1.0)
    torch.testing.assert_close(weights_NV.sum(dim=1), torch.zeros(16), atol=1e-5, rtol=0)
