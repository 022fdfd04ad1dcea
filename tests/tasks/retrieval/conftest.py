"""Vectors made by hand: random ones, and pairs that fit well or badly."""

from collections.abc import Callable

import pytest
import torch
from torch import Tensor
from torch.nn import functional as F

from cavmae_sync.data import PreparedDataset
from cavmae_sync.embedding import DatasetEmbeddings


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
def clips(two_clips: PreparedDataset) -> PreparedDataset:
    return two_clips


def noisy(make_embeddings, *, noise, seed, num_clips=80) -> DatasetEmbeddings:
    """Pictures are the sounds with noise: the more of it, the worse."""
    audio = unit_rows(num_clips, 4, 16)
    visual = F.normalize(audio + noise * unit_rows(num_clips, 4, 16, seed=seed), dim=-1)
    return make_embeddings(audio, visual)


@pytest.fixture
def good(make_embeddings):
    return noisy(make_embeddings, noise=2.0, seed=1)


@pytest.fixture
def bad(make_embeddings):
    return noisy(make_embeddings, noise=5.0, seed=2)
