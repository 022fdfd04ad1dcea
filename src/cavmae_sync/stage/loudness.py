"""Loudness of sounds over time: measured, and made equal.

Shape letters: O actors, S samples at 16 kHz, T frames.
"""

from typing import Final

import numpy as np
from numpy.typing import NDArray

from cavmae_sync.paper import SAMPLE_RATE_HZ

Samples = NDArray[np.float32]

#: RMS of an utterance whose event has loudness 1; where it is not levelled, of its loudest 0.2 s.
REFERENCE_RMS: Final = 0.2
#: Length of the span around a moment whose RMS is the loudness at that moment.
LOUDNESS_WINDOW_SECONDS: Final = 0.2
_WINDOW: Final = round(LOUDNESS_WINDOW_SECONDS * SAMPLE_RATE_HZ)
#: Most that a quiet part is turned up, relative to the loudest part of the sound.
_MOST_GAIN: Final = 20.0
_NUM_PASSES: Final = 3


def loudness(tracks_OS: Samples, *, frame_seconds_T: NDArray[np.float64]) -> NDArray[np.float32]:
    """Loudness of each actor around each frame: (O, T) float32 >= 0; 1 is as loud as `REFERENCE_RMS`.

    It is the RMS of the actor's own track in a window of 0.2 s centred on the frame, divided by the
    reference.
    """
    energy_OS = np.cumsum(np.pad(tracks_OS.astype(np.float64) ** 2, ((0, 0), (1, 0))), axis=1)
    half = LOUDNESS_WINDOW_SECONDS / 2
    edges = np.stack([frame_seconds_T - half, frame_seconds_T + half]) * SAMPLE_RATE_HZ
    first_T, last_T = np.clip(np.round(edges).astype(int), 0, tracks_OS.shape[1])
    mean_OT = (energy_OS[:, last_T] - energy_OS[:, first_T]) / (LOUDNESS_WINDOW_SECONDS * SAMPLE_RATE_HZ)
    return (np.sqrt(np.maximum(mean_OT, 0.0)) / REFERENCE_RMS).astype(np.float32)


def loudest_rms(wave_S: Samples) -> float:
    """RMS of the loudest 0.2 s of a sound."""
    window = min(_WINDOW, len(wave_S))
    energy_S = np.cumsum(np.pad(wave_S.astype(np.float64) ** 2, (1, 0)))
    return float(np.sqrt(max((energy_S[window:] - energy_S[:-window]).max(), 0.0) / window))


def level_gain(wave_S: Samples) -> NDArray[np.float64]:
    """Gain that gives every 0.2 s of a sound the RMS `REFERENCE_RMS`: (S,) float64.

    A few passes are needed, because the gain itself changes within a window. At the ends of the sound the
    window is shorter. Parts that are much quieter than the loudest one (silence) are not turned up further.
    """
    gain_S = np.ones(len(wave_S))
    for _ in range(_NUM_PASSES):
        rms_S = np.sqrt(_running_mean((wave_S * gain_S) ** 2))
        gain_S *= REFERENCE_RMS / np.maximum(rms_S, max(float(rms_S.max(initial=0.0)) / _MOST_GAIN, 1e-9))
    return gain_S


def _running_mean(power_S: NDArray[np.float64]) -> NDArray[np.float64]:
    total_S = np.cumsum(np.pad(power_S, (1, 0)))
    middle_S = np.arange(len(power_S))
    first_S = np.maximum(middle_S - _WINDOW // 2, 0)
    last_S = np.minimum(middle_S + _WINDOW // 2, len(power_S))
    return np.maximum(total_S[last_S] - total_S[first_S], 0.0) / np.maximum(last_S - first_S, 1)
