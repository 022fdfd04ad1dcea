"""Rate of matrix products on this machine, in each precision.

M rows, K inner width, N columns.
"""

import statistics
import time
from collections.abc import Mapping
from typing import Final, Literal, get_args

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from cavmae_sync.choices import Precision
from cavmae_sync.compute.arithmetic import inference_products_in
from cavmae_sync.compute.float32 import Float32Products, float32_products_in
from cavmae_sync.errors import ConfigError

#: Tokens x width x hidden width of one perceptron: four frames of ViT-B.
PRODUCT_SHAPE: Final = (868, 768, 3072)

#: Repeats of a measurement, and the time after which no further one is begun.
_REPEATS: Final = 5
_ENOUGH_SECONDS: Final = 0.25


def product_rate(
    device: torch.device,
    *,
    precision: Precision,
    shape: tuple[int, int, int] = PRODUCT_SHAPE,
    float32_products: Float32Products | Literal["high"] = "highest",
) -> float:
    """Floating point operations per second of one linear layer, as the model computes it.

    Weights are prepared before (rounded for int8), activations are rounded in the measurement.

    Args:
        device: Where it is computed.
        precision: Of the product.
        shape: (M, K, N).
        float32_products: How float32 is computed; "high" is TF32, on CUDA.

    Returns:
        2 M K N over the median of at most 5 repeats, which take a quarter of a second in all.

    Raises:
        ConfigError: The device has no such products.
    """
    with float32_products_in(float32_products):
        product = _Product(device, precision=precision, shape=shape)
        return product.operations / statistics.median(_durations(product))


def product_rates(
    device: torch.device, *, float32_products: Float32Products = "highest"
) -> Mapping[Precision, float]:
    """`product_rate` of every precision that the device has."""
    rates: dict[Precision, float] = {}
    for precision in get_args(Precision):
        try:
            rates[precision] = product_rate(device, precision=precision, float32_products=float32_products)
        except ConfigError:
            continue
    return rates


class _Product:
    """One linear layer with random numbers, to be timed."""

    def __init__(self, device: torch.device, *, precision: Precision, shape: tuple[int, int, int]) -> None:
        rows, width, columns = shape
        generator = torch.Generator().manual_seed(0)

        def random(*size: int) -> Tensor:
            return torch.randn(size, generator=generator).to(device)

        self.rows_MK = random(rows, width)
        self.weight_NK = nn.Parameter(random(columns, width), requires_grad=False)
        self.bias_N = random(columns)
        self.operations = 2 * rows * width * columns
        self.products = inference_products_in(precision, device)

    def __call__(self) -> None:
        """Compute the product, and wait for it."""
        with torch.inference_mode(), self.products:
            F.linear(self.rows_MK, self.weight_NK, self.bias_N)
        if self.rows_MK.device.type != "cpu":
            torch.accelerator.synchronize(self.rows_MK.device)


def _durations(product: _Product, *, repeats: int = _REPEATS) -> list[float]:
    """Seconds of each repeat, after one that is not counted: it prepares weights and kernels."""
    product()
    durations: list[float] = []
    while len(durations) < repeats and (len(durations) < 2 or sum(durations) < _ENOUGH_SECONDS):
        start = time.perf_counter()
        product()
        durations.append(time.perf_counter() - start)
    return durations
