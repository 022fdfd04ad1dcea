"""Linear layers in 8 bits: what they compute, how far it is from float32, and what they leave alone."""

import pytest
import torch
from torch import nn
from torch.nn import functional as F

from cavmae_sync.compute import Int8Products, int8_problem, training_precision
from cavmae_sync.errors import ConfigError

CPU = torch.device("cpu")

pytestmark = pytest.mark.skipif(int8_problem(CPU) is not None, reason="no exact int8 products here")


def by_the_book(rows, weight, bias):
    """Rounded as the module's head says, multiplied in float64."""

    def rounded(values):
        step = values.abs().amax(dim=1, keepdim=True) / 127
        return (values / step.clamp_min(1e-30)).round() * step

    return rounded(rows.double()) @ rounded(weight.detach().double()).T + bias.double()


@pytest.mark.parametrize(("rows", "width", "outputs"), [(600, 64, 96), (3, 8, 16), (20, 12, 10), (1, 5, 3)])
def test_a_layer_is_rounding_then_an_exact_product(rows, width, outputs):
    """Any number of rows, and widths that are no multiples of 8."""
    torch.manual_seed(0)
    layer, given = nn.Linear(width, outputs), torch.randn(rows, width)
    with torch.inference_mode(), Int8Products(CPU):
        found = layer(given)
    expected = by_the_book(given, layer.weight, layer.bias)
    # A number in the middle of two steps may be rounded to either: at most one step of one product.
    assert (found.double() - expected).abs().max() < 0.02
    assert (found.double() - expected).abs().mean() < 1e-5 + 0.1 * (
        F.linear(given, *layer.parameters()) - expected
    ).abs().mean()


def test_the_error_is_near_half_a_percent():
    torch.manual_seed(0)
    layer, given = nn.Linear(768, 256), torch.randn(64, 768)
    exact = F.linear(given.double(), layer.weight.double(), layer.bias.double())
    with torch.inference_mode(), Int8Products(CPU):
        error = (layer(given) - exact).square().mean().sqrt() / exact.square().mean().sqrt()
    assert 0.002 < error < 0.015


def test_a_row_does_not_depend_on_its_company():
    torch.manual_seed(0)
    layer, given = nn.Linear(32, 24), torch.randn(5, 70, 32)
    with torch.inference_mode(), Int8Products(CPU):
        together = layer(given)
        alone = torch.stack([layer(part) for part in given])
        one = layer(given[2, 3])
    assert torch.equal(together, alone)
    assert torch.equal(together[2, 3], one)


def test_weights_stay_as_they_are_and_changed_ones_are_seen():
    layer = nn.Linear(16, 8)
    before = layer.weight.detach().clone()
    products, given = Int8Products(CPU), torch.randn(20, 16)
    with torch.inference_mode(), products:
        first, again = layer(given), layer(given)
    assert torch.equal(layer.weight, before)
    assert torch.equal(first, again)
    with torch.no_grad():
        layer.weight.mul_(2)
        layer.bias.mul_(2)
    with torch.inference_mode(), products:
        torch.testing.assert_close(layer(given), 2 * first)


def test_rows_of_zeros_and_layers_without_bias():
    layer = nn.Linear(16, 8, bias=False)
    with torch.inference_mode(), Int8Products(CPU):
        assert torch.equal(layer(torch.zeros(4, 16)), torch.zeros(4, 8))


@pytest.mark.parametrize("broken", [float("nan"), float("inf")])
def test_numbers_that_are_not_finite_stay_so_in_their_row(broken):
    layer, given = nn.Linear(16, 8), torch.randn(20, 16)
    given[3, 5] = broken
    with torch.inference_mode(), Int8Products(CPU):
        found = layer(given)
    assert not found[3].isfinite().any()
    assert found[[*range(3), *range(4, 20)]].isfinite().all()


def test_products_that_are_no_layers_stay_float32():
    rows, weight, bias = torch.randn(20, 16), torch.randn(8, 16), torch.randn(8)
    with torch.inference_mode(), Int8Products(CPU):
        assert torch.equal(F.linear(rows, weight, bias), torch.addmm(bias, rows, weight.T))


@pytest.mark.skipif(torch.backends.mps.is_available(), reason="there is such a device here")
def test_a_device_without_int8_products_is_named():
    assert "no int8 product for mps" in int8_problem(torch.device("mps"))
    with pytest.raises(ConfigError, match=r"not possible here.*Use float32"):
        Int8Products(torch.device("mps"))


def test_nothing_is_trained_in_int8():
    assert training_precision("bfloat16") == "bfloat16"
    with pytest.raises(ConfigError, match="no gradient"):
        training_precision("int8")
