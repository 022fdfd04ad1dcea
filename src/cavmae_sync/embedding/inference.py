"""Inference: a model in evaluation mode, without gradients, in a chosen precision."""

from collections.abc import Generator
from contextlib import contextmanager

import torch
from torch import nn

from cavmae_sync.compute import Arithmetic


def device_of(model: nn.Module) -> torch.device:
    """Device of a model's parameters."""
    return next(model.parameters()).device


@contextmanager
def inference(model: nn.Module, arithmetic: Arithmetic | None = None) -> Generator[None]:
    """Evaluation mode without gradients; the mode of each module is put back after.

    Args:
        model: The model that runs inside.
        arithmetic: Device and precision; None is float32 on the model's device.
    """
    arithmetic = arithmetic or Arithmetic(device_of(model))
    modes = {module: module.training for module in model.modules()}
    model.eval()
    try:
        with arithmetic.inference():
            yield
    finally:
        for module, was_training in modes.items():
            module.training = was_training
