"""A model with registers, which the published code cannot reconstruct with."""

import pytest
import torch

from cavmae_sync.embedding import Embedder
from cavmae_sync.inputs import InputConfig
from cavmae_sync.model import CAVMAESync, DecoderConfig, ModelConfig


@pytest.fixture
def embedder() -> Embedder:
    config = ModelConfig(
        inputs=InputConfig(frame_pixels=32, segment_length=32),
        width=16,
        depth=1,
        heads=2,
        registers=2,
        decoder=DecoderConfig(width=8, depth=1, heads=2),
    )
    return Embedder(CAVMAESync(config, generator=torch.Generator().manual_seed(0)), device="cpu")
