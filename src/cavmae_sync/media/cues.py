"""Cues of picture and sound: curves that a rule without any learning can compare.

A model is worth something only where it is better than every pair of these: "the picture gets brighter when
the sound gets louder" needs no model.

Letters: T frames, H W pixels, C colours, F spectrogram frames, M mel bins.
"""

from typing import Final

import numpy as np
from numpy.typing import NDArray

from cavmae_sync.paper import HOP_MILLISECONDS, WINDOW_MILLISECONDS

Curve = NDArray[np.float64]

#: Length of the sound around a frame whose cues are taken.
WINDOW_SECONDS: Final = 0.2
_LEAST_ENERGY: Final = 1e-12


def picture_cues(frames_THWC: NDArray[np.uint8]) -> dict[str, Curve]:
    """Cues of each frame, by name: every curve is float64 [T].

    - `brightness`: mean over pixels and colours, in [0, 255].
    - `warmth`: mean of red minus blue, in [-255, 255]; `greenness`: mean of green minus the other two's mean.
    - `brightness_from_left`, `brightness_from_top`: centre of the brightness, in [0, 1].
    - `motion`: mean absolute difference to the frames before and after, in [0, 255]; 0 for a single frame.
    - `motion_from_left`, `motion_from_top`: centre of that difference, in [0, 1]; 0.5 where nothing moves.

    Args:
        frames_THWC: RGB frames in order of time.
    """
    # Sums of whole numbers are exact, and many times faster than means over the last axis.
    red_THW, green_THW, blue_THW = (frames_THWC[..., colour].astype(np.uint16) for colour in range(3))
    grey_THW = (red_THW + green_THW + blue_THW).astype(np.float32) / np.float32(3)
    red_T, green_T, blue_T = (each.mean(axis=(1, 2)) for each in (red_THW, green_THW, blue_THW))
    steps_SHW = np.abs(np.diff(grey_THW, axis=0))
    change_THW = np.zeros_like(grey_THW)
    if len(steps_SHW):
        change_THW[:-1], change_THW[-1] = steps_SHW, steps_SHW[-1]
        change_THW[1:-1] = (steps_SHW[:-1] + steps_SHW[1:]) / np.float32(2)
    brightness_from_left_T, brightness_from_top_T = _centres(grey_THW)
    motion_from_left_T, motion_from_top_T = _centres(change_THW)
    return {
        "brightness": grey_THW.mean(axis=(1, 2), dtype=np.float64),
        "warmth": red_T - blue_T,
        "greenness": green_T - (red_T + blue_T) / 2,
        "brightness_from_left": brightness_from_left_T,
        "brightness_from_top": brightness_from_top_T,
        "motion": change_THW.mean(axis=(1, 2), dtype=np.float64),
        "motion_from_left": motion_from_left_T,
        "motion_from_top": motion_from_top_T,
    }


def sound_cues(
    log_mel_FM: NDArray[np.floating], seconds_T: Curve, *, window_seconds: float = WINDOW_SECONDS
) -> dict[str, Curve]:
    """Cues of the sound around each time, by name: every curve is float64 [T].

    - `loudness`: logarithm of the mean energy; `amplitude`: its square root, which the loudest moments rule.
    - `pitch`: centre of the energy over the mel bins, in [0, 1] from low to high.

    Args:
        log_mel_FM: Log-mel spectrogram, not normalised.
        seconds_T: Times from the start of the sound.
        window_seconds: Length of the sound around each time. At the ends of the clip the window is moved
            inwards.
    """
    mean_TM = mean_energies(log_mel_FM, seconds_T, window_seconds=window_seconds)
    total_T = np.maximum(mean_TM.sum(axis=1), _LEAST_ENERGY)
    places_M = np.linspace(0.0, 1.0, mean_TM.shape[1])
    return {
        "loudness": np.log(total_T),
        "amplitude": np.sqrt(total_T),
        "pitch": mean_TM @ places_M / total_T,
    }


def mean_energies(
    log_mel_FM: NDArray[np.floating], seconds_T: Curve, *, window_seconds: float
) -> NDArray[np.float64]:
    """Mean energy of each mel bin in a window around each time: float64 [T, M]. Arguments as `sound_cues`."""
    energy_FM = np.exp(log_mel_FM.astype(np.float32))  # four times as fast as float64
    length = max(round(window_seconds * 1000 / HOP_MILLISECONDS), 1)
    # Spectrogram frame k covers the time from k hops on; its centre is half a frame later.
    middles_T = (seconds_T * 1000 - WINDOW_MILLISECONDS / 2) / HOP_MILLISECONDS
    last = max(len(energy_FM) - length, 0)
    starts_T = np.clip(np.round(middles_T - length / 2).astype(int), 0, last)
    windows = (energy_FM[start : start + length] for start in starts_T)
    return np.stack([window_LM.mean(axis=0, dtype=np.float64) for window_LM in windows])


def _centres(weight_THW: NDArray[np.floating]) -> tuple[Curve, Curve]:
    """Centres of weight, from the left and from the top, each [T] in [0, 1]."""
    centres = []
    for axis in (1, 2):  # summed over rows, then over columns
        line_TN = weight_THW.sum(axis=axis, dtype=np.float64)
        places_N = (np.arange(line_TN.shape[1]) + 0.5) / line_TN.shape[1]
        total_T = line_TN.sum(axis=1)
        weighed_T = line_TN @ places_N
        centres.append(np.divide(weighed_T, total_T, out=np.full_like(total_T, 0.5), where=total_T > 0))
    return centres[0], centres[1]
