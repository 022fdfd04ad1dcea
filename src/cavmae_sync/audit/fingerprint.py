"""What a clip looks and sounds like, in signs that a re-encode hardly changes.

A code holds -1, 0 and +1. A sign tells which of two neighbouring places is brighter or louder; 0 says that
the difference is too small to survive a codec, or that there is nothing. Only places where both clips have a
sign are compared, so that black pictures and silence match nothing, themselves included.

Shapes: T frames of a clip, H W pixels, C channels, R K rows and columns of cells, N spectrogram frames,
M mel bins, B bands, W windows of sound.
"""

from typing import Final

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray

from cavmae_sync.paper import HOP_MILLISECONDS, NUM_MELS

#: Rows and columns of cells in a picture; neighbours in a row are compared, 64 pairs a frame.
_CELLS: Final = (8, 9)
#: Grey levels by which two cells must differ for a sign.
_LEAST_LEVELS: Final = 3.0
#: Spectrogram frames from one window of sound to the next (0.1 s), and of one window (0.4 s).
WINDOW_HOP: Final = 100 // HOP_MILLISECONDS
_WINDOW: Final = 400 // HOP_MILLISECONDS
#: Windows between the two whose contrast is compared (0.4 s).
_STEP: Final = 4
#: Mel bins of a band. The lowest band is left out: hum and offset live there.
_BAND_MELS: Final = 8
#: Natural logarithms of energy by which contrasts must differ for a sign.
_LEAST_CONTRAST: Final = 0.25
#: Energies below this (natural logarithm) are the noise of codecs, not sound.
_QUIET: Final = -11.0


def picture_code(frames_THWC: NDArray[np.uint8]) -> NDArray[np.int8]:
    """Signs of a clip's frames: which cell is brighter than its right neighbour (a difference hash).

    Args:
        frames_THWC: Square RGB frames.

    Returns:
        int8 [T, 64].
    """
    grey_THW = torch.from_numpy(frames_THWC).to(torch.float32).mean(dim=3)
    cells_TRK = F.adaptive_avg_pool2d(grey_THW[:, None], _CELLS)[:, 0].numpy()
    return _signs(np.diff(cells_TRK, axis=2), _LEAST_LEVELS).reshape(len(frames_THWC), -1)


def sound_code(log_mel_NM: NDArray[np.floating]) -> NDArray[np.int8]:
    """Signs of a clip's sound: whether the contrast of two neighbouring bands rises or falls in 0.4 s.

    Gain cancels in the contrast of two bands, and the response of a codec or microphone in its change.

    Args:
        log_mel_NM: Natural logarithm of energies, not normalised.

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
