"""A model with registers, which the published code cannot reconstruct with."""

import pytest

from cavmae_sync.embedding import Embedder

from ...small_models import small_model


@pytest.fixture
def embedder() -> Embedder:
    return Embedder(small_model(segment_length=32), device="cpu")
