"""Log-mel spectrogram of a waveform, as Kaldi computes it.

Shapes: S samples, N spectrogram frames (10 ms apart), M = 128 mel bins, F = 257 frequencies of the
512-point transform, W = 400 samples of one analysis window.
"""

import math
from functools import cache

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor

from cavmae_sync import paper
from cavmae_sync.inputs.arrays import as_tensor
from cavmae_sync.inputs.config import InputConfig

#: Samples between two spectrogram frames, in one window, and in its transform, which is padded.
HOP_SAMPLES = paper.SAMPLE_RATE_HZ * paper.HOP_MILLISECONDS // 1000
WINDOW_SAMPLES = paper.SAMPLE_RATE_HZ * paper.WINDOW_MILLISECONDS // 1000
FFT_SAMPLES = 1 << (WINDOW_SAMPLES - 1).bit_length()
#: Log-mel of digital silence, in every bin.
SILENCE = math.log(paper.LOG_FLOOR)


def num_spectrogram_frames(num_samples: int) -> int:
    """Number of spectrogram frames of `num_samples` samples at 16 kHz: only whole windows count.

    >>> num_spectrogram_frames(160_000)
    998
    """
    return 0 if num_samples < WINDOW_SAMPLES else 1 + (num_samples - WINDOW_SAMPLES) // HOP_SAMPLES


def log_mel(waveform_S: NDArray[np.floating] | Tensor) -> Tensor:
    """Log energies of 128 mel bins every 10 ms, equal to Kaldi's filter bank.

    Written here because torchaudio does not install beside current torch, and kaldi-native-fbank 1.23 refuses
    128 bins at 16 kHz (and took 13 ms for 10 s where this takes 1.3). The mean of the whole waveform is
    subtracted first, so a constant offset changes nothing. Memory is about 8 kB per spectrogram frame, 8 MB
    for 10 s.

    Args:
        waveform_S: Sound at 16 kHz, one channel, floating point in [-1, 1], at least 400 samples (25 ms).

    Returns:
        float32 [N, 128] on the waveform's device, natural logarithm of energies floored at 1.19e-07, so
        digital silence is -15.94. N = 1 + (S - 400) // 160. Bin 0 is the lowest; bin 3 is narrower than
        the transform's resolution and always at the floor (the published statistics include it).

    Raises:
        ValueError: The waveform has not one channel, is too short, or is not finite.
        TypeError: It holds integers, whose scale is unknown.

    Source:
        torchaudio.compliance.kaldi.fbank(htk_compat=True, use_energy=False, dither=0.0,
        window_type="hanning", num_mel_bins=128, frame_shift=10), other values its defaults.
    """
    waveform_S = _checked(as_tensor(waveform_S))
    windows_NW = (waveform_S - waveform_S.mean()).unfold(0, WINDOW_SAMPLES, HOP_SAMPLES)
    windows_NW = windows_NW - windows_NW.mean(dim=1, keepdim=True)
    previous_NW = F.pad(windows_NW, (1, 0), mode="replicate")[:, :-1]
    windows_NW = (windows_NW - paper.PREEMPHASIS * previous_NW) * _constant(_hann(), waveform_S)
    spectrum_NF = torch.fft.rfft(windows_NW, n=FFT_SAMPLES)
    power_NF = spectrum_NF.real.square() + spectrum_NF.imag.square()  # three times faster than abs().square()
    with torch.autocast(waveform_S.device.type, enabled=False):  # bfloat16 products are 0.4 percent off
        energy_NM = power_NF @ _constant(mel_filters(), waveform_S)
    return energy_NM.clamp_min(paper.LOG_FLOOR).log()


def normalize_spectrogram(log_mel_NM: Tensor, *, config: InputConfig) -> Tensor:
    """Log-mel values to the model's scale, (x - mean) / std, float32: silence is -2.42, padding +1.13."""
    return (log_mel_NM.to(torch.float32) - config.spectrogram_mean) / config.spectrogram_std


def denormalize_spectrogram(segment_LM: Tensor, *, config: InputConfig) -> Tensor:
    """Inverse of `normalize_spectrogram`, for figures and sound."""
    return segment_LM * config.spectrogram_std + config.spectrogram_mean


def _checked(waveform_S: Tensor) -> Tensor:
    """Check the waveform and give it in float32."""
    if waveform_S.ndim != 1:
        raise ValueError(f"log_mel needs one channel, shape [samples], but got {tuple(waveform_S.shape)}.")
    if not waveform_S.is_floating_point():
        raise TypeError(f"log_mel needs floating point in [-1, 1], but got {waveform_S.dtype}.")
    if len(waveform_S) < WINDOW_SAMPLES:
        raise ValueError(
            f"log_mel needs at least {WINDOW_SAMPLES} samples ({paper.WINDOW_MILLISECONDS} ms), "
            f"but the waveform has {len(waveform_S)}. Leave such clips out."
        )
    waveform_S = waveform_S.to(torch.float32)
    if not waveform_S.sum().isfinite():
        raise ValueError("The waveform holds NaN or infinite samples. Decode the sound again.")
    return waveform_S


@cache
def _hann() -> NDArray[np.float32]:
    """Symmetric Hann window: its last sample is zero like its first, as in Kaldi."""
    return np.hanning(WINDOW_SAMPLES).astype(np.float32)


@cache
def mel_filters() -> NDArray[np.float32]:
    """Triangular mel filters [F, M]; as in Kaldi, not scaled by width, and zero at 8000 Hz itself."""
    low, high = _mel(paper.LOW_FREQUENCY_HZ), _mel(paper.SAMPLE_RATE_HZ / 2)
    step = (high - low) / (paper.NUM_MELS + 1)
    left_M = low + step * np.arange(paper.NUM_MELS)
    hertz_F = np.arange(FFT_SAMPLES // 2 + 1) * paper.SAMPLE_RATE_HZ / FFT_SAMPLES
    rise_FM = (np.array([_mel(hertz) for hertz in hertz_F])[:, None] - left_M) / step
    filters_FM = np.maximum(0.0, np.minimum(rise_FM, 2.0 - rise_FM))
    filters_FM[-1] = 0.0
    return filters_FM.astype(np.float32)


def _mel(hertz: float) -> float:
    return 1127.0 * math.log1p(hertz / 700.0)


def _constant(array: NDArray[np.float32], like: Tensor) -> Tensor:
    # NumPy arrays are cached, not tensors: a tensor first made in inference mode cannot be used in training.
    return torch.from_numpy(array).to(like.device)
