"""Baselines without a model."""

import numpy as np

from cavmae_sync.data import PreparedDataset
from cavmae_sync.tasks.temporal.baselines import log_energy, loudness_states


def test_loudness_finds_the_loud_part(prepared: PreparedDataset):
    quiet, loud = np.full((50, 128), -12.0), np.full((50, 128), -2.0)
    energy = log_energy(np.concatenate([quiet, loud]))
    assert energy.shape == (100,)
    assert (energy[:44] < -6).all()
    assert (energy[55:] > 1).all()
    for index in range(len(prepared)):
        row = prepared.row(index)
        states = loudness_states(prepared, index)
        assert (states[0].start_seconds, states[-1].stop_seconds) == (row.start_seconds, row.stop_seconds)
