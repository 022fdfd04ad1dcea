"""Sounds behind the objects: steady noise, changing noise and music.

Shape letters: S samples at 16 kHz.
"""

from typing import Final

import numpy as np
from numpy.typing import NDArray

from cavmae_sync.paper import SAMPLE_RATE_HZ
from cavmae_sync.stage.synthesis import noise_band, repeated, struck

Samples = NDArray[np.float32]

#: Chords of the music, in semitones above its key.
_CHORDS: Final = ((0, 4, 7, 12), (9, 12, 16, 21), (5, 9, 12, 17), (7, 11, 14, 19))
_NOTES_PER_CHORD: Final = 8


def steady_noise(num_samples: int, decibels: float, generator: np.random.Generator) -> Samples:
    """Noise in a random band, as loud as `decibels` relative to full scale."""
    low_hz = 60.0 * 2 ** float(generator.uniform(0.0, 2.0))
    high_hz = low_hz * 2 ** float(generator.uniform(2.0, 4.0))
    noise_S = noise_band(num_samples, low_hz=low_hz, high_hz=high_hz, generator=generator)
    return (noise_S * 10 ** (decibels / 20)).astype(np.float32)


def changing_noise(num_samples: int, generator: np.random.Generator) -> Samples:
    """Three bands of noise that swell and fade at their own pace, like wind and traffic. Unit RMS."""
    seconds_S = np.arange(num_samples) / SAMPLE_RATE_HZ
    total_S = np.zeros(num_samples)
    for low_hz in (80.0, 400.0, 2000.0):
        band_S = noise_band(num_samples, low_hz=low_hz, high_hz=4 * low_hz, generator=generator)
        rate_hz, phase = generator.uniform((0.2, 0.0), (1.0, 1.0))
        total_S += band_S * (0.55 + 0.45 * np.sin(2 * np.pi * (rate_hz * seconds_S + phase)))
    return _unit(total_S)


def music(num_samples: int, generator: np.random.Generator) -> Samples:
    """Plucked chords in a random key and tempo. Unit RMS."""
    key_hz = 130.0 * 2 ** float(generator.uniform(0.0, 1.0))
    rate_hz = float(generator.uniform(4.0, 7.0))

    def note(number: int) -> NDArray[np.float64]:
        chord = _CHORDS[number // _NOTES_PER_CHORD % len(_CHORDS)]
        pitch_hz = key_hz * 2 ** (chord[number * 3 % len(chord)] / 12)
        return struck(pitch_hz, SAMPLE_RATE_HZ, ratios=(1, 2, 3, 4), decay_seconds=0.3)

    return _unit(repeated(note, num_samples=num_samples, rate_hz=rate_hz))


def _unit(wave_S: NDArray[np.float64]) -> Samples:
    return (wave_S / max(float(np.sqrt(np.mean(wave_S**2))), 1e-12)).astype(np.float32)
