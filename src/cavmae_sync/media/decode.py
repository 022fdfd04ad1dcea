"""Packets, pictures and sound of one file, with their times, from FFmpeg.

Every time is in seconds on the file's timeline, where 0 is the container's start, as players show it.

Damage is an error. Data before the first key picture cannot be decoded by anybody and are left out; after
it, a packet that does not decode raises `DecodeError`.

Shapes: H W pixels, C channels (RGB), S samples.
"""

from collections.abc import Callable, Generator, Iterator
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any, Literal, Protocol, TypeVar

import av
import numpy as np
from av.audio.frame import AudioFrame
from av.container import InputContainer
from av.video.frame import VideoFrame
from av.video.reformatter import ColorRange, Interpolation, VideoReformatter
from numpy.typing import NDArray

from cavmae_sync.errors import DecodeError
from cavmae_sync.media.container import (
    MAX_PIXELS,
    audio_stream,
    check_complete,
    declared_stop_seconds,
    opened,
    reason,
    video_stream,
    zero_seconds,
)
from cavmae_sync.paper import SAMPLE_RATE_HZ

Channel = Literal["first", "mix"]

_SEEK_AFTER_SECONDS = 10.0  # nearer to the start, decoding from the start is as quick and always exact
_PREROLL_SECONDS = (1.0, 10.0)  # sound decoders need a little past; some containers land late: then more


class _Timed(Protocol):
    @property
    def seconds(self) -> float: ...


_TimedT = TypeVar("_TimedT", bound=_Timed)


@dataclass(frozen=True, kw_only=True, slots=True)
class PictureTime:
    """When a picture is on screen, known without decoding it."""

    seconds: float
    stop_seconds: float
    is_key: bool


@dataclass(frozen=True, kw_only=True, slots=True)
class Picture:
    """A decoded picture, still in the codec's colours."""

    seconds: float
    frame: VideoFrame


@dataclass(frozen=True, kw_only=True, slots=True)
class SoundChunk:
    """Some decoded samples of one channel at the file's own rate."""

    seconds: float
    rate_hz: int
    samples_S: NDArray[np.float32]


def picture_times(path: Path, *, from_seconds: float) -> Generator[PictureTime]:
    """When each picture is on screen, in file order (not in time order), without decoding.

    Begins at a key picture, at or before `from_seconds` where the file has one.

    Raises:
        DecodeError: Packets without times, or the stream ends long before its header says.
    """
    return _sought(lambda seek: _picture_times(path, seek), from_seconds)


def _picture_times(path: Path, seek_seconds: float | None) -> Generator[PictureTime]:
    with opened(path, decoders="none") as container:
        stream = video_stream(container, path)
        zero, stop = zero_seconds(container), 0.0
        period = float(1 / stream.average_rate) if stream.average_rate else 0.0
        declared = declared_stop_seconds(container, stream)
        for packet in _packets(container, stream, path, seek_seconds):
            if packet.size == 0 or packet.is_discard:
                continue
            ticks = packet.dts if packet.pts is None else packet.pts
            seconds = _seconds(path, ticks, packet.time_base, zero)
            stop = max(stop, seconds + (float((packet.duration or 0) * packet.time_base) or period))
            yield PictureTime(seconds=seconds, stop_seconds=stop, is_key=packet.is_keyframe)
        check_complete(path, "pictures", stop_seconds=stop, declared_stop_seconds=declared)


def pictures(path: Path, *, from_seconds: float) -> Generator[Picture]:
    """Decoded pictures in time order, beginning at or before `from_seconds` where the file does.

    Raises:
        DecodeError: A packet does not decode, or a picture has no time or goes back in time.
    """
    return _sought(lambda seek: _pictures(path, seek), from_seconds)


