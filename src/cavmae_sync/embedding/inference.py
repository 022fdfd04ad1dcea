"""How a model is run when it is not trained."""

from collections.abc import Generator
from contextlib import AbstractContextManager, contextmanager
from typing import get_args

import torch
from torch import nn

from cavmae_sync.choices import Precision
from cavmae_sync.compute import Float32Products, float32_products_in, inference_products_in


def device_of(model: nn.Module) -> torch.device:
    """Where a model's parameters are."""
    return next(model.parameters()).device


def check_precision(precision: str) -> None:
    """Refuse a precision that does not exist.

    Raises:
        ValueError: Names the choices.
    """
    if precision not in get_args(Precision):
        raise ValueError(f"precision must be one of {', '.join(get_args(Precision))}, got {precision!r}.")


@contextmanager
def inference(
    model: nn.Module,
    *,
    precision: Precision,
    float32_products: Float32Products = "highest",
    products: AbstractContextManager[object] | None = None,
) -> Generator[None]:
    """Evaluation mode, no gradients, matrix products in `precision`; the model's mode is put back after.

    Args:
        model: What is run.
        precision: Of matrix products.
        float32_products: How float32 products are computed, of the whole process while this lasts.
        products: `inference_products_in` of this precision and device, to keep rounded weights from one time
            to the next.
    """
    products = products or inference_products_in(precision, device_of(model))
    modes = {module: module.training for module in model.modules()}
    model.eval()
    try:
        with torch.inference_mode(), float32_products_in(float32_products), products:
            yield
    finally:
        for module, was_training in modes.items():
            module.training = was_training
