"""A file played from its first picture to its last: every picture, at a constant rate, and its sound.

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
from cavmae_sync.media import decode
from cavmae_sync.media.container import check_streams
from cavmae_sync.media.probe import probe
from cavmae_sync.media.screen import Screen
from cavmae_sync.media.sound import SoundTrack
from cavmae_sync.media.timeline import Timeline
from cavmae_sync.paper import SAMPLE_RATE_HZ

_BLOCK_SECONDS = 10.0
# Containers round times to a millisecond at worst, so that neighbouring periods differ by two.
_PERIOD_SLACK_SECONDS = 2.5e-3
_MAX_VARIABLE_RATE = 60
_RATE_DENOMINATOR = 1001


@dataclass(frozen=True, kw_only=True, slots=True)
class Playback:
    """What there is to play.

    Attributes:
        path: The file.
        start_seconds: When the first picture is shown, on the file's timeline.
        duration_seconds: From there to the end of the last picture.
        frames_per_second: The file's own rate where it is constant. Where it varies, one high enough for nine
            in ten pictures, at most 60.
        num_pictures: Pictures at that rate.
        lead_seconds: By how much pictures are shown before their own time, because the first one is shown at
            once: less than one picture.
    """

    path: Path
    start_seconds: float
    duration_seconds: float
    frames_per_second: Fraction
    num_pictures: int
    lead_seconds: float

    def pictures(self) -> Generator[NDArray[np.uint8]]:
        """The picture on screen at each step, uint8 [H, W, C], upright; only one is held at a time.

        Raises:
            DecodeError: The file is damaged.
        """
        with closing(decode.pictures(self.path, from_seconds=self.start_seconds)) as pictures:
            screen = Screen(pictures, path=self.path)
            for number in range(self.num_pictures):
                # A quarter of a step late: rounded times of pictures then fall into their own step.
                late = self.lead_seconds + 0.25 / float(self.frames_per_second)
                yield screen.shown_at(self.seconds_of(number) + late)

    def seconds_of(self, number: int) -> float:
        """When a picture begins, on the file's timeline."""
        return self.start_seconds + float(number / self.frames_per_second)

    def sound(self) -> NDArray[np.float32]:
        """The first channel at 16 kHz, float32 [S] in [-1, 1]; silence where it ends before the pictures.

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
    """How to play a file. Reads the times of all pictures, and decodes one.

    Raises:
        UnreadableFileError: Missing, a folder, empty, or not a media file.
        NoVideoStreamError: No moving picture.
        NoAudioStreamError: No sound.
        DecodeError: Damaged, or cut off.
    """
    file = Path(path)
    check_streams(file)
    with closing(decode.picture_times(file, from_seconds=0.0)) as times:
        timeline = Timeline(times, path=file)
        start = timeline.first_seconds
        duration = timeline.stretch(start_seconds=start, length_seconds=float("inf")).duration_seconds
    if duration <= 0:
        raise DecodeError(
            f"{file} shows no picture for any time by its time stamps. Convert it, or remove it."
        )
    seconds = _picture_seconds(file)
    rate = _rate(file, seconds, duration)
    return Playback(
        path=file,
        start_seconds=start,
        duration_seconds=duration,
        frames_per_second=rate,
        num_pictures=max(1, round(duration * rate)),
        lead_seconds=max(float(seconds[0]) - start, 0.0),
    )


def _picture_seconds(path: Path) -> NDArray[np.float64]:
    with closing(decode.picture_times(path, from_seconds=0.0)) as times:
        return np.sort(np.fromiter((picture.seconds for picture in times), np.float64))


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
