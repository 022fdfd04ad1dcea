"""Writer of WAV files of 16 bits and one channel.

Shape: S samples.
"""

import os
import wave
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from cavmae_sync.atomic import written_whole
from cavmae_sync.media.clip import check_array
from cavmae_sync.paper import SAMPLE_RATE_HZ

_LOUDEST = 32767


def write_wav(
    path: str | os.PathLike[str], waveform_S: NDArray[np.float32], *, sample_rate_hz: int = SAMPLE_RATE_HZ
) -> None:
    """Write a WAV file, whole or not at all.

    Args:
        path: File to write.
        waveform_S: float32 in [-1, 1].
        sample_rate_hz: Samples per second.

    Raises:
        ValueError: The waveform has another dtype or shape, or values that are not finite or beyond 1.
    """
    check_array("waveform_S", waveform_S, num_axes=1, dtype=np.float32)
    if not (waveform_S.size and np.abs(waveform_S).max() <= 1):
        raise ValueError("waveform_S must have samples, all finite and in [-1, 1]")
    with written_whole(Path(path)) as part, wave.open(str(part), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(sample_rate_hz)
        file.writeframes((waveform_S * _LOUDEST).round().astype("<i2").tobytes())
