"""Precision of matrix products: what is asked for is what is computed, or is refused."""

import pytest
import torch
from torch import nn

from cavmae_sync.compute import (
    Arithmetic,
    check_precision_on,
    current_float32_products,
    inference_products_in,
    loss_scaler,
    matrix_products_in,
)
from cavmae_sync.errors import ConfigError

CPU = torch.device("cpu")


@pytest.mark.parametrize("precision", ["bfloat16", "float16"])
def test_products_are_in_the_precision_and_the_callers_autocast_does_not_leak_in(precision):
    layer = nn.Linear(8, 8)
    with matrix_products_in(precision, CPU):
        assert layer(torch.ones(2, 8)).dtype == getattr(torch, precision)
        with matrix_products_in("float32", CPU):
            assert layer(torch.ones(2, 8)).dtype == torch.float32
        with torch.inference_mode(), inference_products_in("int8", CPU):
            assert layer(torch.ones(20, 8)).dtype == torch.float32
            assert (torch.ones(2, 2) @ torch.ones(2, 2)).dtype == torch.float32


def test_a_device_without_autocast_computes_in_float32_only():
    meta = torch.device("meta")
    with matrix_products_in("float32", meta):
        assert (torch.ones(2, 2, device=meta) @ torch.ones(2, 2, device=meta)).dtype == torch.float32


@pytest.fixture
def old_gpu(monkeypatch):
    """A GPU of capability 7.5, as far as names go."""
    monkeypatch.setattr(torch.cuda, "get_device_capability", lambda _: (7, 5))
    monkeypatch.setattr(torch.cuda, "get_device_name", lambda _: "Some GPU")
    return torch.device("cuda")


def test_bfloat16_on_cuda_needs_capability_8(old_gpu):
    check_precision_on("float16", old_gpu)
    check_precision_on("float32", old_gpu)
    with pytest.raises(ConfigError, match=r"Some GPU .*7\.5.* precision=float16"):
        check_precision_on("bfloat16", old_gpu)


@pytest.mark.parametrize(
    ("precision", "scales"), [("float32", False), ("bfloat16", False), ("float16", True)]
)
def test_only_float16_scales_its_loss(precision, scales):
    assert loss_scaler(precision, CPU).is_enabled() == scales


def test_arithmetic_is_entered_again_and_again():
    layer, arithmetic = nn.Linear(8, 8), Arithmetic(CPU, precision="bfloat16", float32_products="medium")
    for _ in range(2):
        with arithmetic.inference():
            assert current_float32_products() == "medium"
            assert layer(torch.ones(2, 8)).dtype == torch.bfloat16
    with pytest.raises(ValueError, match="precision must be one of float32"):
        Arithmetic(CPU, precision="half")
