"""Frames of each clip: when they begin and end, read from packets a little ahead of decoding."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from cavmae_sync.errors import DecodeError
from cavmae_sync.media.video_frames import FrameTime

#: Containers round times to a tick, at most a millisecond (Matroska).
SLACK_SECONDS = 1e-3
# Files store frames in decoding order; no codec moves one by more than 16 places.
_MAX_REORDER = 16


@dataclass(frozen=True, kw_only=True, slots=True)
class ClipTiming:
    """Timing of a clip: where it starts, how long it is, and how its frames lie in it.

    Attributes:
        start_seconds: Start on the file's timeline.
        duration_seconds: Length that the video has of the length asked for; may be zero or less past its end.
        last_frame_seconds: Start of the last frame that begins in the clip, from clip start.
        frame_period_seconds: Mean time between its frames.
    """

    start_seconds: float
    duration_seconds: float
    last_frame_seconds: float
    frame_period_seconds: float


class FrameTimes:
    """Times of a file's frames, read forwards; only those of the clip in use are kept.

    Attributes:
        first_seconds: When players show the first frame.
    """

    def __init__(self, times: Iterator[FrameTime], *, path: Path) -> None:
        self._times = times
        self._seconds: list[float] = []
        self._stop = 0.0
        self._is_complete = False
        first = next(times, None)
        if first is None:
            raise DecodeError(f"{path} has a video stream without a key frame. Remove it.")
        self._add(first)
        # Players show the first frame at once: an offset shorter than one frame is only encoder delay of the
        # sound.
        is_at_zero = first.seconds <= first.stop_seconds - first.seconds + SLACK_SECONDS
        self.first_seconds = 0.0 if is_at_zero else first.seconds

    def clip_timing(self, *, start_seconds: float, length_seconds: float) -> ClipTiming:
        """Timing of the clip that starts at `start_seconds`; starts must not go backwards."""
        self._seconds = [seconds for seconds in self._seconds if seconds > start_seconds - SLACK_SECONDS]
        stop = start_seconds + length_seconds
        self._read_past(stop)
        duration = min(length_seconds, self._stop - start_seconds) if self._is_complete else length_seconds
        inside = sorted(
            seconds - start_seconds for seconds in self._seconds if seconds < stop - SLACK_SECONDS
        )
        has_period = len(inside) > 1 and inside[-1] > inside[0]
        return ClipTiming(
            start_seconds=start_seconds,
            duration_seconds=duration,
            last_frame_seconds=max(inside[-1], 0.0) if inside else 0.0,
            frame_period_seconds=(inside[-1] - inside[0]) / (len(inside) - 1) if has_period else duration,
        )

    def _read_past(self, stop: float) -> None:
        num_beyond = sum(seconds >= stop for seconds in self._seconds)
        while num_beyond <= _MAX_REORDER and not self._is_complete:
            item = next(self._times, None)
            if item is None:
                self._is_complete = True
            else:
                self._add(item)
                num_beyond += item.seconds >= stop

    def _add(self, item: FrameTime) -> None:
        self._seconds.append(item.seconds)
        self._stop = max(self._stop, item.stop_seconds)
