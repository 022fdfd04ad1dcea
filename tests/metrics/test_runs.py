"""Runs of equal neighbours."""

import numpy as np

from cavmae_sync.metrics.runs import run_edges


def test_edges_by_hand():
    assert run_edges(np.array([3, 3, 1, 3, 3])).tolist() == [0, 2, 3, 5]
    assert run_edges(np.array(["a", "b", "b"])).tolist() == [0, 1, 3]
    assert run_edges(np.array([True])).tolist() == [0, 1]
    assert run_edges(np.array([], dtype=bool)).tolist() == [0]
