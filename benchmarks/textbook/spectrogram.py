"""The log-mel spectrogram of a clip as in a textbook, computed again for each of its frames."""

import numpy as np
import torch
from numpy.typing import NDArray

RATE, HOP, WINDOW, FFT, MELS = 16_000, 160, 400, 512, 128


def log_mel(waveform: NDArray[np.float32]) -> NDArray[np.float32]:
    """Log energies of 128 mel bins every 10 ms, `[N, 128]`: windows, transform, filters, logarithm."""
    sound = torch.from_numpy(waveform)
    sound = sound - sound.mean()
    windows = sound.unfold(0, WINDOW, HOP)
    windows = windows - windows.mean(dim=1, keepdim=True)
    previous = torch.cat([windows[:, :1], windows[:, :-1]], dim=1)
    windows = (windows - 0.97 * previous) * torch.hann_window(WINDOW, periodic=False)
    power = torch.fft.rfft(windows, n=FFT).abs() ** 2
    energies = power @ torch.from_numpy(_filters()).float()
    return energies.clamp_min(torch.finfo(torch.float32).eps).log().numpy()


def segments(
    waveform: NDArray[np.float32], *, num_frames: int, length: int, mean: float, std: float
) -> NDArray[np.float32]:
    """The normalised stretch of spectrogram around each frame, `[T, length, 128]`."""
    return np.stack(
        [
            segment(waveform, index, num_frames=num_frames, length=length, mean=mean, std=std)
            for index in range(num_frames)
        ]
    )


def segment(
    waveform: NDArray[np.float32], index: int, *, num_frames: int, length: int, mean: float, std: float
) -> NDArray[np.float32]:
    """The stretch around one frame: the whole spectrogram, padded or cut to 1024 frames, then cut out."""
    spectrogram = log_mel(waveform)[:1024]
    padded = np.zeros((1024, MELS), np.float32)
    padded[: len(spectrogram)] = spectrogram
    start = min(max(round(index * 1024 / num_frames) - length // 2, 0), 1024 - length)
    return (padded[start : start + length] - np.float32(mean)) / np.float32(std)


def _filters() -> NDArray[np.float64]:
    low, high = _mel(20.0), _mel(RATE / 2)
    step = (high - low) / (MELS + 1)
    left = low + step * np.arange(MELS)
    mels = _mel(np.arange(FFT // 2 + 1) * RATE / FFT)[:, None]
    rising, falling = (mels - left) / step, (left + 2 * step - mels) / step
    filters = np.maximum(0.0, np.minimum(rising, falling))
    filters[-1] = 0.0
    return filters


def _mel(hertz):
    return 1127.0 * np.log(1 + hertz / 700.0)
