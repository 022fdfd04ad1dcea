"""What a trained model is compared with."""

import torch

from cavmae_sync.embedding import Embedder
from cavmae_sync.model import CAVMAESync


def untrained(embedder: Embedder, *, seed: int = 0) -> Embedder:
    """A model of the same shape with fresh weights, computing in the same way."""
    fresh = CAVMAESync(embedder.model.config, generator=torch.Generator().manual_seed(seed)).eval()
    return embedder.replace(fresh)
