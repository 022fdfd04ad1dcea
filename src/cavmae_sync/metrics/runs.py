"""Runs of equal neighbours in a row of values."""

from typing import Any

import numpy as np
from numpy.typing import NDArray


def run_edges(values_T: NDArray[Any]) -> NDArray[np.intp]:
    """Beginnings of runs of equal values, and the end of the last one: run k is [edges[k], edges[k + 1]).

    Args:
        values_T: Values that are compared by `!=`. With none, there is one edge and no run.

    >>> run_edges(np.array([7, 7, 2, 7])).tolist()
    [0, 2, 3, 4]
    """
    changes = np.flatnonzero(values_T[1:] != values_T[:-1]) + 1
    return np.unique(np.concatenate([[0], changes, [len(values_T)]])).astype(np.intp)
