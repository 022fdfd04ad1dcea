"""Untrained model, the control of every task."""

import torch

from cavmae_sync.embedding import Embedder
from cavmae_sync.model import CAVMAESync


def untrained(embedder: Embedder, *, seed: int = 0) -> Embedder:
    """Embedder with fresh weights of the same shape, which computes in the same way."""
    fresh = CAVMAESync(embedder.model.config, generator=torch.Generator().manual_seed(seed)).eval()
    return embedder.replace(fresh)
