"""Fingerprints of picture and sound: codes of signs that a new encoding hardly changes.

A code has values -1, 0 and +1. A sign says which of two neighbouring places is brighter or louder; 0 means
that the difference is too small to be kept by a codec. Only places where both clips have a sign are compared.
So black frames and silence match nothing, not even themselves.

Shapes: T frames of a clip, H W pixels, C channels, R K rows and columns of cells, N spectrogram frames,
M mel bins, B bands, W windows of sound.
"""

from typing import Final

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray

from cavmae_sync.paper import HOP_MILLISECONDS, NUM_MELS

#: Rows and columns of cells in a frame. Neighbours in a row are compared: 64 pairs per frame.
_CELLS: Final = (8, 9)
#: Least difference of two cells, in grey levels, for a sign.
_LEAST_LEVELS: Final = 3.0
#: Spectrogram frames from one window of sound to the next (0.1 s), and in one window (0.4 s).
WINDOW_HOP: Final = 100 // HOP_MILLISECONDS
_WINDOW: Final = 400 // HOP_MILLISECONDS
#: Distance of the two windows whose contrasts are compared, in windows (0.4 s).
_STEP: Final = 4
#: Mel bins per band. The lowest band is not used: it has hum and offset.
_BAND_MELS: Final = 8
#: Least difference of two contrasts, in natural logarithms of energy, for a sign.
_LEAST_CONTRAST: Final = 0.25
#: Energies below this (natural logarithm) are noise of codecs.
_QUIET: Final = -11.0


def picture_code(frames_THWC: NDArray[np.uint8]) -> NDArray[np.int8]:
    """Code of the frames of a clip: whether a cell is brighter than its right neighbour (difference hash).

    Args:
        frames_THWC: Square RGB frames.

    Returns:
        int8 [T, 64].
    """
    grey_THW = torch.from_numpy(frames_THWC).to(torch.float32).mean(dim=3)
    cells_TRK = F.adaptive_avg_pool2d(grey_THW[:, None], _CELLS)[:, 0].numpy()
    return _signs(np.diff(cells_TRK, axis=2), _LEAST_LEVELS).reshape(len(frames_THWC), -1)


def sound_code(log_mel_NM: NDArray[np.floating]) -> NDArray[np.int8]:
    """Code of the sound of a clip: whether the contrast of neighbouring bands rises or falls within 0.4 s.

    Gain cancels in the contrast of two bands; the response of a codec or microphone cancels in its change.

    Args:
        log_mel_NM: Natural logarithms of energies, not normalised.

    Returns:
        int8 [W, 14], one row every 0.1 s; no rows for less than 0.8 s.
    """
    log_mel = np.maximum(np.asarray(log_mel_NM, dtype=np.float32), _QUIET)
    bands_NB = log_mel.reshape(len(log_mel), NUM_MELS // _BAND_MELS, _BAND_MELS).mean(axis=2)[:, 1:]
    sums_NB = np.concatenate([np.zeros_like(bands_NB[:1]), np.cumsum(bands_NB, axis=0, dtype=np.float64)])
    starts = np.arange(0, len(bands_NB) - _WINDOW + 1, WINDOW_HOP)
    if len(starts) <= _STEP:
        return np.zeros((0, bands_NB.shape[1] - 1), dtype=np.int8)
    windows_WB = (sums_NB[starts + _WINDOW] - sums_NB[starts]) / _WINDOW
    contrast_WB = np.diff(windows_WB, axis=1)
    return _signs(contrast_WB[_STEP:] - contrast_WB[:-_STEP], _LEAST_CONTRAST)


def _signs(values: NDArray[np.floating], least: float) -> NDArray[np.int8]:
    return (np.sign(values) * (np.abs(values) >= least)).astype(np.int8)
