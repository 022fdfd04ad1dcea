"""How a model is run when it is not trained."""

from collections.abc import Generator
from contextlib import contextmanager

import torch
from torch import nn

from cavmae_sync.compute import Arithmetic


def device_of(model: nn.Module) -> torch.device:
    """Where a model's parameters are."""
    return next(model.parameters()).device


@contextmanager
def inference(model: nn.Module, arithmetic: Arithmetic | None = None) -> Generator[None]:
    """Evaluation mode without gradients; the mode of each module is put back after.

    Args:
        model: What is run.
        arithmetic: How it computes; None is float32 where the model is.
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
