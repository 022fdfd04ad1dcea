"""Which device and which precision a model computes on."""

from collections.abc import Iterator
from contextlib import contextmanager
from types import MappingProxyType
from typing import Final, Literal, get_args

import torch
from torch import nn

Precision = Literal["float32", "bfloat16", "float16"]

_AUTOCAST: Final = MappingProxyType({"bfloat16": torch.bfloat16, "float16": torch.float16})


def choose_device(name: str | torch.device | None = None) -> torch.device:
    """The device of that name; without a name CUDA, else MPS, else the CPU."""
    if name is not None:
        return torch.device(name)
    if torch.cuda.is_available():
        return torch.device("cuda")
    return torch.device("mps" if torch.backends.mps.is_available() else "cpu")


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
def inference(model: nn.Module, *, precision: Precision) -> Iterator[None]:
    """Evaluation mode, no gradients, matrix products in `precision`; the model's mode is put back after."""
    modes = {module: module.training for module in model.modules()}
    dtype = _AUTOCAST.get(precision)
    model.eval()
    try:
        with (
            torch.inference_mode(),
            torch.autocast(device_of(model).type, dtype=dtype, enabled=dtype is not None),
        ):
            yield
    finally:
        for module, was_training in modes.items():
            module.training = was_training