def _pictures(path: Path, seek_seconds: float | None) -> Generator[Picture]:
    with opened(path) as container:
        stream = video_stream(container, path)
        stream.codec_context.options = {"max_pixels": str(MAX_PIXELS)}
        stream.codec_context.thread_count = 1  # many files are read in parallel processes
        zero, last = zero_seconds(container), -float("inf")
        for frame in _decoded(path, stream, _packets(container, stream, path, seek_seconds)):
            seconds = _seconds(path, frame.pts, frame.time_base, zero)
            if seconds < last:
                raise DecodeError(
                    f"{path}: the time of pictures goes back from {last:.3f} to {seconds:.3f} s. "
                    "It was joined from several files; re-encode or remove it."
                )
            last = seconds
            # After a seek, pictures that lean on ones before it come first and are never used.
            if frame.is_corrupt and seconds >= (seek_seconds or 0.0):
                raise _damaged(path, "picture", seconds)
            yield Picture(seconds=seconds, frame=frame)


def rotation_degrees(frame: VideoFrame) -> int:
    """How far the picture must be turned counter-clockwise to stand upright: 0, 90, 180 or 270."""
    return round(frame.rotation / 90) * 90 % 360


def first_rotation_degrees(path: Path) -> int:
    """Rotation of the first picture.

    Raises:
        DecodeError: There is no picture that decodes.
    """
    first = next(pictures(path, from_seconds=0.0), None)
    if first is None:
        raise DecodeError(f"{path} has a video stream without any picture in it. Remove it from the list.")
    return rotation_degrees(first.frame)


