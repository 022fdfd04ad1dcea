"""A small model, and a small prepared dataset of noise."""

from typing import Any

import numpy as np
import pytest
import torch

from cavmae_sync.data import PrepareConfig, PreparedDataset, prepare
from cavmae_sync.inputs import InputConfig
from cavmae_sync.media import write_video
from cavmae_sync.model import CAVMAESync, DecoderConfig, ModelConfig


def small_model(*, segment_length: int = 416, **changes: Any) -> CAVMAESync:
    shape: dict[str, Any] = {
        "inputs": InputConfig(frame_pixels=32, segment_length=segment_length),
        "width": 16,
        "depth": 1,
        "heads": 2,
        "registers": 2,
        "decoder": DecoderConfig(width=8, depth=1, heads=2),
    }
    return CAVMAESync(ModelConfig(**(shape | changes)), generator=torch.Generator().manual_seed(0)).eval()


@pytest.fixture
def model() -> CAVMAESync:
    return small_model()


@pytest.fixture
def plain_model() -> CAVMAESync:
    """CAV-MAE: no global token, and the whole spectrogram as the one window."""
    return small_model(segment_length=1024, global_token=False, registers=0)


@pytest.fixture(scope="session")
def clips(tmp_path_factory: pytest.TempPathFactory) -> PreparedDataset:
    """Three clips of 2 s: changing tiles, and noise for sound."""
    folder = tmp_path_factory.mktemp("embedding")
    (folder / "videos").mkdir()
    generator = np.random.default_rng(0)
    for i in range(3):
        tiles = generator.integers(0, 256, (20, 4, 4, 3), dtype=np.uint8)
        write_video(
            folder / "videos" / f"clip{i}.mp4",
            tiles.repeat(16, axis=1).repeat(16, axis=2),
            frames_per_second=10,
            waveform_S=generator.uniform(-0.3, 0.3, 32000).astype(np.float32),
        )
    prepare(folder / "videos", out=folder / "prepared", config=PrepareConfig(frame_pixels=32), num_workers=0)
    return PreparedDataset.open(folder / "prepared")
