"""Baselines of temporal segmentation that need no trained model.

Letters: N spectrogram frames, M mel bins.
"""

from typing import Final

import numpy as np
from numpy.typing import NDArray

from cavmae_sync.data import ClipRow, PreparedDataset
from cavmae_sync.paper import HOP_MILLISECONDS, WINDOW_MILLISECONDS
from cavmae_sync.tasks.temporal.spans import (
    StateSpans,
    by_first_appearance,
    spans_of_edges,
    without_short_spans,
)
from cavmae_sync.tasks.temporal.truth import MIN_STATE_SECONDS

#: The loudest and the quietest tenth of a clip, between which "loud" begins.
_QUIET_AND_LOUD: Final = (10, 90)
#: Loudness is smoothed over this many spectrogram frames, a tenth of a second.
_SMOOTHING: Final = 10


def one_state(clip: ClipRow) -> StateSpans:
    """One span for the whole clip: nothing changes."""
    return spans_of_edges(np.array([clip.start_seconds, clip.stop_seconds]), np.array([0]))


def uniform_states(clip: ClipRow, *, num_spans: int) -> StateSpans:
    """Spans of equal length, each a state of its own."""
    edges = np.linspace(clip.start_seconds, clip.stop_seconds, num_spans + 1)
    return spans_of_edges(edges, np.arange(num_spans))


def loudness_states(clips: PreparedDataset, index: int) -> StateSpans:
    """Loud and quiet spans of a clip, from its spectrogram alone, every 10 ms.

    Loud is what lies above the middle between the 10th and the 90th percentile of the log energy, smoothed
    over 0.1 s. Spans below 0.64 s are given to their neighbours, as in the truth.

    Args:
        clips: Prepared clips.
        index: Which of them.
    """
    clip = clips.row(index)
    log_mel_NM = clips.read_log_mel_rows(index, start=0, stop=clip.num_spectrogram_frames)
    loudness_N = log_energy(log_mel_NM.astype(np.float64))
    quiet, loud = np.percentile(loudness_N, _QUIET_AND_LOUD)
    is_loud_N = (loudness_N > (quiet + loud) / 2).astype(np.int64)
    hop, half_window = HOP_MILLISECONDS / 1000, WINDOW_MILLISECONDS / 2000
    borders = clip.start_seconds + half_window + (np.arange(1, len(is_loud_N)) - 0.5) * hop
    edges = np.concatenate([[clip.start_seconds], borders, [clip.stop_seconds]])
    edges, labels_K = without_short_spans(edges, is_loud_N, min_seconds=MIN_STATE_SECONDS)
    return spans_of_edges(edges, by_first_appearance(labels_K))


def log_energy(log_mel_NM: NDArray[np.float64]) -> NDArray[np.float64]:
    """Natural logarithm of the energy of each spectrogram frame, smoothed over a tenth of a second."""
    energy_N = np.log(np.exp(log_mel_NM).sum(axis=1))
    width = min(_SMOOTHING, len(energy_N))
    padded = np.pad(energy_N, (width // 2, width - 1 - width // 2), mode="edge")
    return np.convolve(padded, np.full(width, 1 / width), mode="valid")
