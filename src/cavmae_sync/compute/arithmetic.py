"""Arithmetic of passes without gradients, decided once and entered for every pass."""

from collections.abc import Generator
from contextlib import AbstractContextManager, contextmanager
from typing import get_args

import torch

from cavmae_sync.choices import Precision
from cavmae_sync.compute.float32 import (
    Float32Choice,
    Float32Products,
    float32_products_in,
    resolve_float32_products,
)
from cavmae_sync.compute.int8 import Int8Products
from cavmae_sync.compute.precision import matrix_products_in


class Arithmetic:
    """Device, precision and float32 products of passes without gradients.

    Args:
        device: Where a model computes.
        precision: Of its matrix products. "int8" keeps rounded copies of the weights here.
        float32_products: How float32 products are computed: "auto" decides by the processor, None keeps what
            is set in this process now.

    Raises:
        ValueError: There is no such precision; names the choices.
        ConfigError: The device cannot compute in this precision.
    """

    def __init__(
        self,
        device: torch.device,
        *,
        precision: Precision = "float32",
        float32_products: Float32Choice | None = "highest",
    ) -> None:
        if precision not in get_args(Precision):
            raise ValueError(f"precision must be one of {', '.join(get_args(Precision))}, got {precision!r}.")
        self.device = device
        self.precision: Precision = precision
        self.float32_products: Float32Products = resolve_float32_products(float32_products, device)
        self._products = inference_products_in(precision, device)

    @contextmanager
    def inference(self) -> Generator[None]:
        """No gradients, and products as decided, inside the block. It may be entered again and again.

        How float32 products are computed is a setting of the whole process; it is put back after.
        """
        with torch.inference_mode(), float32_products_in(self.float32_products), self._products:
            yield


def inference_products_in(precision: Precision, device: torch.device) -> AbstractContextManager[object]:
    """`matrix_products_in` for passes without gradients, "int8" too. It may be entered again and again.

    Raises:
        ConfigError: The device cannot compute in this precision.
    """
    return Int8Products(device) if precision == "int8" else matrix_products_in(precision, device)
