"""Embeddings made by hand, and the smallest real thing: a model and a prepared dataset."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor
from torch.nn import functional as F

from cavmae_sync.data import PrepareConfig, PreparedDataset, prepare
from cavmae_sync.embedding import DatasetEmbeddings, Embedder
from cavmae_sync.inputs import InputConfig
from cavmae_sync.media import write_video
from cavmae_sync.model import CAVMAESync, DecoderConfig, ModelConfig


def unit_rows(*shape: int, seed: int = 0) -> Tensor:
    return F.normalize(torch.randn(*shape, generator=torch.Generator().manual_seed(seed)), dim=-1)


@pytest.fixture
def make_embeddings() -> Callable[..., DatasetEmbeddings]:
    def make(audio_NTD: Tensor, visual_NTD: Tensor) -> DatasetEmbeddings:
        return DatasetEmbeddings(
            audio_NTD=audio_NTD,
            visual_NTD=visual_NTD,
            clip_ids=tuple(f"clip{i}" for i in range(len(audio_NTD))),
            labels=((),) * len(audio_NTD),
            clip_list="a" * 64,
            weights="b" * 64,
            made_with={"representation": "global", "precision": "float32"},
        )

    return make


@pytest.fixture
def random_embeddings(make_embeddings: Callable[..., DatasetEmbeddings]) -> DatasetEmbeddings:
    return make_embeddings(unit_rows(12, 4, 8), unit_rows(12, 4, 8, seed=1))


@pytest.fixture
def embedder() -> Embedder:
    shape: dict[str, Any] = {
        "inputs": InputConfig(frame_pixels=16, segment_length=16),
        "width": 16,
        "depth": 1,
        "heads": 2,
        "registers": 1,
        "decoder": DecoderConfig(width=8, depth=1, heads=2),
    }
    return Embedder(
        CAVMAESync(ModelConfig(**shape), generator=torch.Generator().manual_seed(0)), device="cpu"
    )


@pytest.fixture(scope="session")
def clips(tmp_path_factory: pytest.TempPathFactory) -> PreparedDataset:
    """Two clips of 1 s, 4 frames each."""
    folder = tmp_path_factory.mktemp("evaluation")
    (folder / "videos").mkdir()
    generator = np.random.default_rng(0)
    for i in range(2):
        tiles = generator.integers(0, 256, (10, 4, 4, 3), dtype=np.uint8)
        write_video(
            folder / "videos" / f"clip{i}.mp4",
            tiles.repeat(16, axis=1).repeat(16, axis=2),
            frames_per_second=10,
            waveform_S=generator.uniform(-0.3, 0.3, 16000).astype(np.float32),
        )
    config = PrepareConfig(frame_pixels=16, num_frames=4, min_seconds=0.5)
    prepare(folder / "videos", out=folder / "prepared", config=config, num_workers=0)
    return PreparedDataset.open(folder / "prepared")
