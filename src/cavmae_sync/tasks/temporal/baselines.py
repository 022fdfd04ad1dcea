"""What finds states without a trained model: what a sceptic would try first.

Letters: N spectrogram frames, M mel bins, K stretches.
"""

from typing import Final

import numpy as np
from numpy.typing import NDArray

from cavmae_sync.data import ClipRow, PreparedDataset
from cavmae_sync.paper import HOP_MILLISECONDS, WINDOW_MILLISECONDS
from cavmae_sync.tasks.temporal.clustering import without_short
from cavmae_sync.tasks.temporal.truth import MIN_STATE_SECONDS, Timeline, timeline

#: The loudest and the quietest tenth of a clip, between which "loud" begins.
_QUIET_AND_LOUD: Final = (10, 90)
#: Loudness is smoothed over this many spectrogram frames, a tenth of a second.
_SMOOTHING: Final = 10


def one_state(clip: ClipRow) -> Timeline:
    """A clip in which nothing changes."""
    return timeline(np.array([clip.start_seconds, clip.stop_seconds]), np.array([0]))


def uniform_states(clip: ClipRow, *, num_segments: int) -> Timeline:
    """Stretches of equal length, each a state of its own."""
    edges = np.linspace(clip.start_seconds, clip.stop_seconds, num_segments + 1)
    return timeline(edges, np.arange(num_segments))


def loudness_states(clips: PreparedDataset, index: int) -> Timeline:
    """Loud and quiet stretches of a clip, from its spectrogram alone, every 10 ms.

    Loud is what lies above the middle between the 10th and the 90th percentile of the log energy, smoothed
    over 0.1 s. Stretches below 0.64 s are given to their neighbours, as in the truth.

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
    return timeline(*without_short(edges, is_loud_N, min_seconds=MIN_STATE_SECONDS))


def log_energy(log_mel_NM: NDArray[np.float64]) -> NDArray[np.float64]:
    """Natural logarithm of the energy of each spectrogram frame, smoothed over a tenth of a second."""
    energy_N = np.log(np.exp(log_mel_NM).sum(axis=1))
    width = min(_SMOOTHING, len(energy_N))
    padded = np.pad(energy_N, (width // 2, width - 1 - width // 2), mode="edge")
    return np.convolve(padded, np.full(width, 1 / width), mode="valid")
