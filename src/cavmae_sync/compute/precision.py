"""In which precision matrix products are done."""

from contextlib import AbstractContextManager
from types import MappingProxyType
from typing import Final

import torch

from cavmae_sync.choices import Precision

_AUTOCAST: Final = MappingProxyType({"bfloat16": torch.bfloat16, "float16": torch.float16})


def matrix_products_in(precision: Precision, device: torch.device) -> AbstractContextManager[object]:
    """Matrix products inside the block are done in `precision`."""
    dtype = _AUTOCAST.get(precision)
    return torch.autocast(device.type, dtype=dtype, enabled=dtype is not None)
