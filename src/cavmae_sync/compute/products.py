"""How fast this machine multiplies matrices, in which precision, and what follows from it.

M rows, K inner width, N columns.
"""

import platform
import re
import statistics
import time
from collections.abc import Generator, Mapping
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Final, Literal, get_args

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from cavmae_sync.choices import Precision
from cavmae_sync.compute.int8 import Int8Products
from cavmae_sync.compute.precision import float32_setting, float32_setting_kept, matrix_products_in
from cavmae_sync.errors import ConfigError

#: How float32 products are computed: by the device's own float32 library, or by oneDNN with permission to
#: round (`torch.set_float32_matmul_precision`).
Float32Products = Literal["highest", "medium"]

#: Tokens x width x hidden width of one perceptron: four frames of ViT-B.
PRODUCT_SHAPE: Final = (868, 768, 3072)

#: Repeats of a measurement, and the time after which no further one is begun.
_REPEATS: Final = 5
_ENOUGH_SECONDS: Final = 0.25

#: Family of AMD processors from which on oneDNN is clearly faster than MKL: Zen 5, measured.
_FIRST_FASTER_BY_ONEDNN: Final = 26

#: How much larger the error of other float32 products may be. Orders of summation differ by less than this;
#: bfloat16 in their place is several hundred times as far from float64.
FLOAT32_ERROR_RATIO: Final = 4.0


def current_float32_products() -> Float32Products:
    """What is set in this process. "high", which is TF32 on CUDA, counts as "highest": float32 is float32."""
    return "medium" if float32_setting() == "medium" else "highest"


@contextmanager
def float32_products_in(kind: Float32Products) -> Generator[None]:
    """float32 products of the whole process are computed so inside the block; put back after."""
    with float32_setting_kept():
        torch.set_float32_matmul_precision(kind)
        yield


def product_rate(
    device: torch.device,
    *,
    precision: Precision,
    shape: tuple[int, int, int] = PRODUCT_SHAPE,
    float32_products: Float32Products = "highest",
) -> float:
    """Floating point operations per second of one linear layer, as the model computes it.

    Weights are prepared before (rounded for int8), activations are rounded in the measurement.

    Args:
        device: Where.
        precision: Of the product.
        shape: (M, K, N).
        float32_products: How float32 is computed.

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


def choose_float32_products(device: torch.device) -> Float32Products:
    """How float32 products are computed fast while they stay float32: by processor and build of torch alone.

    No clock is asked: the two differ in the order of summation, and results must not depend on what else a
    machine does. `cavmae-sync speed` measures both.

    Measured 2026: on AMD Zen 5 "medium" (oneDNN) is 1.8 to 2.1 times as fast as "highest" (MKL) with the same
    error; on Zen 4 it is 1.05 to 1.15 times as fast, on an Intel Xeon of the Cascade Lake kind 0.9 times.
    oneDNN is permitted to use bfloat16 under "medium" and may where a processor has AMX, so the error is
    looked at too. On CUDA and MPS "medium" means TF32 or bfloat16, so that only "highest" is float32.
    """
    has_choice = torch.backends.mkl.is_available() and torch.backends.mkldnn.is_available()
    if device.type != "cpu" or not has_choice:
        return "highest"
    is_faster = (amd_family(read_processor()) or 0) >= _FIRST_FASTER_BY_ONEDNN
    return "medium" if is_faster and _is_float32(device, "medium") else "highest"


def read_processor() -> str:
    """What the system says of its first processor; empty where it says nothing."""
    try:
        return Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace").partition("\n\n")[0]
    except OSError:
        return platform.processor()  # Windows: "AMD64 Family 26 Model 68 Stepping 0, AuthenticAMD"


def amd_family(processor: str) -> int | None:
    """Family of an AMD processor, 25 is Zen 3 and 4, 26 is Zen 5; None for others and unknown ones.

    Args:
        processor: What the system says of it, see `read_processor`.
    """
    family = re.search(r"family\s*:?\s*(\d+)", processor, re.IGNORECASE)
    return int(family[1]) if family and "AuthenticAMD" in processor else None


def float32_error(device: torch.device, kind: Float32Products) -> float:
    """Root mean square error of float32 products against float64, over the root mean square of the result."""
    generator = torch.Generator().manual_seed(0)
    rows_MK, columns_KN = (torch.randn(shape, generator=generator) for shape in ((64, 768), (768, 256)))
    with float32_products_in(kind):
        product_MN = (rows_MK.to(device) @ columns_KN.to(device)).cpu().double()
    exact_MN = rows_MK.double() @ columns_KN.double()
    return float((product_MN - exact_MN).square().mean().sqrt() / exact_MN.square().mean().sqrt())


def _is_float32(device: torch.device, kind: Float32Products) -> bool:
    return float32_error(device, kind) <= FLOAT32_ERROR_RATIO * float32_error(device, "highest")


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
        """Compute it, and wait for it."""
        with torch.inference_mode(), self.products:
            F.linear(self.rows_MK, self.weight_NK, self.bias_N)
        if self.rows_MK.device.type != "cpu":
            torch.accelerator.synchronize(self.rows_MK.device)


def _durations(product: _Product, *, repeats: int = _REPEATS) -> list[float]:
    """Seconds of each repeat, after one that is not counted."""
    product()
    durations: list[float] = []
    while len(durations) < repeats and (len(durations) < 2 or sum(durations) < _ENOUGH_SECONDS):
        start = time.perf_counter()
        product()
        durations.append(time.perf_counter() - start)
    return durations


def inference_products_in(precision: Precision, device: torch.device) -> AbstractContextManager[object]:
    """As `matrix_products_in`, for passes without gradients: "int8" too. It may be entered again and again.

    Raises:
        ConfigError: The device cannot compute in this precision.
    """
    return Int8Products(device) if precision == "int8" else matrix_products_in(precision, device)
