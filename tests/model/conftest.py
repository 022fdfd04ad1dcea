"""The two models whose outputs the official code gave, and a small one for everything else."""

from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from cavmae_sync.inputs import InputConfig
from cavmae_sync.model import CAVMAESync, DecoderConfig, ModelConfig
from cavmae_sync.weights import from_official, load_exactly

GOLDEN = Path(__file__).parents[1] / "golden"


def golden_config(name: str) -> ModelConfig:
    shape = {"width": 48, "heads": 4, "decoder": DecoderConfig(width=32, depth=2, heads=4)}
    if name == "sync_4s_8reg":
        return ModelConfig(**shape)
    return ModelConfig(**shape, global_token=False, registers=0, inputs=InputConfig(segment_length=1024))


class Golden:
    """One file of reference outputs, and our model with its weights."""

    def __init__(self, name: str, dtype: torch.dtype) -> None:
        self.name, self.dtype = name, dtype
        self.data: dict[str, Any] = torch.load(GOLDEN / f"{name}.pt", weights_only=True)
        config, state = from_official(self.data["state_dict"], config=golden_config(name))
        self.model = CAVMAESync(config)
        load_exactly(self.model, state, source=name)
        self.model.to(dtype)
        self.segments_PLM: Tensor = self.data["audio"].to(dtype)
        self.frames_PCHW: Tensor = self.data["frames"].to(dtype)


@pytest.fixture(params=["sync_4s_8reg", "cavmae_10s"])
def golden(request: pytest.FixtureRequest) -> Golden:
    return Golden(request.param, torch.float64)


@pytest.fixture(params=["sync_4s_8reg", "cavmae_10s"])
def golden_float32(request: pytest.FixtureRequest) -> Golden:
    return Golden(request.param, torch.float32)


def tiny_config(**changes: object) -> ModelConfig:
    """A model small enough for a test: 32-pixel frames, 32-frame segments."""
    settings: dict[str, Any] = {
        "inputs": InputConfig(frame_pixels=32, segment_length=32),
        "width": 16,
        "depth": 2,
        "heads": 2,
        "registers": 3,
        "decoder": DecoderConfig(width=8, depth=1, heads=2),
    }
    return ModelConfig(**(settings | changes))


def tiny_inputs(config: ModelConfig, *, count: int = 3, seed: int = 0) -> tuple[Tensor, Tensor]:
    generator = torch.Generator().manual_seed(seed)
    segments = torch.randn(count, config.inputs.segment_length, 128, generator=generator)
    side = config.inputs.frame_pixels
    return segments, torch.randn(count, 3, side, side, generator=generator)
