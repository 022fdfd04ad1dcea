"""Recordings of a pack's objects, made ready to be played at any length.

Shape letters: S samples at 16 kHz, B blocks of 10 ms.
"""

from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from cavmae_sync.errors import DatasetError, MediaError
from cavmae_sync.media import read_audio
from cavmae_sync.paper import SAMPLE_RATE_HZ

Samples = NDArray[np.float32]

_QUIET: Final = 0.05  # of the loudest sample; quieter ends are cut, as events must begin with sound
_SHORTEST: Final = SAMPLE_RATE_HZ // 100  # 10 ms
_BLOCK: Final = SAMPLE_RATE_HZ // 100
#: Blocks this much quieter than the loudest are a pause (-26 dB).
_PAUSE_RMS: Final = 0.05
#: Pauses inside a recording are shortened to this: an object that sounds is heard at all times.
_LONGEST_PAUSE_SECONDS: Final = 0.1


def read_recording(path: Path, *, name: str) -> Samples:
    """Recording without its silent ends and with short pauses only: (S,) float32.

    Args:
        path: A sound file of any kind that FFmpeg reads.
        name: Name of the object, for the message.

    Raises:
        DatasetError: It cannot be read, is silent, or is shorter than 10 ms.
    """
    try:
        waveform_S = read_audio(path, channel="mix")
    except MediaError as error:
        raise DatasetError(f"{error} Give {name} another sound.") from error
    loud = np.flatnonzero(np.abs(waveform_S) > _QUIET * np.abs(waveform_S).max(initial=0.0))
    if len(loud) < _SHORTEST:
        raise DatasetError(f"{path} is silent or shorter than 10 ms. Give {name} a sound that can be heard.")
    return shorten_pauses(waveform_S[loud[0] : loud[-1] + 1])


def shorten_pauses(waveform_S: Samples) -> Samples:
    """Sound whose pauses last at most 0.1 s: (S,) float32, what is cut is the end of each pause."""
    num_blocks = len(waveform_S) // _BLOCK
    if num_blocks == 0:
        return waveform_S
    blocks_BS = waveform_S[: num_blocks * _BLOCK].reshape(num_blocks, _BLOCK)
    rms_B = np.sqrt(np.mean(blocks_BS.astype(np.float64) ** 2, axis=1))
    is_pause_B = rms_B < _PAUSE_RMS * rms_B.max()
    longest = round(_LONGEST_PAUSE_SECONDS * SAMPLE_RATE_HZ / _BLOCK)
    length_B = np.zeros(num_blocks, int)
    for block in range(num_blocks):
        length_B[block] = (length_B[block - 1] + 1 if block else 1) if is_pause_B[block] else 0
    kept_BS = blocks_BS[length_B <= longest]
    return np.concatenate([kept_BS.ravel(), waveform_S[num_blocks * _BLOCK :]])
