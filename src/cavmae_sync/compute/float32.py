"""How products of float32 matrices are computed: the choice, the setting of the process, and the error.

"float32" names two things on a CPU: products by MKL ("highest"), or by oneDNN with permission to round
("medium"). Which one is fast depends on the processor; which one is float32 too. The choice is made here and
nowhere else. Whoever computes with it writes it down: `loop.float32_products` in a run's config.json,
`made_with` beside vectors.
"""

import platform
import re
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final, Literal, get_args

import torch

#: Values of `torch.set_float32_matmul_precision`. "high" is left out: it is TF32, on CUDA only, for training.
Float32Products = Literal["highest", "medium"]

#: What a caller may ask for; "auto" decides by the processor.
Float32Choice = Literal["auto", "highest", "medium"]

#: First family of AMD processors on which oneDNN is clearly faster than MKL: Zen 5, measured.
_FIRST_FASTER_BY_ONEDNN: Final = 26

#: How much larger the error of other float32 products may be. Orders of summation differ by less than this;
#: bfloat16 in their place is several hundred times as far from float64.
FLOAT32_ERROR_RATIO: Final = 4.0


def resolve_float32_products(choice: Float32Choice | None, device: torch.device) -> Float32Products:
    """The way that a choice means on a device.

    Args:
        choice: "auto" decides by `choose_float32_products`; None keeps what is set in this process.
        device: Where the products are computed.
    """
    if choice is None:
        return current_float32_products()
    return choose_float32_products(device) if choice == "auto" else choice


def choose_float32_products(device: torch.device) -> Float32Products:
    """The fast way that is still float32, chosen by processor and build of torch alone.

    No clock is read: the two ways sum in different orders, and results must not depend on what else a machine
    does. `cavmae-sync speed` measures both.

    Measured 2026: on AMD Zen 5 "medium" (oneDNN) is 1.8 to 2.1 times as fast as "highest" (MKL) with the same
    error; on Zen 4 it is 1.05 to 1.15 times as fast, on an Intel Xeon of the Cascade Lake kind 0.9 times.
    """
    has_choice = torch.backends.mkl.is_available() and torch.backends.mkldnn.is_available()
    # On CUDA and MPS "medium" means TF32 or bfloat16, so only "highest" is float32.
    if device.type != "cpu" or not has_choice:
        return "highest"
    is_faster = (amd_family(read_processor()) or 0) >= _FIRST_FASTER_BY_ONEDNN
    # oneDNN may use bfloat16 under "medium" where a processor has AMX, so the error is measured too.
    return "medium" if is_faster and _is_float32(device, "medium") else "highest"


def parse_float32_products(text: object) -> Float32Products | None:
    """The way that a file names; None where it names none that is known."""
    return next((known for known in get_args(Float32Products) if known == text), None)


def current_float32_products() -> Float32Products:
    """The way that is set in this process. "high", which is TF32 on CUDA, counts as "highest"."""
    return "medium" if float32_setting() == "medium" else "highest"


@contextmanager
def float32_products_in(products: Float32Products | Literal["high"]) -> Generator[None]:
    """Compute float32 products of the whole process so inside the block; put the setting back after."""
    with float32_setting_kept():
        torch.set_float32_matmul_precision(products)
        yield


def float32_setting() -> str:
    """Value of `torch.get_float32_matmul_precision`: "highest", "high" or "medium".

    torch raises where its newer settings, one for each backend, were used too. Then the one of the CPU
    answers: on other devices nothing is decided by this.
    """
    try:
        return torch.get_float32_matmul_precision()
    except RuntimeError:
        return "medium" if _newer_settings()[0].fp32_precision == "bf16" else "highest"


@contextmanager
def float32_setting_kept() -> Generator[None]:
    """Put back, at the end of a block, what the block set about float32 products of the whole process."""
    before, matmuls = float32_setting(), _newer_settings()
    by_backend = [matmul.fp32_precision for matmul in matmuls]
    try:
        yield
    finally:
        torch.set_float32_matmul_precision(before)
        for matmul, kind in zip(matmuls, by_backend, strict=True):
            if matmul.fp32_precision != kind:  # it was set the newer way
                matmul.fp32_precision = kind


def _newer_settings() -> tuple[Any, Any]:
    """Settings of the CPU and of CUDA; torch copies the older setting into them."""
    return torch.backends.mkldnn.matmul, torch.backends.cuda.matmul  # pyrefly: ignore[missing-attribute]


def read_processor() -> str:
    """The system's description of its first processor; empty where it has none."""
    try:
        return Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace").partition("\n\n")[0]
    except OSError:
        return platform.processor()  # Windows: "AMD64 Family 26 Model 68 Stepping 0, AuthenticAMD"


def amd_family(processor: str) -> int | None:
    """Family of an AMD processor, 25 is Zen 3 and 4, 26 is Zen 5; None for others and unknown ones.

    Args:
        processor: Its description, see `read_processor`.
    """
    family = re.search(r"family\s*:?\s*(\d+)", processor, re.IGNORECASE)
    return int(family[1]) if family and "AuthenticAMD" in processor else None


def float32_error(device: torch.device, products: Float32Products) -> float:
    """Root mean square error of float32 products against float64, over the root mean square of the result."""
    generator = torch.Generator().manual_seed(0)
    rows_MK, columns_KN = (torch.randn(shape, generator=generator) for shape in ((64, 768), (768, 256)))
    with float32_products_in(products):
        product_MN = (rows_MK.to(device) @ columns_KN.to(device)).cpu().double()
    exact_MN = rows_MK.double() @ columns_KN.double()
    return float((product_MN - exact_MN).square().mean().sqrt() / exact_MN.square().mean().sqrt())


def _is_float32(device: torch.device, products: Float32Products) -> bool:
    return float32_error(device, products) <= FLOAT32_ERROR_RATIO * float32_error(device, "highest")
