"""Where a model computes, and in which precision."""

from contextlib import AbstractContextManager
from types import MappingProxyType
from typing import Final

import torch

from cavmae_sync.choices import Precision

_AUTOCAST: Final = MappingProxyType({"bfloat16": torch.bfloat16, "float16": torch.float16})


def choose_device(name: str | torch.device | None = None) -> torch.device:
    """The device of that name; without a name CUDA, else MPS, else the CPU."""
    if name is not None:
        return torch.device(name)
    if torch.cuda.is_available():
        return torch.device("cuda")
    return torch.device("mps" if torch.backends.mps.is_available() else "cpu")


def matrix_products_in(precision: Precision, device: torch.device) -> AbstractContextManager[object]:
    """Matrix products inside the block are done in `precision`."""
    dtype = _AUTOCAST.get(precision)
    return torch.autocast(device.type, dtype=dtype, enabled=dtype is not None)
