"""Facts of a file that editing programs count with: exact frame rate, frames, timecode.

Frames are counted as a decoder gives them: frame 0 is the first one that is shown, and frames that an edit
list hides do not count.
"""

import os
from collections.abc import Sequence
from contextlib import closing
from dataclasses import dataclass
from fractions import Fraction
from itertools import islice
from pathlib import Path
from typing import Final

import numpy as np
from av.container import InputContainer
from numpy.typing import NDArray

from cavmae_sync.errors import DecodeError
from cavmae_sync.media.container import moving_streams, num_channels, opened, video_stream
from cavmae_sync.media.continuity import LEAP_SECONDS
from cavmae_sync.media.probe import MediaInfo, probe
from cavmae_sync.media.sound_chunks import sound_packets
from cavmae_sync.media.video_frames import first_orientation, frame_times

#: Frame rates of cinema, television and screens.
USUAL_RATES: Final = tuple(
    sorted(
        {Fraction(1000 * whole, 1001) for whole in (24, 30, 48, 60, 120)}
        | {Fraction(whole) for whole in (10, 12, 15, 24, 25, 30, 48, 50, 60, 100, 120)}
    )
)
# Rates a thousandth apart must not be confused: 24 and 24000/1001.
_SAME_RATE: Final = 3e-4
# Containers round times to a millisecond at worst, at both ends of a distance.
_ROUNDED_SECONDS: Final = 1.1e-3
_GRID_SECONDS: Final = 2.5e-3
_GRID_SHARE: Final = 0.35
_MAX_VARIABLE_RATE: Final = 60
_RATE_DENOMINATOR: Final = 1001
_NUM_HEAD: Final = 17  # the first frame shown is among the first packets: codecs move one by 16 at most


@dataclass(frozen=True, kw_only=True, slots=True)
class PictureFacts:
    """Picture of a file, as editing programs count it.

    Attributes:
        rate: Frames per second, exact; where the rate varies, the usual one.
        is_steady: Whether every frame lies on the grid of that rate.
        first_seconds: Time of the first frame, on the file's timeline.
        stop_seconds: End of the last frame.
        num_frames: Frames that a decoder gives.
        width: Pixels, upright.
        height: Pixels, upright.
    """

    rate: Fraction
    is_steady: bool
    first_seconds: float
    stop_seconds: float
    num_frames: int
    width: int
    height: int


@dataclass(frozen=True, kw_only=True, slots=True)
class SoundFacts:
    """Sound of a file. Channels are those of all audio streams together."""

    sample_rate_hz: int
    num_channels: int
    stop_seconds: float


@dataclass(frozen=True, kw_only=True, slots=True)
class SourceFacts:
    """Facts of a file that editing programs count with.

    Attributes:
        picture: Its picture; None without one.
        sound: Its sound; None without any.
        timecode: Timecode of its first frame as the file says it, `HH:MM:SS:FF`, with `;` for drop frame;
            None where it says none.
        start_samples: Samples since midnight at its start, of Broadcast Wave files; None elsewhere.
    """

    picture: PictureFacts | None
    sound: SoundFacts | None
    timecode: str | None
    start_samples: int | None


def read_source_facts(path: str | os.PathLike[str]) -> SourceFacts:
    """Read what editing programs need to know about a file.

    Nothing but one frame is decoded. Files whose index holds every frame (MOV, MP4) are not read through;
    others are.

    Raises:
        MediaError: The file cannot be read, or holds neither picture nor sound.
    """
    file = Path(path)
    info = probe(file)
    with opened(file) as container:
        timecode, start_samples = _timecode(container, file), _start_samples(container)
        channels = sum(num_channels(s) for s in container.streams.audio if s.codec_context is not None)
    picture = None if info.video is None else _picture(file, info)
    sound = None
    if info.audio:
        # The header is near enough where the picture says how long the file is.
        stop = info.duration_seconds if picture is not None else _sound_stop(file)
        sound = SoundFacts(
            sample_rate_hz=info.audio[0].sample_rate_hz, num_channels=channels, stop_seconds=stop or 0.0
        )
    if picture is None and sound is None:
        raise DecodeError(f"{file} has neither picture nor sound that can be read. Remove it.")
    return SourceFacts(picture=picture, sound=sound, timecode=timecode, start_samples=start_samples)


def _timecode(container: InputContainer, path: Path) -> str | None:
    """Timecode tag of the video stream, of a timecode track, or of the file, in this order."""
    chosen = [video_stream(container, path)] if moving_streams(container, path) else []
    for tags in (*(s.metadata for s in (*chosen, *container.streams.data)), container.metadata):
        for name, value in tags.items():
            if name.lower() == "timecode" and value.strip():
                return value.strip()
    return None


def _start_samples(container: InputContainer) -> int | None:
    text = container.metadata.get("time_reference", "")
    return int(text) if text.isascii() and text.isdigit() else None


