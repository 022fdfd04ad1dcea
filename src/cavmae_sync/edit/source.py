"""Sources of an edit: files, with what editing programs count their frames by."""

import math
import os
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Final

from cavmae_sync.edit.timecode import Timecode, counts_in
from cavmae_sync.errors import ConfigError
from cavmae_sync.media.frame_times import SLACK_SECONDS
from cavmae_sync.media.source_facts import USUAL_RATES, PictureFacts, SourceFacts, read_source_facts

#: A moment this near to the picture takes its first or last frame; sound that is farther away has none.
_NEAR: Final = Fraction(1, 2)
_SLACK: Final = Fraction(SLACK_SECONDS).limit_denominator(1_000_000)
#: Times as decimals are not exact in binary; a sample lasts longer than this.
_SOUND_SLACK: Final = Fraction(1, 1_000_000)


@dataclass(frozen=True, kw_only=True, slots=True)
class EditSource:
    """A file, with what editing programs count its frames by.

    Attributes:
        path: The file.
        rate: Frames per second, exact; None without a picture.
        is_steady: Whether its frames lie at equal steps of that rate. Where they do not, frames are counted
            by time, as editing programs do.
        first_seconds: Time of its first frame, which is frame 0, on the file's timeline.
        num_frames: Frames at that rate; None without a picture.
        width: Pixels, upright; None without a picture.
        height: Pixels, upright; None without a picture.
        timecode: Timecode of frame 0; None where the file says none.
        start_samples: Samples since midnight at its start, of Broadcast Wave files; None elsewhere.
        sample_rate_hz: Samples per second; None without sound.
        num_channels: Channels of all its audio streams; 0 without sound.
        duration_seconds: Length.
        remarks: What an editor should know about it, in sentences.
    """

    path: Path
    rate: Fraction | None
    is_steady: bool = True
    first_seconds: float = 0.0
    num_frames: int | None = None
    width: int | None = None
    height: int | None = None
    timecode: Timecode | None = None
    start_samples: int | None = None
    sample_rate_hz: int | None = None
    num_channels: int = 0
    duration_seconds: float
    remarks: tuple[str, ...] = ()

    @property
    def has_video(self) -> bool:
        """Whether it has a picture."""
        return self.rate is not None

    @property
    def has_audio(self) -> bool:
        """Whether it has sound."""
        return self.num_channels > 0

    def grid(self, rate: Fraction) -> Fraction:
        """Rate at which its frames are counted: its own, or one for sound alone."""
        return self.rate or rate

    def start(self, rate: Fraction, *, is_drop: bool = False) -> Timecode:
        """Timecode of frame 0: that of the file, else 00:00:00:00.

        Args:
            rate: Rate at which sound alone is counted. Its start is rounded to a frame of it.
            is_drop: Whether sound alone is counted in drop frame.
        """
        if self.timecode is not None:
            return self.timecode
        if self.rate is not None:
            return Timecode(frame=0, rate=self.rate)
        exact = Fraction(self.start_samples or 0, self.sample_rate_hz or 1) * rate
        return Timecode(frame=math.floor(exact + Fraction(1, 2)), rate=rate, is_drop=is_drop)

    def length(self, rate: Fraction) -> int:
        """Number of frames, one at least."""
        if self.num_frames is not None:
            return self.num_frames
        return max(1, math.ceil((Fraction(self.duration_seconds) - _SOUND_SLACK) * rate))

    def frames(self, start_seconds: float, stop_seconds: float, *, rate: Fraction) -> tuple[int, int]:
        """Frames of a stretch: the one on screen at its start, and the first at or after its stop.

        Args:
            start_seconds: Start on the file's timeline.
            stop_seconds: Stop; the frame there is no longer part of the stretch.
            rate: Rate at which sound alone is counted.

        Returns:
            First frame, and the one after the last; they are at least one apart.

        Raises:
            ConfigError: The stretch has no length, or begins after the end of the file.
        """
        if not -math.inf < start_seconds < stop_seconds < math.inf:
            raise ConfigError(
                f"{self.path}: a moment from {start_seconds:g} to {stop_seconds:g} s has no length. Its stop "
                "must be after its start."
            )
        if start_seconds >= self.duration_seconds:
            raise ConfigError(
                f"{self.path} ends at {self.duration_seconds:.3f} s, and the moment begins at "
                f"{start_seconds:.3f} s. Bring the library up to date: cavmae-sync index update."
            )
        own, length, zero = self.grid(rate), self.length(rate), Fraction(self.first_seconds)
        ends = zero + length / own
        if self.has_video and (stop_seconds < zero - _NEAR or start_seconds > ends + _NEAR):
            raise ConfigError(
                f"{self.path} has a picture from {float(zero):.3f} to {float(ends):.3f} s only; the moment "
                f"is from {start_seconds:.3f} to {stop_seconds:.3f} s. Take a stretch that has one."
            )
        slack = _SLACK if self.has_video else _SOUND_SLACK
        first = math.floor((Fraction(start_seconds) - zero + slack) * own)
        stop = math.ceil((Fraction(stop_seconds) - zero - slack) * own)
        first = min(max(first, 0), length - 1)
        return first, min(max(stop, first + 1), length)

    def seconds_of(self, frame: int, *, rate: Fraction) -> float:
        """Time at which a frame begins, on the file's timeline."""
        return float(Fraction(self.first_seconds) + frame / self.grid(rate))


