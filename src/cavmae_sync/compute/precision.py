"""Precision of matrix products, and what each device can compute."""

from contextlib import AbstractContextManager, nullcontext
from types import MappingProxyType
from typing import Final

import torch

from cavmae_sync.choices import Precision, TrainingPrecision
from cavmae_sync.errors import ConfigError

_AUTOCAST: Final = MappingProxyType({"bfloat16": torch.bfloat16, "float16": torch.float16})

#: First compute capability of NVIDIA's processors with bfloat16 products (Ampere). Earlier ones emulate them,
#: slower than float32. Source: CUDA C++ Programming Guide, table of arithmetic by compute capability.
_FIRST_WITH_BFLOAT16: Final = 8


def matrix_products_in(precision: TrainingPrecision, device: torch.device) -> AbstractContextManager[object]:
    """Compute matrix products inside the block in `precision`; sums, norms and softmax stay float32.

    Raises:
        ConfigError: The device cannot compute in this precision.
    """
    check_precision_on(precision, device)
    dtype = _AUTOCAST.get(precision)
    if not torch.amp.is_autocast_available(device.type):
        return nullcontext()
    # Float32 means float32 under the caller's autocast too.
    return torch.autocast(device.type, dtype=dtype, enabled=dtype is not None)


def training_precision(precision: Precision) -> TrainingPrecision:
    """Return the precision if gradients can be computed in it.

    Raises:
        ConfigError: It is int8.
    """
    if precision == "int8":
        raise ConfigError(
            "precision=int8 rounds to 8 bits, through which no gradient passes, so nothing can be trained in "
            "it. Use float32, bfloat16 or float16."
        )
    return precision


def check_precision_on(precision: TrainingPrecision, device: torch.device) -> None:
    """Refuse a precision that a device cannot compute in, or only by emulation where it has a better one.

    A CPU without bfloat16 products emulates them: the result is right, at about a fifth of the speed of
    float32 (Intel Xeon of the Cascade Lake kind). That is allowed; `cavmae-sync speed` shows it.

    Raises:
        ConfigError: Names what to use instead.
    """
    dtype = _AUTOCAST.get(precision)
    if dtype is None:
        return
    if not torch.amp.is_autocast_available(device.type):
        raise ConfigError(f"precision={precision} does not exist on {device.type}. Use float32.")
    if dtype is torch.bfloat16 and device.type == "cuda":
        major, minor = torch.cuda.get_device_capability(device)
        if not computes_bfloat16((major, minor)):
            raise ConfigError(
                f"{torch.cuda.get_device_name(device)} (compute capability {major}.{minor}) has no bfloat16 "
                f"products; {_FIRST_WITH_BFLOAT16}.0 is needed. Use precision=float16."
            )
    if device.type == "mps":
        try:
            torch.zeros(1, device=device, dtype=dtype)
        except (TypeError, RuntimeError) as error:
            raise ConfigError(
                f"this version of macOS or torch has no {precision} on MPS ({error}). Use float32."
            ) from error


def computes_bfloat16(capability: tuple[int, int]) -> bool:
    """Whether a CUDA device of this compute capability has bfloat16 products, and need not emulate them."""
    return capability[0] >= _FIRST_WITH_BFLOAT16


def loss_scaler(precision: TrainingPrecision, device: torch.device) -> torch.amp.GradScaler:
    """Scaler that keeps small gradients of float16 from vanishing; it does nothing in other precisions.

    bfloat16 has the range of float32 and needs none. Works on CUDA, MPS and the CPU.
    """
    return torch.amp.GradScaler(device.type, enabled=precision == "float16")
