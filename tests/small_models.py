"""Small models with random weights."""

from typing import Any

import torch

from cavmae_sync.inputs import InputConfig
from cavmae_sync.model import CAVMAESync, DecoderConfig, ModelConfig


def small_model(*, frame_pixels: int = 32, segment_length: int = 416, **changes: Any) -> CAVMAESync:
    """A model of width 16 with one block in each encoder, the same at every call."""
    shape: dict[str, Any] = {
        "inputs": InputConfig(frame_pixels=frame_pixels, segment_length=segment_length),
        "width": 16,
        "depth": 1,
        "heads": 2,
        "registers": 2,
        "decoder": DecoderConfig(width=8, depth=1, heads=2),
    }
    return CAVMAESync(ModelConfig(**(shape | changes)), generator=torch.Generator().manual_seed(0)).eval()