def read_source(path: str | os.PathLike[str]) -> EditSource:
    """Read what editing programs count a file by.

    Raises:
        MediaError: The file cannot be read, or holds neither picture nor sound.
    """
    file = Path(path).absolute()
    facts = read_source_facts(file)
    picture, sound, remarks = facts.picture, facts.sound, list[str]()
    rate = None if picture is None else _countable(picture, remarks)
    ends = [each.stop_seconds for each in (picture, sound) if each is not None]
    is_steady = picture is None or (picture.is_steady and picture.rate == rate)
    num_frames = None
    if picture is not None and rate is not None:
        num_frames = _num_frames(picture, rate, is_steady=is_steady)
    return EditSource(
        path=file,
        rate=rate,
        is_steady=is_steady,
        first_seconds=0.0 if picture is None else picture.first_seconds,
        num_frames=num_frames,
        width=None if picture is None else picture.width,
        height=None if picture is None else picture.height,
        timecode=None if rate is None else _timecode(facts, rate, remarks),
        start_samples=facts.start_samples,
        sample_rate_hz=None if sound is None else sound.sample_rate_hz,
        num_channels=0 if sound is None else sound.num_channels,
        duration_seconds=max(ends),
        remarks=tuple(remarks),
    )


def _countable(picture: PictureFacts, remarks: list[str]) -> Fraction:
    """The rate of a picture, or the next usual one where there is no timecode at it."""
    rate = picture.rate
    try:
        counts_in(rate)
    except ConfigError:
        rate = next((usual for usual in USUAL_RATES if usual >= rate), USUAL_RATES[-1])
        remarks.append(
            f"Editing programs do not count in {float(picture.rate):.3f} frames a second; places are given "
            f"by time, at {rate}."
        )
        return rate
    if not picture.is_steady:
        remarks.append(f"Its frame rate varies; places are given by time, at {rate} frames a second.")
    elif picture.first_seconds > 1 / rate:
        remarks.append(f"Its picture begins at {picture.first_seconds:.3f} s; frame 0 is its first frame.")
    return rate


def _num_frames(picture: PictureFacts, rate: Fraction, *, is_steady: bool) -> int:
    if is_steady:
        return picture.num_frames
    return max(1, math.ceil(Fraction(picture.stop_seconds - picture.first_seconds) * rate - Fraction(1, 10)))


def _timecode(facts: SourceFacts, rate: Fraction, remarks: list[str]) -> Timecode | None:
    if facts.timecode is None:
        return None
    try:
        return Timecode.parse(facts.timecode, rate)
    except ConfigError as error:
        remarks.append(f"Its timecode is left out, and frames are counted from 00:00:00:00: {error}")
        return None
