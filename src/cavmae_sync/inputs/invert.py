"""Log-mel spectrogram -> a sound that has about this spectrogram. What the spectrogram lost is guessed.

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

#: Spectrogram frames that a waveform takes at least.
MIN_FRAMES: Final = 4
_POWER_STEPS: Final = 100
_PHASE_STEPS: Final = 60


def waveform_from_log_mel(log_mel_NM: NDArray[np.floating] | Tensor, *, generator: torch.Generator) -> Tensor:
    """A waveform for a spectrogram: energies of frequencies by least squares, phases by Griffin and Lim.

    128 mel bins tell less than 257 frequencies, and nothing of phases: pitch and rhythm come back, timbre is
    rough, speech is hoarse.

    Args:
        log_mel_NM: Natural logarithm of energies as from `log_mel`, not normalised, at least 4 frames.
        generator: Of the first phases, on the CPU.

    Returns:
        float32 [160 (N - 1)], 16 kHz, in [-1, 1]. Sample 0 is the middle of the first frame's window.

    Raises:
        ValueError: Another shape, too short, or not finite.
    """
    log_mel_NM = as_tensor(log_mel_NM).float().cpu()
    if log_mel_NM.ndim != 2 or log_mel_NM.shape[1] != NUM_MELS or len(log_mel_NM) < MIN_FRAMES:
        raise ValueError(f"{MIN_FRAMES} frames of {NUM_MELS} mel bins needed, got {tuple(log_mel_NM.shape)}.")
    if not log_mel_NM.isfinite().all():
        raise ValueError("The spectrogram holds NaN or infinite values, which have no sound.")
    magnitude_FN = _power(log_mel_NM.exp()).sqrt().T / _preemphasis()[:, None]
    angle_FN = 2 * torch.pi * torch.rand(magnitude_FN.shape, generator=generator)
    window = torch.hann_window(WINDOW_SAMPLES)
    frame = {"n_fft": FFT_SAMPLES, "hop_length": HOP_SAMPLES, "win_length": WINDOW_SAMPLES, "window": window}
    for _ in range(_PHASE_STEPS):
        waveform_S = torch.istft(torch.polar(magnitude_FN, angle_FN), **frame)
        angle_FN = torch.stft(waveform_S, **frame, return_complex=True).angle()
    waveform_S = torch.istft(torch.polar(magnitude_FN, angle_FN), **frame)
    return waveform_S / waveform_S.abs().max().clamp_min(1)


def _power(energy_NM: Tensor) -> Tensor:
    """Energies [N, F] >= 0 whose mel energies are as near as possible: multiplicative steps keep the sign."""
    filters_FM = torch.from_numpy(mel_filters())
    wanted_NF = energy_NM @ filters_FM.T
    power_NF = wanted_NF.clone()
    for _ in range(_POWER_STEPS):
        power_NF = power_NF * wanted_NF / (power_NF @ filters_FM @ filters_FM.T).clamp_min(1e-12)
    return power_NF


def _preemphasis() -> Tensor:
    """What pre-emphasis multiplied each frequency with; infinite below the lowest mel filter: silence."""
    hertz_F = torch.arange(FFT_SAMPLES // 2 + 1) * SAMPLE_RATE_HZ / FFT_SAMPLES
    radians_F = 2 * torch.pi * hertz_F / SAMPLE_RATE_HZ
    gain_F = (1 - PREEMPHASIS * torch.polar(torch.ones_like(radians_F), -radians_F)).abs()
    return torch.where(hertz_F < LOW_FREQUENCY_HZ, torch.inf, gain_F)
