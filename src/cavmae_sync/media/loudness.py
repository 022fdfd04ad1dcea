"""Loudness of sound: decibels of full scale of its root mean square, dBFS. 0 dBFS is a square wave of 1."""

import math
from typing import Final

import numpy as np
from numpy.typing import NDArray

#: Quieter sound counts as silent, in preparation and in every task, unless a user asks otherwise.
SILENT_BELOW_DBFS: Final = -60.0
#: The loudness of digital silence, whose logarithm would be minus infinity; no loudness is less.
LEAST_DBFS: Final = -120.0


def mean_square(waveform_S: NDArray[np.float32]) -> float:
    """Mean square of samples in [-1, 1]; 0 where there are none."""
    return float(np.mean(np.square(waveform_S, dtype=np.float64))) if waveform_S.size else 0.0


def loudness_dbfs(waveform_S: NDArray[np.float32]) -> float:
    """Root mean square of samples in [-1, 1], in decibels of full scale; -120 for digital silence."""
    return 10 * math.log10(max(mean_square(waveform_S), 10 ** (LEAST_DBFS / 10)))


def loudest_of_parts(waveform_S: NDArray[np.float32], num_parts: int) -> NDArray[np.float32]:
    """Loudest sample of each of equal parts of a sound, float32 [num_parts] in [0, 1]; 0 for empty parts."""
    peaks_B = np.zeros(num_parts, np.float32)
    parts_S = np.arange(waveform_S.size) * num_parts // max(waveform_S.size, 1)
    np.maximum.at(peaks_B, parts_S, np.abs(waveform_S))
    return peaks_B
