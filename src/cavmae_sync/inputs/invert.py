"""Inversion of log-mel spectrograms to waveforms. What a spectrogram has lost is guessed.

Shapes: N spectrogram frames, M mel bins, F frequencies, S samples.
"""

from typing import Final

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from cavmae_sync.inputs.arrays import as_tensor
from cavmae_sync.inputs.spectrogram import FFT_SAMPLES, HOP_SAMPLES, WINDOW_SAMPLES, mel_filters
from cavmae_sync.paper import LOW_FREQUENCY_HZ, NUM_MELS, PREEMPHASIS, SAMPLE_RATE_HZ

#: Fewest spectrogram frames that give a waveform.
MIN_SPECTROGRAM_FRAMES: Final = 4
_POWER_STEPS: Final = 100
_PHASE_STEPS: Final = 60


def waveform_from_log_mel(log_mel_NM: NDArray[np.floating] | Tensor, *, generator: torch.Generator) -> Tensor:
    """Waveform for a spectrogram: energies of frequencies by least squares, phases by Griffin and Lim.

    128 mel bins hold less than 257 frequencies, and no phases: pitch and rhythm come back, timbre is rough,
    speech is hoarse.

    Args:
        log_mel_NM: Natural logarithm of energies as from `log_mel`, not normalised, at least 4 spectrogram
            frames.
        generator: Source of the first phases, on the CPU.

    Returns:
        float32 [160 (N - 1)], 16 kHz, in [-1, 1]. Sample 0 is the middle of the first window.

    Raises:
        ValueError: The spectrogram has another shape, is too short, or is not finite.
    """
    log_mel_NM = as_tensor(log_mel_NM).float().cpu()
    if log_mel_NM.ndim != 2 or log_mel_NM.shape[1] != NUM_MELS or len(log_mel_NM) < MIN_SPECTROGRAM_FRAMES:
        raise ValueError(
            f"A waveform needs at least {MIN_SPECTROGRAM_FRAMES} rows of {NUM_MELS} mel bins, "
            f"but got shape {tuple(log_mel_NM.shape)}."
        )
    if not log_mel_NM.isfinite().all():
        raise ValueError("The spectrogram holds NaN or infinite values, which have no sound.")
    magnitude_FN = _power(log_mel_NM.exp()).sqrt().T / _preemphasis()[:, None]
    angle_FN = 2 * torch.pi * torch.rand(magnitude_FN.shape, generator=generator)
    window = torch.hann_window(WINDOW_SAMPLES)
    stft = {"n_fft": FFT_SAMPLES, "hop_length": HOP_SAMPLES, "win_length": WINDOW_SAMPLES, "window": window}
    for _ in range(_PHASE_STEPS):
        waveform_S = torch.istft(torch.polar(magnitude_FN, angle_FN), **stft)
        angle_FN = torch.stft(waveform_S, **stft, return_complex=True).angle()
    waveform_S = torch.istft(torch.polar(magnitude_FN, angle_FN), **stft)
    return waveform_S / waveform_S.abs().max().clamp_min(1)


def _power(energy_NM: Tensor) -> Tensor:
    """Energies [N, F] >= 0 whose mel energies are as near as possible to the given ones.

    The steps multiply, so energies never become negative, as plain least squares would make them.
    """
    filters_FM = torch.from_numpy(mel_filters())
    wanted_NF = energy_NM @ filters_FM.T
    power_NF = wanted_NF.clone()
    for _ in range(_POWER_STEPS):
        power_NF = power_NF * wanted_NF / (power_NF @ filters_FM @ filters_FM.T).clamp_min(1e-12)
    return power_NF


def _preemphasis() -> Tensor:
    """Gain of pre-emphasis by frequency; infinite below the lowest mel filter, which gives silence there."""
    hertz_F = torch.arange(FFT_SAMPLES // 2 + 1) * SAMPLE_RATE_HZ / FFT_SAMPLES
    radians_F = 2 * torch.pi * hertz_F / SAMPLE_RATE_HZ
    gain_F = (1 - PREEMPHASIS * torch.polar(torch.ones_like(radians_F), -radians_F)).abs()
    return torch.where(hertz_F < LOW_FREQUENCY_HZ, torch.inf, gain_F)
