"""Building blocks of synthetic sound: tones, noise, repeated hits and the colouring of a voice.

Shape letters: S samples, at 16 kHz. Frequencies are in hertz.
"""

from collections.abc import Callable, Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray

from cavmae_sync.paper import SAMPLE_RATE_HZ

Wave = NDArray[np.float64]
HIGHEST_HZ: Final = 7400.0


def seconds_of(num_samples: int) -> Wave:
    """Times of samples: (S,) float64 in seconds, from 0."""
    return np.arange(num_samples) / SAMPLE_RATE_HZ


def tone(frequency_hz: Wave | float, num_samples: int, *, partials: Sequence[float] = (1.0,)) -> Wave:
    """Harmonic tone of constant or moving pitch; partials beyond the highest frequency are left out.

    Args:
        frequency_hz: Pitch, one number or (S,).
        num_samples: Length.
        partials: Strength of the partials, the fundamental first.
    """
    pitch_S = np.broadcast_to(np.asarray(frequency_hz, dtype=np.float64), (num_samples,))
    phase_S = 2 * np.pi * np.cumsum(pitch_S) / SAMPLE_RATE_HZ
    wave_S = np.zeros(num_samples)
    for number, strength in enumerate(partials, start=1):
        if number * pitch_S.max(initial=0.0) < HIGHEST_HZ:
            wave_S += strength * np.sin(number * phase_S)
    return wave_S


def rich(num_partials: int, *, slope: float = 1.0) -> list[float]:
    """Strengths of partials that fall as 1 / number ** slope."""
    return [1.0 / number**slope for number in range(1, num_partials + 1)]


def struck(frequency_hz: float, num_samples: int, *, ratios: Sequence[float], decay_seconds: float) -> Wave:
    """Struck body: inharmonic partials that die away, the higher the sooner."""
    seconds_S = seconds_of(num_samples)
    wave_S = np.zeros(num_samples)
    for position, ratio in enumerate(ratios):
        if ratio * frequency_hz < HIGHEST_HZ:
            fade_S = np.exp(-seconds_S * (1 + 0.5 * position) / decay_seconds)
            wave_S += fade_S * np.sin(2 * np.pi * ratio * frequency_hz * seconds_S) / (1 + 0.4 * position)
    return wave_S


def noise_band(num_samples: int, *, low_hz: float, high_hz: float, generator: np.random.Generator) -> Wave:
    """Noise between two frequencies with edges a third of an octave wide, of unit RMS."""
    length = _fast_length(num_samples)
    spectrum = np.fft.rfft(generator.standard_normal(length))
    octaves = np.log2(np.maximum(np.fft.rfftfreq(length, 1 / SAMPLE_RATE_HZ), 1.0))
    low, high = np.log2(low_hz), np.log2(min(high_hz, HIGHEST_HZ))
    outside = np.maximum(np.maximum(low - octaves, octaves - high), 0.0)
    wave_S = np.fft.irfft(spectrum * np.exp(-((outside * 3) ** 2)), length)[:num_samples]
    return wave_S / max(float(np.sqrt(np.mean(wave_S**2))), 1e-12)


def fading(num_samples: int, *, decay_seconds: float) -> Wave:
    """Exponential decay from 1, with an attack of 3 ms."""
    seconds_S = seconds_of(num_samples)
    return np.exp(-seconds_S / decay_seconds) * np.minimum(seconds_S / 0.003, 1.0)


def arch(num_samples: int) -> Wave:
    """Half a sine: rises from 0 and falls to 0."""
    return np.sin(np.pi * (np.arange(num_samples) + 0.5) / num_samples)


def repeated(hit: Callable[[int], Wave], *, num_samples: int, rate_hz: float) -> Wave:
    """Hits at a steady rate from the first sample on; each rings into the next ones.

    Args:
        hit: Makes hit number n.
        num_samples: Length of the result; what rings longer is cut.
        rate_hz: Hits in a second.
    """
    wave_S = np.zeros(num_samples)
    for number in range(int(np.ceil(num_samples / SAMPLE_RATE_HZ * rate_hz))):
        start = round(number / rate_hz * SAMPLE_RATE_HZ)
        sound_S = hit(number)[: num_samples - start]
        wave_S[start : start + len(sound_S)] += sound_S
    return wave_S


def tremolo(wave_S: Wave, *, rate_hz: float, depth: float = 0.95) -> Wave:
    """Modulate the loudness of a wave; it starts at full strength."""
    swing_S = 0.5 + 0.5 * np.cos(2 * np.pi * rate_hz * seconds_of(len(wave_S)))
    return wave_S * (1.0 - depth + depth * swing_S)


def coloured(wave_S: Wave, *, warmth: float) -> Wave:
    """Timbre from dull (0) to bright (1): the brighter, the more overdriven and the stronger up high."""
    length = _fast_length(len(wave_S))
    wave_S = wave_S / max(float(np.abs(wave_S).max(initial=0.0)), 1e-12)
    drive = 0.3 * 16.0**warmth
    spectrum = np.fft.rfft(np.tanh(drive * wave_S), length)
    octaves = np.log2(np.maximum(np.fft.rfftfreq(length, 1 / SAMPLE_RATE_HZ), 30.0) / 500.0)
    decibels = np.clip(octaves * (-7.0 + 10.0 * warmth), -40.0, 15.0)
    return np.fft.irfft(spectrum * 10 ** (decibels / 20), length)[: len(wave_S)]


def _fast_length(num_samples: int) -> int:
    """The next multiple of 1024: transforms of lengths with large prime factors are several times slower."""
    return -(-num_samples // 1024) * 1024
