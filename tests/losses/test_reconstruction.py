"""The reconstruction loss against a slow loop (spec 2.8, 7.9)."""

import pytest
import torch

from cavmae_sync.losses import normalize_patches, reconstruction_loss


def draw(*shape: int, seed: int = 0) -> torch.Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def slow_loss(prediction, target, *, normalize_pixels: bool) -> float:
    errors = []
    for found, values in zip(prediction.flatten(0, 1).tolist(), target.flatten(0, 1).tolist(), strict=True):
        if normalize_pixels:
            mean = sum(values) / len(values)
            variance = sum((v - mean) ** 2 for v in values) / (len(values) - 1)
            values = [(v - mean) / (variance + 1e-6) ** 0.5 for v in values]
        errors.append(sum((f - v) ** 2 for f, v in zip(found, values, strict=True)) / len(values))
    return sum(errors) / len(errors)


@pytest.mark.parametrize("normalize_pixels", [True, False])
def test_equals_a_slow_loop(normalize_pixels: bool):
    prediction, target = draw(2, 3, 8), draw(2, 3, 8, seed=1) * 3 + 2
    found = reconstruction_loss(prediction, target, normalize_pixels=normalize_pixels)
    expected = slow_loss(prediction, target, normalize_pixels=normalize_pixels)
    assert found.item() == pytest.approx(expected)


def test_a_constant_patch_is_predicted_as_zero():
    assert normalize_patches(torch.full((1, 1, 256), 3.7)).abs().max() < 1e-3  # rounding of the mean


def test_variance_is_unbiased():
    normalized = normalize_patches(torch.tensor([[[-1.0, 1.0]]]))
    assert normalized[0, 0, 1].item() == pytest.approx(1 / (2 + 1e-6) ** 0.5)


def test_with_nothing_hidden_there_is_nothing_to_predict():
    with pytest.raises(ValueError, match="no patch is hidden; set reconstruction_weight=0"):
        reconstruction_loss(torch.zeros(2, 0, 8), torch.zeros(2, 0, 8), normalize_pixels=True)


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_half_precision_predictions_give_a_float32_loss(dtype: torch.dtype):
    prediction, target = draw(2, 3, 8).to(dtype), draw(2, 3, 8, seed=1).float()
    loss = reconstruction_loss(prediction, target, normalize_pixels=True)
    assert loss.dtype == torch.float32
    assert loss.item() == pytest.approx(
        slow_loss(prediction.float(), target, normalize_pixels=True), rel=1e-5
    )
