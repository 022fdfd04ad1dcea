"""Pictures and recordings that are the same under two names: equal files, copies, mirrored or cut ones.

Shape letters: N things, D values of a signature, H W pixels of a small image, S samples at 16 kHz, F
frequency bands.
"""

from collections.abc import Sequence
from itertools import combinations
from typing import Final

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from cavmae_sync.stage.recordings import Samples

_SIDE: Final = 24
#: Correlation of two small images on grey below which they are not compared further.
_ALIKE_PICTURE: Final = 0.8
#: What two pictures must have in common to be the same, set by looking at all pairs that are alike in the
#: packages. Five drawings of one dreidel are the same, round fruits are not. Shape of the box, overlap of the
#: silhouettes, correlation of the colours where both are opaque, and their mean difference of 255 levels.
_MOST_STRETCH: Final = 1.18
_LEAST_OVERLAP: Final = 0.9
_LEAST_CORRELATION: Final = 0.5
_MOST_DIFFERENCE: Final = 25.0
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
    small_N = [_small(image) for image in images]
    plain_ND = np.stack([_unit(_on_grey(small).ravel()) for small in small_N])
    mirrored_ND = np.stack([_unit(_on_grey(small)[:, ::-1].ravel()) for small in small_N])
    likeness_NN = np.maximum(plain_ND @ plain_ND.T, plain_ND @ mirrored_ND.T)
    stretch_N = np.array([image.width / image.height for image in images])
    return [
        (i, j)
        for i, j in combinations(range(len(images)), 2)
        if likeness_NN[i, j] > _ALIKE_PICTURE
        and 1 / _MOST_STRETCH < stretch_N[i] / stretch_N[j] < _MOST_STRETCH
        and (_are_same(small_N[i], small_N[j]) or _are_same(small_N[i], small_N[j][:, ::-1]))
    ]


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


def _small(image: Image.Image) -> NDArray[np.float64]:
    """Small image: (H, W, 4) float64; colours times opacity in [0, 255], and opacity in [0, 1]."""
    small = np.asarray(image.convert("RGBa").resize((_SIDE, _SIDE), Image.Resampling.BOX), np.float64)
    return np.concatenate([small[..., :3], small[..., 3:] / 255], axis=2)


def _on_grey(small_HW4: NDArray[np.float64]) -> NDArray[np.float64]:
    return small_HW4[..., :3] + 128 * (1 - small_HW4[..., 3:])


def _are_same(first_HW4: NDArray[np.float64], second_HW4: NDArray[np.float64]) -> bool:
    opacity_HW, other_HW = first_HW4[..., 3], second_HW4[..., 3]
    overlap = np.minimum(opacity_HW, other_HW).sum() / np.maximum(opacity_HW, other_HW).sum()
    if overlap < _LEAST_OVERLAP:
        return False
    weight_HW1 = (opacity_HW * other_HW / (opacity_HW * other_HW).sum())[..., None]
    a_HWC, b_HWC = (s[..., :3] / np.maximum(s[..., 3:], 0.05) for s in (first_HW4, second_HW4))
    difference = (weight_HW1 * np.abs(a_HWC - b_HWC)).sum() / 3
    a_HWC, b_HWC = (c - (weight_HW1 * c).sum(axis=(0, 1)) for c in (a_HWC, b_HWC))
    spread = np.sqrt((weight_HW1 * a_HWC**2).sum() * (weight_HW1 * b_HWC**2).sum())
    correlation = (weight_HW1 * a_HWC * b_HWC).sum() / max(float(spread), 1e-9)
    return bool(difference < _MOST_DIFFERENCE and correlation > _LEAST_CORRELATION)


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
