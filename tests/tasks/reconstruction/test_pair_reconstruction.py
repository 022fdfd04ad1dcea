"""Predictions put back into pictures: what was visible stays, what was hidden is what the model says."""

import numpy as np

from cavmae_sync.data import Draw, PairDataset, PreparedDataset
from cavmae_sync.data.draws import Purpose
from cavmae_sync.embedding import Embedder
from cavmae_sync.model import MaskingConfig
from cavmae_sync.tasks.reconstruction.pair_reconstruction import reconstruct_pair
from cavmae_sync.training import MaskSampler


def test_visible_places_stay_and_hidden_ones_are_predicted(embedder: Embedder, prepared: PreparedDataset):
    """With global tokens and registers; the official code cannot (spec 6.2, defect 9)."""
    model, config = embedder.model, embedder.model.config
    masks = MaskSampler(config, MaskingConfig(ratio=0.5), seed=0, purpose=Purpose.MASK).draw([Draw(0, 0)])
    pair = PairDataset(prepared, inputs=config.inputs, frame="middle")[0]
    frame, segment = reconstruct_pair(model, pair, masks=masks, normalize_pixels=True)
    assert frame.original.shape == (32, 32, 3)
    assert segment.original.shape == (32, 128)
    for part in (frame, segment):
        assert part.hidden.mean() == 0.5
        np.testing.assert_allclose(part.composite[~part.hidden], part.original[~part.hidden], atol=1e-5)
        assert (part.composite != part.original)[part.hidden].any()
