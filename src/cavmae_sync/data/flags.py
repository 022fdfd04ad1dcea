"""Flags of a clip: silent, still, short. They are stored; no clip is left out because of them.

Shapes: T frames, H W pixels, C channels, S samples.
"""

from typing import Final

import numpy as np
from numpy.typing import NDArray

from cavmae_sync.media import Clip
from cavmae_sync.media.loudness import mean_square
from cavmae_sync.paper import PATCH_SIZE

#: Frames whose patches all change by fewer grey levels are still, unless a user asks otherwise.
STILL_BELOW_LEVELS: Final = 2.0


def is_silent(waveform_S: NDArray[np.float32], *, below_dbfs: float) -> bool:
    """Whether the root mean square of the sound is below a level in decibels of full scale."""
    return mean_square(waveform_S) < 10 ** (below_dbfs / 10)


def is_still(frames_THWC: NDArray[np.uint8], *, below_levels: float) -> bool:
    """Whether no 16 x 16 patch changes by `below_levels` grey levels, on average, from frame to frame.

    Patches are compared, because a small moving object hardly changes the mean of a whole frame, and noise of
    compression hardly changes the mean of a patch.
    """
    changes_THWC = np.abs(np.diff(frames_THWC.astype(np.int16), axis=0))
    frames, height, width, channels = changes_THWC.shape
    rows, columns = height // PATCH_SIZE, width // PATCH_SIZE
    cropped_THWC = changes_THWC[:, : rows * PATCH_SIZE, : columns * PATCH_SIZE]
    patches = cropped_THWC.reshape(frames, rows, PATCH_SIZE, columns, PATCH_SIZE * channels)
    return float(patches.mean(axis=(2, 4)).max(initial=0.0)) < below_levels


def is_short(clip: Clip, *, clip_seconds: float) -> bool:
    """Whether a clip is shorter than `clip_seconds` by the duration of one frame or more."""
    return clip.duration_seconds <= clip_seconds - clip_seconds / len(clip.frames_THWC)
