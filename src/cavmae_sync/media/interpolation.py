"""Interpolation between samples, for sound whose clock runs a little fast or slow.

Shapes: S samples wanted, N samples given, P phases and T taps of the filter.
"""

from functools import cache
from typing import Final

import numpy as np
from numpy.typing import NDArray

_REACH: Final = 16  # samples to either side of a place
_KAISER_BETA: Final = 8.0  # side lobes 80 dB down
_NUM_PHASES: Final = 4096  # places between two samples: below 1 kHz, finer than a step of 16 bits
_AT_ONCE: Final = 1 << 16  # places; bounds memory


def interpolate(samples_N: NDArray[np.float32], places_S: NDArray[np.float64]) -> NDArray[np.float32]:
    """Interpolate at fractional places, by a sinc under a Kaiser window; silence outside.

    Args:
        samples_N: Sound, float32.
        places_S: Places, in samples from the first; need not be in order.

    Returns:
        float32 [S].

    >>> interpolate(np.ones(100, np.float32), np.array([50.0, -40.0])).round(6).tolist()
    [1.0, 0.0]
    """
    padded_N = np.pad(samples_N, 2 * _REACH)
    parts = [
        _interpolate(padded_N, places_S[first : first + _AT_ONCE], samples_N.size)
        for first in range(0, places_S.size, _AT_ONCE)
    ]
    return np.concatenate([np.zeros(0, np.float32), *parts])


def _interpolate(
    padded_N: NDArray[np.float32], places_S: NDArray[np.float64], size: int
) -> NDArray[np.float32]:
    inside_S = np.clip(places_S, 0.0, max(size - 1, 0))
    whole_S, phase_S = np.divmod(np.rint(inside_S * _NUM_PHASES).astype(np.int64), _NUM_PHASES)
    values_ST = np.lib.stride_tricks.sliding_window_view(padded_N, 2 * _REACH)[whole_S + _REACH + 1]
    heard_S = np.einsum("st,st->s", values_ST, _filters()[phase_S])
    return np.where((places_S < 0) | (places_S > size - 1), np.float32(0), heard_S)


@cache
def _filters() -> NDArray[np.float32]:
    """Weights of the samples around a place, for every phase; each sums to 1."""
    away_PT = np.arange(_NUM_PHASES)[:, None] / _NUM_PHASES - np.arange(1 - _REACH, _REACH + 1)
    window_PT = np.i0(_KAISER_BETA * np.sqrt(np.maximum(1 - (away_PT / _REACH) ** 2, 0.0)))
    weights_PT = np.sinc(away_PT) * window_PT
    return (weights_PT / weights_PT.sum(axis=1, keepdims=True)).astype(np.float32)
