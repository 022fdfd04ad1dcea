"""Predictions put back into pictures: what was visible stays, what was hidden is what the model says."""

import numpy as np
import torch

from cavmae_sync.data import Draw, PairDataset, PreparedDataset
from cavmae_sync.data.draws import Purpose
from cavmae_sync.inputs import InputConfig
from cavmae_sync.model import CAVMAESync, DecoderConfig, MaskingConfig, ModelConfig
from cavmae_sync.tasks.reconstruction.pair_reconstruction import reconstruct_pair
from cavmae_sync.training import MaskSampler


def test_visible_places_stay_and_hidden_ones_are_predicted(prepared: PreparedDataset):
    """With global tokens and registers; the official code cannot (spec 6.2, defect 9)."""
    config = ModelConfig(
        inputs=InputConfig(frame_pixels=32, segment_length=32),
        width=16,
        depth=1,
        heads=2,
        registers=2,
        decoder=DecoderConfig(width=8, depth=1, heads=2),
    )
    model = CAVMAESync(config, generator=torch.Generator().manual_seed(0))
    masks = MaskSampler(config, MaskingConfig(ratio=0.5), seed=0, purpose=Purpose.MASK).draw([Draw(0, 0)])
    pair = PairDataset(prepared, inputs=config.inputs, frame="middle")[0]
    frame, segment = reconstruct_pair(model, pair, masks=masks, normalize_pixels=True)
    assert frame.original.shape == (32, 32, 3)
    assert segment.original.shape == (32, 128)
    for part in (frame, segment):
        assert part.hidden.mean() == 0.5
        np.testing.assert_allclose(part.composite[~part.hidden], part.original[~part.hidden], atol=1e-5)
        assert (part.composite != part.original)[part.hidden].any()
