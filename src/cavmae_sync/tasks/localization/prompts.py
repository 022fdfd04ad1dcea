"""Sounds from elsewhere that a localisation in a video needs: a recording as prompt, and other sounds.

K windows of a recording, L spectrogram frames of each, D width.
"""

import os
from typing import Final

import numpy as np
import torch
from torch import Tensor

from cavmae_sync.embedding import Embedder
from cavmae_sync.embedding.library import open_library
from cavmae_sync.embedding.rows import finite
from cavmae_sync.errors import DatasetError, MediaError
from cavmae_sync.inputs import InputConfig, log_mel
from cavmae_sync.inputs.alignment import cut_segments
from cavmae_sync.maps import MapConfig, sound_vectors
from cavmae_sync.media import read_audio
from cavmae_sync.media.loudness import SILENT_BELOW_DBFS, loudness_dbfs
from cavmae_sync.paper import HOP_MILLISECONDS, SAMPLE_RATE_HZ, WINDOW_MILLISECONDS

#: Windows of a recording that are quieter than its loudest one by more than this are left out.
_QUIETER_DECIBELS: Final = 20.0
_COSINE: Final = MapConfig()
_HOP_SAMPLES: Final = SAMPLE_RATE_HZ * HOP_MILLISECONDS // 1000
_WINDOW_SAMPLES: Final = SAMPLE_RATE_HZ * WINDOW_MILLISECONDS // 1000


def recording_windows(path: str | os.PathLike[str], inputs: InputConfig) -> Tensor:
    """Windows of a recording of any length, normalised log-mel [K, L, 128].

    Windows are as long as the model's segments and overlap by half. Those more than 20 dB quieter than the
    loudest are left out: one bark in a minute of silence is a prompt for the bark, not for the silence.

    Raises:
        MediaError: The file has no sound, is silent or shorter than 25 ms.
    """
    sound_S = read_audio(path)
    if len(sound_S) < _WINDOW_SAMPLES:
        raise MediaError(
            f"{path} has {len(sound_S)} samples of sound at 16 kHz; at least {_WINDOW_SAMPLES} are needed. "
            "Give a longer recording."
        )
    num_samples = (inputs.segment_length - 1) * _HOP_SAMPLES + _WINDOW_SAMPLES
    last = max(len(sound_S) - num_samples, 0)
    starts = range(0, last + 1, num_samples // 2)
    windows = [sound_S[start : start + num_samples] for start in starts]
    decibels = np.array([loudness_dbfs(window_S) for window_S in windows])
    if decibels.max() < SILENT_BELOW_DBFS:
        raise MediaError(
            f"{path} is silent (below {SILENT_BELOW_DBFS:.0f} dBFS). Give a recording with sound."
        )
    loud = [windows[k] for k in np.flatnonzero(decibels > decibels.max() - _QUIETER_DECIBELS)]
    return torch.cat(
        [
            cut_segments(log_mel(window_S), frame_seconds=[len(window_S) / SAMPLE_RATE_HZ / 2], config=inputs)
            for window_S in loud
        ]
    )


def recording_vector(embedder: Embedder, path: str | os.PathLike[str], config: MapConfig = _COSINE) -> Tensor:
    """Vector of a recording of any length, float32 [D]: the mean over its windows (`sound_vectors`).

    The map of a mean of vectors is the mean of their maps.

    Raises:
        MediaError: The file has no sound, is silent or shorter than 25 ms.
        WeightsError: The model gives vectors that are not finite.
    """
    windows_KLM = recording_windows(path, embedder.model.config.inputs)
    return finite(sound_vectors(embedder, [windows_KLM], config), precision=embedder.precision)[0]


def other_sounds(embedder: Embedder, library: str | os.PathLike[str]) -> Tensor:
    """Mean of the vectors of all sounds of a library, float32 [D], for maps with `contrast`.

    Raises:
        DatasetError: The folder is not a library, has no sound, or another model made it.
    """
    opened = open_library(library)
    if not opened.was_made_by(embedder.model):
        raise DatasetError(
            f"{library} was made by another model. Make a library with this one: cavmae-sync index add "
            "LIBRARY VIDEOS --model MODEL."
        )
    total_D, count = torch.zeros(opened.record.encoder.width, dtype=torch.float64), 0
    for audio_FD in opened.vectors("audio"):
        total_D += audio_FD.double().sum(dim=0)
        count += len(audio_FD)
    if not count:
        raise DatasetError(f"{library} has no sound. Give a library with sound, the more the better.")
    return (total_D / count).float()
