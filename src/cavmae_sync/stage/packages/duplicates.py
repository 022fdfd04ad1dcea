"""Pictures and recordings that are the same under two names: equal files, copies, mirrored or cut ones.

Shape letters: N things, D values of a signature, S samples at 16 kHz, F frequency bands.
"""

from collections.abc import Sequence
from itertools import combinations
from typing import Final

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from cavmae_sync.stage.recordings import Samples

_SIDE: Final = 16
#: Correlation of two pictures of 16 x 16 pixels above which they count as the same. Measured in the packages:
#: four drawings of one dreidel have 0.83 to 0.99, two different things at most 0.79.
_SAME_PICTURE: Final = 0.82
#: Correlation of two spectra below which two recordings are not compared further.
_ALIKE_SPECTRUM: Final = 0.95
#: Highest correlation of two recordings at any delay above which they are the same. Measured: copies have
#: 0.88 to 1.0, any two others at most 0.3.
_SAME_RECORDING: Final = 0.6
_COMPARED_SAMPLES: Final = 48_000
_NUM_BANDS: Final = 40

Pair = tuple[int, int]


def same_pictures(images: Sequence[Image.Image]) -> list[Pair]:
    """Pairs (i, j), i < j, of images that are nearly equal, as they are or mirrored.

    Args:
        images: RGBA, cropped to what is visible.
    """
    if not images:
        return []
    small_N = [_thumbnail(image) for image in images]
    plain_ND = np.stack([_unit(small.ravel()) for small in small_N])
    mirrored_ND = np.stack([_unit(small[:, ::-1].ravel()) for small in small_N])
    likeness_NN = np.maximum(plain_ND @ plain_ND.T, plain_ND @ mirrored_ND.T)
    return [(i, j) for i, j in combinations(range(len(images)), 2) if likeness_NN[i, j] > _SAME_PICTURE]


def same_recordings(recordings: Sequence[Samples]) -> list[Pair]:
    """Pairs (i, j), i < j, of recordings of which one is a copy of the other, perhaps cut or encoded anew."""
    if not recordings:
        return []
    spectra_NF = np.stack([_spectrum(waveform_S) for waveform_S in recordings])
    likeness_NN = spectra_NF @ spectra_NF.T
    alike = [
        (i, j) for i, j in combinations(range(len(recordings)), 2) if likeness_NN[i, j] > _ALIKE_SPECTRUM
    ]
    return [(i, j) for i, j in alike if _correlation(recordings[i], recordings[j]) > _SAME_RECORDING]


def _thumbnail(image: Image.Image) -> NDArray[np.float64]:
    grey = Image.new("RGBA", image.size, (128, 128, 128, 255))
    grey.alpha_composite(image)
    return np.asarray(grey.convert("RGB").resize((_SIDE, _SIDE), Image.Resampling.BOX), np.float64)


def _unit(values_D: NDArray[np.float64]) -> NDArray[np.float64]:
    centred_D = values_D - values_D.mean()
    return centred_D / max(float(np.linalg.norm(centred_D)), 1e-9)


def _spectrum(waveform_S: Samples) -> NDArray[np.float64]:
    """Log power in 40 bands from 60 Hz up, their mean removed, of length 1: (F,)."""
    num_samples = 2 * _COMPARED_SAMPLES
    power = np.abs(np.fft.rfft(waveform_S[:_COMPARED_SAMPLES], num_samples)) ** 2
    edges = np.unique(np.geomspace(360, len(power) - 1, _NUM_BANDS + 1).astype(int))
    band_F = np.add.reduceat(power, edges[:-1])
    return _unit(np.log(band_F + 1e-9 * max(float(band_F.sum()), 1e-9)))


def _correlation(first_S: Samples, second_S: Samples) -> float:
    """Highest correlation of the first three seconds of two recordings at any delay, in [0, 1]."""
    a_S, b_S = (w[:_COMPARED_SAMPLES].astype(np.float64) for w in (first_S, second_S))
    size = 2 * _COMPARED_SAMPLES
    products_S = np.fft.irfft(np.fft.rfft(a_S, size) * np.conj(np.fft.rfft(b_S, size)), size)
    return float(np.abs(products_S).max() / max(np.sqrt((a_S**2).sum() * (b_S**2).sum()), 1e-9))
