"""Baseline without a model: loud sounds belong to bright frames.

A model's score on clips must be compared with this one. On generated clips the baseline is far better than
the demo's model, because every object there is as bright as it is loud.

Letters: N clips, T frames per clip, H W pixels, C colours, F spectrogram frames, M mel bins.
"""

from typing import Final

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from cavmae_sync.data import PreparedDataset
from cavmae_sync.metrics import RetrievalMetrics, retrieval_metrics, true_match_ranks
from cavmae_sync.paper import HOP_MILLISECONDS

#: Length of the sound around a frame whose loudness is measured.
_WINDOW_SECONDS: Final = 0.2


def loudness_against_brightness(clips: PreparedDataset) -> dict[str, RetrievalMetrics]:
    """Retrieval by the correlation of loudness and brightness over the frames of each clip.

    Returns:
        Metrics by direction, named as in `evaluate_retrieval`.
    """
    curves = [
        (_loudness(clips, row), [float(clips.read_frame(row, t).mean()) for t in range(clips.num_frames)])
        for row in range(len(clips))
    ]
    loudness_NT, brightness_NT = (np.array(column) for column in zip(*curves, strict=True))
    similarity_NN = correlations(loudness_NT, brightness_NT)
    return {
        direction: retrieval_metrics(true_match_ranks(scores_NN), num_gallery=len(clips))
        for direction, scores_NN in (
            ("audio_to_visual", similarity_NN),
            ("visual_to_audio", similarity_NN.T),
        )
    }


def correlations(first_NT: NDArray[np.float64], second_NT: NDArray[np.float64]) -> Tensor:
    """Correlation of every row of one array with every row of another, [N, N]; 0 for constant rows."""
    units = []
    for curves_NT in (first_NT, second_NT):
        centred_NT = curves_NT - curves_NT.mean(axis=1, keepdims=True)
        norms_N1 = np.linalg.norm(centred_NT, axis=1, keepdims=True)
        units.append(np.divide(centred_NT, norms_N1, out=np.zeros_like(centred_NT), where=norms_N1 > 1e-9))
    return torch.from_numpy(units[0] @ units[1].T)


def _loudness(clips: PreparedDataset, row: int) -> list[float]:
    """Logarithm of the energy around each frame."""
    log_mel_FM = np.asarray(clips.read_log_mel_rows(row, start=0, stop=clips.num_spectrogram_frames(row)))
    energy_F = np.exp(log_mel_FM.astype(np.float64)).sum(axis=1)
    hops_per_second = 1000 / HOP_MILLISECONDS
    half = round(_WINDOW_SECONDS / 2 * hops_per_second)
    centres = (round(seconds * hops_per_second) for seconds in clips.row(row).frame_seconds)
    starts = (min(max(centre - half, 0), max(len(energy_F) - 2 * half, 0)) for centre in centres)
    return [float(np.log(energy_F[start : start + 2 * half].mean())) for start in starts]