def _sound_stop(path: Path) -> float:
    stop = 0.0
    with closing(sound_packets(path, from_seconds=0.0)) as packets:
        for timed in packets:
            stop = max(stop, timed.stop_seconds)
    return stop


def _picture(path: Path, info: MediaInfo) -> PictureFacts:
    with opened(path) as container:
        stream = video_stream(container, path)
        declared = [Fraction(r) for r in (stream.average_rate, stream.base_rate, stream.guessed_rate) if r]
    seconds_T, stop = _from_index(path)
    if seconds_T is None:
        seconds_T, stop = _from_packets(path)
    rate, is_steady = _rate(seconds_T, stop, declared)
    is_turned = first_orientation(path).rotation_degrees in (90, 270)
    video = info.video
    assert video is not None
    return PictureFacts(
        rate=rate,
        is_steady=is_steady,
        first_seconds=float(seconds_T[0]),
        stop_seconds=max(stop, float(seconds_T[-1] + 1 / rate)) if is_steady else stop,
        num_frames=len(seconds_T),
        width=video.height if is_turned else video.width,
        height=video.width if is_turned else video.height,
    )


def _from_packets(path: Path) -> tuple[NDArray[np.float64], float]:
    """Times of all frames, in order, and the end of the last."""
    with closing(frame_times(path, from_seconds=0.0)) as times:
        rows = [(frame.seconds, frame.stop_seconds) for frame in times]
    if not rows:
        raise DecodeError(f"{path} has a video stream without a key frame. Remove it.")
    shown = np.sort(np.array([row[0] for row in rows]))
    return shown, rows[-1][1]


def _from_index(path: Path) -> tuple[NDArray[np.float64] | None, float]:
    """The same by the index of the file; None where it has no full one, or its steps are not equal.

    The index has times of decoding. Where these are at equal steps, so are times of showing, which begin
    with the first frame shown.
    """
    with opened(path, decoders="none") as container:
        if "mp4" not in container.format.name:
            return None, 0.0
        stream = video_stream(container, path)
        entries = [entry for entry in stream.index_entries if not entry.is_discard]
        is_full = len(entries) >= _NUM_HEAD and len(stream.index_entries) >= stream.frames
        if not (is_full and entries[0].is_keyframe):
            return None, 0.0
        ticks = np.array([entry.timestamp for entry in entries], np.int64)
        tick = float(stream.time_base or 0)
        steps = np.diff(ticks)
        if steps.min() <= 0 or np.ptp(steps) > 1 or float(steps.max()) * tick > LEAP_SECONDS:
            return None, 0.0
    with closing(frame_times(path, from_seconds=0.0)) as times:
        first = min((frame.seconds for frame in islice(times, _NUM_HEAD)), default=None)
    if first is None:
        return None, 0.0
    seconds_T = first + (ticks - ticks[0]) * tick
    return seconds_T, float(seconds_T[-1] + np.median(steps) * tick)


def _rate(seconds_T: NDArray[np.float64], stop: float, declared: Sequence[Fraction]) -> tuple[Fraction, bool]:
    """Exact rate, and whether all frames lie on its grid."""
    periods = np.diff(seconds_T)
    periods = periods[periods > 0]
    if periods.size == 0:
        usual = next((_usual(rate, _SAME_RATE) for rate in declared), None)
        return usual or _plain(1 / max(stop - float(seconds_T[0]), _ROUNDED_SECONDS)), True
    span = float(seconds_T[-1] - seconds_T[0])
    measured = (len(seconds_T) - 1) / span
    error = 2 * _ROUNDED_SECONDS / span + _SAME_RATE / 3
    found = [_usual(rate, _SAME_RATE) or rate.limit_denominator(_RATE_DENOMINATOR) for rate in declared]
    # Headers are often wrong; where they agree with the frames, they have the exact fraction.
    agreeing = [rate for rate in found if abs(float(rate) / measured - 1) <= error]
    rate = agreeing[0] if agreeing else _usual(Fraction(measured), error) or _plain(measured)
    grid_T = float(seconds_T[0]) + np.arange(len(seconds_T)) / float(rate)
    slack = min(_GRID_SECONDS, _GRID_SHARE / float(rate))
    if np.abs(seconds_T - grid_T).max() <= slack:
        return rate, True
    usual = 1 / float(np.median(periods))
    if usual > _MAX_VARIABLE_RATE:
        return Fraction(_MAX_VARIABLE_RATE), False
    return _usual(Fraction(usual), 0.05) or _plain(usual), False


def _usual(rate: Fraction, tolerance: float) -> Fraction | None:
    """The usual rate nearest to one, where it is within a relative tolerance."""
    nearest = min(USUAL_RATES, key=lambda usual: abs(usual / rate - 1))
    return nearest if abs(nearest / rate - 1) <= tolerance else None


def _plain(rate: float) -> Fraction:
    return Fraction(rate).limit_denominator(_RATE_DENOMINATOR)
