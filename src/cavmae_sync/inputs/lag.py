"""Lag: how far each frame lies from the middle of the sound that belongs to it.

Shapes: T frames of a clip.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from cavmae_sync.inputs.alignment import FrameSeconds, Span, segment_spans
from cavmae_sync.inputs.config import InputConfig
from cavmae_sync.inputs.spectrogram import HOP_SAMPLES, WINDOW_SAMPLES
from cavmae_sync.paper import SAMPLE_RATE_HZ


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class AlignmentLag:
    """Lag of the frames of one clip behind their segments.

    Attributes:
        frame_seconds_T: float64, times of the frames from the start of the clip.
        lag_seconds_T: float64, time of a frame minus the middle of its segment: positive where the segment
            lies before its frame.
        window_seconds: Length of the sound of a segment.
        num_different: Segments that differ from all others of the clip; T where every frame has its own.
    """

    frame_seconds_T: NDArray[np.float64]
    lag_seconds_T: NDArray[np.float64]
    window_seconds: float
    num_different: int

    @property
    def is_outside_T(self) -> NDArray[np.bool_]:  # noqa: N802 (the shape)
        """Whether a frame lies outside of the sound of its own segment, bool [T]."""
        return np.abs(self.lag_seconds_T) > self.window_seconds / 2

    def to_text(self) -> str:
        """The numbers in one line."""
        num_frames, lags_T = len(self.lag_seconds_T), self.lag_seconds_T
        return (
            f"frames lie {lags_T.min():+.2f} to {lags_T.max():+.2f} s from the middle of their "
            f"{self.window_seconds:.2f} s of sound, {int(self.is_outside_T.sum())} of {num_frames} "
            f"outside of it; {self.num_different} of {num_frames} segments differ"
        )


def alignment_lag(
    *, frame_seconds: FrameSeconds, num_spectrogram_frames: int, config: InputConfig
) -> AlignmentLag:
    """Lag of the frames of a clip.

    Args:
        frame_seconds: Times of all frames of the clip, seconds from its start.
        num_spectrogram_frames: Spectrogram frames the clip has.
        config: Length of a segment and rule of alignment.

    >>> times = [10 / 16 * (i + 0.5) for i in range(16)]
    >>> config = InputConfig(segment_length=96)
    >>> lag = alignment_lag(frame_seconds=times, num_spectrogram_frames=998, config=config)
    >>> lag.lag_seconds_T[[0, 7, 15]].round(3).tolist()
    [-0.175, 0.2, 0.285]
    """
    spans = segment_spans(num_spectrogram_frames, frame_seconds=frame_seconds, config=config)
    times_T = np.array(frame_seconds, dtype=np.float64)
    return AlignmentLag(
        frame_seconds_T=times_T,
        lag_seconds_T=times_T - np.array([span.center_seconds for span in spans]),
        window_seconds=((config.segment_length - 1) * HOP_SAMPLES + WINDOW_SAMPLES) / SAMPLE_RATE_HZ,
        num_different=len({_content(span, num_spectrogram_frames) for span in spans}),
    )


def _content(span: Span, num_spectrogram_frames: int) -> tuple[int, int, int]:
    """Rows of a segment and their place in it: equal for equal segments."""
    rows = span.clipped(num_spectrogram_frames)
    if rows.length == 0:
        return 0, 0, 0
    return rows.start, rows.stop, rows.start - span.start