def to_rgb(picture: Picture, *, path: Path, reformatter: VideoReformatter) -> NDArray[np.uint8]:
    """The picture as players show it, turned upright, in RGB.

    Matrix and range come from the picture's own tags; depth is cut to 8 bits. High dynamic range is *not*
    tone mapped (such pictures look flat), pixels that are not square stay as stored, and interlaced
    pictures keep both fields: so did the preparation of the original.

    Raises:
        DecodeError: The picture cannot be converted.
    """
    try:
        rgb = reformatter.reformat(
            picture.frame,
            format="rgb24",
            interpolation=Interpolation.BICUBIC,
            dst_color_range=ColorRange.JPEG,
            threads=1,
        )
    except (av.FFmpegError, ValueError) as error:
        raise _damaged(path, "picture", picture.seconds) from error
    rgb_HWC = rgb.to_ndarray().astype(np.uint8, copy=False)
    return np.rot90(rgb_HWC, k=rotation_degrees(picture.frame) // 90)


def new_reformatter() -> VideoReformatter:
    """Converter of colours, one for all pictures of a video."""
    return VideoReformatter()


def sound_chunks(path: Path, *, from_seconds: float, channel: Channel) -> Generator[SoundChunk]:
    """Decoded sound of one channel, beginning at or before `from_seconds` where the track does.

    Args:
        path: File to read.
        from_seconds: On the file's timeline.
        channel: "first" is channel 0 of the stored layout, taken before any mixing; "mix" is the mean of
            all channels.

    Raises:
        DecodeError: A packet does not decode, or the track ends long before its header says.
    """
    return _sought(lambda seek: _sound_chunks(path, seek, channel), from_seconds)


def _sound_chunks(path: Path, seek_seconds: float | None, channel: Channel) -> Generator[SoundChunk]:
    with opened(path, decoders="none") as container:
        codec = audio_stream(container, path).codec_context.codec.name
    with opened(path, decoders=codec) as container:
        stream = audio_stream(container, path)
        zero, stop = zero_seconds(container), None
        for frame in _decoded(path, stream, _packets(container, stream, path, seek_seconds)):
            seconds = _seconds(path, frame.pts, frame.time_base, zero)
            stop = seconds + frame.samples / frame.sample_rate
            yield SoundChunk(
                seconds=seconds, rate_hz=frame.sample_rate, samples_S=_one_channel(frame, channel)
            )
        if stop is None and seek_seconds is None:
            raise DecodeError(f"{path} has an audio stream without any sound in it. Remove it from the list.")
        declared = declared_stop_seconds(container, stream)
        check_complete(path, "sound", stop_seconds=stop or 0.0, declared_stop_seconds=declared)


def _one_channel(frame: AudioFrame, channel: Channel) -> NDArray[np.float32]:
    stored = frame.to_ndarray()
    samples_CS = stored if frame.format.is_planar else stored.reshape(frame.samples, -1).T
    samples_S = samples_CS[0] if channel == "first" else samples_CS.mean(axis=0, dtype=np.float64)
    if np.issubdtype(stored.dtype, np.floating):
        return samples_S.astype(np.float32)
    middle = 128 if stored.dtype == np.uint8 else 0  # 8-bit sound is stored without sign
    full_scale = 2.0 ** (8 * stored.dtype.itemsize - 1)
    return ((samples_S.astype(np.float64) - middle) / full_scale).astype(np.float32)


def resample(samples_S: NDArray[np.float32], *, rate_hz: int) -> NDArray[np.float32]:
    """Mono sound at 16 kHz, by FFmpeg's resampler with its default filter (`ffmpeg -ar 16000`)."""
    if rate_hz == SAMPLE_RATE_HZ:
        return samples_S
    resampler = av.AudioResampler(format="flt", layout="mono", rate=SAMPLE_RATE_HZ)
    frame = AudioFrame.from_ndarray(samples_S[None], format="flt", layout="mono")
    frame.sample_rate = rate_hz
    frame.pts, frame.time_base = 0, Fraction(1, rate_hz)
    frames = [*resampler.resample(frame), *resampler.resample(None)]
    return np.concatenate([f.to_ndarray().reshape(-1) for f in frames]).astype(np.float32, copy=False)


def _sought(start: Callable[[float | None], Generator[_TimedT]], from_seconds: float) -> Generator[_TimedT]:
    """Items from `from_seconds` or a little before, by seeking if that lands well, else from the start."""
    if from_seconds > _SEEK_AFTER_SECONDS:
        for preroll in _PREROLL_SECONDS:
            items = start(max(from_seconds - preroll, 0.0))
            try:
                first = next(items, None)
            except DecodeError:
                continue  # a bad landing is not yet a bad file; reading from the start tells
            if first is not None and first.seconds <= from_seconds:
                yield first
                yield from items
                return
    yield from start(None)


def _packets(container: InputContainer, stream: Any, path: Path, seek_seconds: float | None) -> Iterator[Any]:
    """Packets of one stream. Pictures begin with a key picture: what comes before cannot be decoded."""
    has_begun = stream.type == "audio"
    try:
        if seek_seconds is not None:
            container.seek(int((seek_seconds + zero_seconds(container)) * av.time_base))
        for packet in container.demux(stream):
            has_begun = has_begun or packet.is_keyframe
            if has_begun:
                yield packet
    except av.FFmpegError as error:
        raise DecodeError(f"{path} cannot be read to its end ({reason(error)}). Fetch it again.") from error


def _decoded(path: Path, stream: Any, packets: Iterator[Any]) -> Iterator[Any]:
    for packet in packets:
        try:
            frames = packet.decode()
        except av.FFmpegError as error:
            ticks = packet.dts if packet.pts is None else packet.pts
            seconds = float((ticks or 0) * packet.time_base) - zero_seconds(stream.container)
            raise _damaged(path, "picture" if stream.type == "video" else "sound", seconds) from error
        yield from frames


def _seconds(path: Path, ticks: int | None, time_base: Fraction | None, zero: float) -> float:
    if ticks is None or time_base is None:
        raise DecodeError(
            f"{path} has data without times, so picture and sound cannot be matched. Convert it."
        )
    return float(ticks * time_base) - zero


def _damaged(path: Path, kind: str, seconds: float) -> DecodeError:
    return DecodeError(
        f"{path} is damaged: the {kind} at {seconds:.2f} s does not decode. Fetch it again, or remove it."
    )
