"""Both kernels of attention give the same values and gradients; which one runs is a table."""

import pytest
import torch
from torch.nn import functional as F

from cavmae_sync.compute import attend, choose_attention, float32_products_in

TOLERANCES = {torch.float32: 1e-5, torch.bfloat16: 3e-2, torch.float16: 4e-3}


@pytest.mark.parametrize("kind", ["highest", "medium"])
@pytest.mark.parametrize("dtype", TOLERANCES)
@pytest.mark.parametrize(("queries", "keys"), [(7, 7), (1, 7), (130, 130)])
def test_values_and_gradients_are_those_of_exact_attention(kind, dtype, queries, keys):
    generator = torch.Generator().manual_seed(0)
    given = [torch.randn(2, 3, n, 8, generator=generator, dtype=dtype) for n in (queries, keys, keys)]
    parts = [part.clone().requires_grad_() for part in given]
    exact = [part.double().requires_grad_() for part in given]
    with float32_products_in(kind):
        found = attend(*parts)
        found.float().square().sum().backward()
        with torch.inference_mode():
            without_gradients = attend(*given)
    expected = F.scaled_dot_product_attention(*exact)
    expected.square().sum().backward()
    tolerance = TOLERANCES[dtype]
    assert found.dtype == dtype
    torch.testing.assert_close(found.double(), expected, atol=tolerance, rtol=tolerance)
    torch.testing.assert_close(without_gradients.double(), expected, atol=tolerance, rtol=tolerance)
    for mine, theirs in zip(parts, exact, strict=True):
        scale = float(theirs.grad.abs().max())
        torch.testing.assert_close(mine.grad.double(), theirs.grad, atol=4 * tolerance * scale, rtol=0)


@pytest.mark.parametrize(
    ("device", "dtype", "kind", "keys", "with_gradients", "kernel"),
    [
        ("cuda", torch.float32, "highest", 16, True, "fused"),
        ("mps", torch.float16, "highest", 16, False, "fused"),
        ("cpu", torch.bfloat16, "highest", 205, False, "plain"),
        ("cpu", torch.float16, "highest", 205, True, "plain"),
        ("cpu", torch.float32, "medium", 205, False, "plain"),
        ("cpu", torch.float32, "highest", 205, False, "fused"),
        ("cpu", torch.float32, "highest", 16, False, "fused"),
        ("cpu", torch.float32, "highest", 404, True, "fused"),
        ("cpu", torch.float32, "highest", 57, True, "plain"),
    ],
)
def test_the_table(device, dtype, kind, keys, with_gradients, kernel):
    with float32_products_in(kind):
        assert choose_attention(device, dtype, num_keys=keys, with_gradients=with_gradients) == kernel
