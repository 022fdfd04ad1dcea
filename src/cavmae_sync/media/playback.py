"""Playback of a whole file: every frame, at a constant rate, and its sound.

Shapes: H W pixels, C channels (RGB), S samples.
"""

import os
from collections.abc import Generator
from contextlib import closing
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from cavmae_sync.errors import DecodeError
from cavmae_sync.media.container import check_streams
from cavmae_sync.media.frame_times import FrameTimes
from cavmae_sync.media.probe import probe
from cavmae_sync.media.screen import Screen
from cavmae_sync.media.sound_track import SoundTrack
from cavmae_sync.media.video_frames import decode_frames, frame_times
from cavmae_sync.paper import SAMPLE_RATE_HZ

_BLOCK_SECONDS = 10.0
# Containers round times to a millisecond at worst, so that neighbouring periods differ by two.
_PERIOD_SLACK_SECONDS = 2.5e-3
_MAX_VARIABLE_RATE = 60
_RATE_DENOMINATOR = 1001  # of 30000/1001 and the other rates of television


@dataclass(frozen=True, kw_only=True, slots=True)
class Playback:
    """Frames and sound of a file at a constant rate.

    Attributes:
        path: The file.
        start_seconds: When the first frame is shown, on the file's timeline.
        duration_seconds: From there to the end of the last frame.
        frames_per_second: The file's own rate where it is constant. Where it varies, a rate high enough for
            nine in ten frames, at most 60.
        num_frames: Frames at that rate.
        lead_seconds: Time by which frames are shown before their own time, because the first one is shown at
            once: less than one frame.
    """

    path: Path
    start_seconds: float
    duration_seconds: float
    frames_per_second: Fraction
    num_frames: int
    lead_seconds: float

    def frames(self) -> Generator[NDArray[np.uint8]]:
        """Frames on screen at each step, uint8 [H, W, C], upright; only one is held at a time.

        Raises:
            DecodeError: The file is damaged.
        """
        with closing(decode_frames(self.path, from_seconds=self.start_seconds)) as frames:
            screen = Screen(frames, path=self.path)
            for number in range(self.num_frames):
                # A quarter of a step late, so that frames whose times are rounded fall into their own step.
                late = self.lead_seconds + 0.25 / float(self.frames_per_second)
                yield screen.shown_at(self.seconds_of(number) + late)

    def seconds_of(self, number: int) -> float:
        """Start of a frame, on the file's timeline."""
        return self.start_seconds + float(number / self.frames_per_second)

    def sound(self) -> NDArray[np.float32]:
        """First channel of the sound at 16 kHz, float32 [S] in [-1, 1]; silence after its end.

        Raises:
            DecodeError: The file is damaged.
        """
        num_samples = round(self.duration_seconds * SAMPLE_RATE_HZ)
        sound_S = np.zeros(num_samples, np.float32)
        block = round(_BLOCK_SECONDS * SAMPLE_RATE_HZ)
        with closing(SoundTrack(self.path, from_seconds=self.start_seconds, channel="first")) as track:
            for first in range(0, num_samples, block):
                part_S = track.take(
                    start_seconds=self.start_seconds + first / SAMPLE_RATE_HZ,
                    num_samples=min(block, num_samples - first),
                )
                sound_S[first : first + part_S.size] = part_S
        return sound_S


def playback(path: str | os.PathLike[str]) -> Playback:
    """Prepare the playback of a file. Reads the times of all frames, and decodes one frame.

    Raises:
        UnreadableFileError: The file is missing, a folder, empty, or not a media file.
        NoVideoStreamError: It has no video.
        NoAudioStreamError: It has no sound.
        DecodeError: It is damaged or cut off.
    """
    file = Path(path)
    check_streams(file)
    with closing(frame_times(file, from_seconds=0.0)) as times:
        video_times = FrameTimes(times, path=file)
        start = video_times.first_seconds
        whole = video_times.clip_timing(start_seconds=start, length_seconds=float("inf"))
        duration = whole.duration_seconds
    if duration <= 0:
        raise DecodeError(
            f"{file}: by its time stamps, no frame is shown for any time. Convert it, or remove it."
        )
    seconds = _frame_seconds(file)
    rate = _rate(file, seconds, duration)
    return Playback(
        path=file,
        start_seconds=start,
        duration_seconds=duration,
        frames_per_second=rate,
        num_frames=max(1, round(duration * rate)),
        lead_seconds=max(float(seconds[0]) - start, 0.0),
    )


def _frame_seconds(path: Path) -> NDArray[np.float64]:
    with closing(frame_times(path, from_seconds=0.0)) as times:
        return np.sort(np.fromiter((frame.seconds for frame in times), np.float64))


def _rate(path: Path, seconds: NDArray[np.float64], duration_seconds: float) -> Fraction:
    periods = np.diff(seconds)
    periods = periods[periods > 0]
    if periods.size == 0:
        return Fraction(1 / duration_seconds).limit_denominator(_RATE_DENOMINATOR)
    middle = float(np.median(periods))
    if np.mean(np.abs(periods - middle) <= _PERIOD_SLACK_SECONDS) < 0.95:
        fastest = min(1 / float(np.quantile(periods, 0.1)), _MAX_VARIABLE_RATE)
        return Fraction(fastest).limit_denominator(_RATE_DENOMINATOR)
    video = probe(path).video
    declared = None if video is None else video.frames_per_second
    # Headers are often wrong, but where they are right they have the exact fraction, such as 30000 / 1001.
    is_right = declared is not None and abs(declared * middle - 1) < 0.02 + _PERIOD_SLACK_SECONDS / middle
    rate = declared if declared is not None and is_right else 1 / float(periods.mean())
    return Fraction(rate).limit_denominator(_RATE_DENOMINATOR)
