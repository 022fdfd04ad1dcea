"""The clip: frames with their times, and the sound that belongs to them.

Shapes: T frames per clip, H W pixels, C channels (RGB), S samples.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from cavmae_sync.paper import SAMPLE_RATE_HZ


@dataclass(frozen=True, kw_only=True, slots=True)
class Clip:
    """A span of video with its sound, decoded.

    Frames and sound share one clock: `frame_seconds_T[i]` and sample `frame_seconds_T[i] * sample_rate_hz`
    of `waveform_S` happened at the same moment.

    Attributes:
        frames_THWC: RGB frames, uint8.
        frame_seconds_T: Time each frame stands for, float64, seconds from clip start, never decreasing. It is
            the time asked for; the frame is the one on screen at that time.
        waveform_S: Mono sound, float32, finite, in [-1, 1]. Sample 0 is at clip start; silence where the
            track has not begun or has ended.
        sample_rate_hz: Samples per second.
        start_seconds: Start of the clip on its file's timeline, on which 0 is what players show as 0.
        duration_seconds: Length of the clip.

    Raises:
        ValueError: A field has another shape, dtype or range.
    """

    frames_THWC: NDArray[np.uint8]
    frame_seconds_T: NDArray[np.float64]
    waveform_S: NDArray[np.float32]
    sample_rate_hz: int = SAMPLE_RATE_HZ
    start_seconds: float = 0.0
    duration_seconds: float

    def __post_init__(self) -> None:
        check_array("frames_THWC", self.frames_THWC, num_axes=4, dtype=np.uint8)
        check_array("frame_seconds_T", self.frame_seconds_T, num_axes=1, dtype=np.float64)
        check_array("waveform_S", self.waveform_S, num_axes=1, dtype=np.float32)
        if self.frames_THWC.shape[3] != 3:
            raise ValueError(f"frames_THWC must be RGB, got {self.frames_THWC.shape[3]} channels")
        if len(self.frames_THWC) != len(self.frame_seconds_T) or len(self.frames_THWC) == 0:
            raise ValueError(
                f"every frame needs a time and there must be one at least, got {len(self.frames_THWC)} "
                f"frames and {len(self.frame_seconds_T)} times"
            )
        if self.sample_rate_hz <= 0 or not self.duration_seconds > 0:
            raise ValueError(
                "sample_rate_hz and duration_seconds must be positive, "
                f"got {self.sample_rate_hz} and {self.duration_seconds}"
            )
        self._check_values()

    def _check_values(self) -> None:
        times_T = self.frame_seconds_T
        if not (np.isfinite(times_T).all() and times_T[0] >= 0 and (np.diff(times_T) >= 0).all()):
            raise ValueError(f"frame_seconds_T must be finite, not negative, not decreasing, got {times_T}")
        if self.waveform_S.size and not np.abs(self.waveform_S).max() <= 1.0:
            raise ValueError("waveform_S must be finite and in [-1, 1]")


def check_array(name: str, array: NDArray[np.generic], *, num_axes: int, dtype: type[np.generic]) -> None:
    """Refuse an array of another rank or dtype.

    Raises:
        ValueError: Names the argument, what it was and what was needed.
    """
    if array.ndim != num_axes or array.dtype != dtype:
        raise ValueError(
            f"{name} must have {num_axes} axes and dtype {np.dtype(dtype)}, "
            f"got shape {array.shape} and dtype {array.dtype}"
        )
