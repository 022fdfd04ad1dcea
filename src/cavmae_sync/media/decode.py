"""Packets, pictures and sound of one file, with their times, from FFmpeg.

Every time is in seconds on the file's timeline, where 0 is the container's start, as players show it.

Damage is an error. Data before the first key picture cannot be decoded by anybody and are left out; after
it, a packet that does not decode raises `DecodeError`.

Shapes: H W pixels, C channels (RGB), S samples.
"""

import heapq
from collections.abc import Generator, Iterable, Iterator
from dataclasses import dataclass
from fractions import Fraction
from itertools import chain, islice
from pathlib import Path
from typing import Any, Literal

import av
import numpy as np
from av.audio.frame import AudioFrame
from av.video.frame import VideoFrame
from av.video.reformatter import ColorRange, Interpolation, VideoReformatter
from numpy.typing import NDArray

from cavmae_sync.errors import DecodeError
from cavmae_sync.media.container import (
    MAX_ASPECT,
    MAX_PIXELS,
    audio_stream,
    keep_layout,
    opened,
    video_stream,
)
from cavmae_sync.media.continuity import LEAP_SECONDS, AnyPacket
from cavmae_sync.media.orientation import Orientation, orientation_of, upright
from cavmae_sync.media.packets import Packets, packets_of
from cavmae_sync.paper import SAMPLE_RATE_HZ

Channel = Literal["first", "mix"]

_NUM_HEAD = 32  # packets that show whether a stream is stored out of order: codecs move one by 16 at most
_MAX_BAD_FRACTION = 0.01
_STEP_BACK_SECONDS = 0.5


@dataclass(frozen=True, kw_only=True, slots=True)
class PictureTime:
    """When a picture is on screen, known without decoding it."""

    seconds: float
    stop_seconds: float


@dataclass(frozen=True, kw_only=True, slots=True)
class Picture:
    """A decoded picture, still in the codec's colours."""

    seconds: float
    frame: VideoFrame


@dataclass(frozen=True, kw_only=True, slots=True)
class TimedPacket:
    """A packet of sound, and when it is heard; one without a stamp begins where the one before ended."""

    seconds: float
    stop_seconds: float
    packet: AnyPacket


@dataclass(frozen=True, kw_only=True, slots=True)
class SoundChunk:
    """Some decoded samples of one channel at the file's own rate; without a stamp, after the ones before."""

    seconds: float | None
    rate_hz: int
    samples_S: NDArray[np.float32]


def picture_times(path: Path, *, from_seconds: float) -> Generator[PictureTime]:
    """When each picture is on screen, in file order (not in time order), without decoding.

    Begins at a key picture, at or before `from_seconds` where the file has one.

    Raises:
        DecodeError: Packets without times, or the stream ends long before its header says.
    """
    with packets_of(path, "video") as packets:
        rate = packets.declared_rate
        period = float(1 / rate) if rate else 0.0
        period = period if period < LEAP_SECONDS else 0.0  # the declared rate follows from stamps that lie
        stop = 0.0
        for packet in packets.read(from_seconds=from_seconds):
            if packet.is_discard:
                continue
            seconds = _known(packets.seconds_of(packet), path)
            held = float((packet.duration or 0) * packet.time_base)
            stop = max(stop, seconds + (held if 0 < held < LEAP_SECONDS else period))
            yield PictureTime(seconds=seconds, stop_seconds=stop)
        packets.check_complete("pictures", stop_seconds=stop)


def pictures(path: Path, *, from_seconds: float) -> Generator[Picture]:
    """Decoded pictures in time order, beginning at or before `from_seconds` where the file does.

    Raises:
        DecodeError: A packet does not decode, or a picture has no time or goes back in time.
    """
    with opened(path) as container, packets_of(path, "video") as packets:
        decoder = video_stream(container, path).codec_context
        decoder.options = {"max_pixels": str(MAX_PIXELS)}
        decoder.thread_count = 1  # many files are read in parallel processes
        shown = _ShowingTimes(packets, num_held_back=decoder.reorder_depth)
        first: float | None = None
        last = -float("inf")
        for frame in _decoded(decoder, shown.noted(packets.read(from_seconds=from_seconds)), packets):
            seconds = _known(shown.of(frame), path)
            if last - _STEP_BACK_SECONDS < seconds < last:
                seconds = last  # a stamp that a parser filled in, or a join: shown at once
            if seconds < last:
                raise DecodeError(
                    f"{path}: the time of pictures goes back from {last:.3f} to {seconds:.3f} s. "
                    "It was joined from several files; re-encode or remove it."
                )
            last = seconds
            first = seconds if first is None else first
            # Inside a file, pictures that lean on ones before the key picture come first and are never used.
            if frame.is_corrupt and (seconds >= from_seconds or first <= 0.0):
                raise _damaged(path, "picture", seconds)
            yield Picture(seconds=seconds, frame=frame)


class _ShowingTimes:
    """When decoded pictures are shown.

    A decoder gives pictures in the order in which they are shown. Where stamps tell only when a picture is
    decoded, the first one shown therefore takes the first stamp, the second the second, and so on.
    """

    def __init__(self, packets: Packets, *, num_held_back: int) -> None:
        self._packets = packets
        self._num_held_back = num_held_back
        self._num_sent = 0
        self._begins_inside = False
        self._stamps: list[float] | None = None if packets.has_showing_times else []

    def noted(self, packets: Iterator[AnyPacket]) -> Iterator[AnyPacket]:
        """The packets, while their stamps are noted."""
        head = list(islice(packets, _NUM_HEAD))
        stamps = [packet.pts for packet in head if packet.pts is not None]
        is_suspect = self._stamps is None and self._num_held_back and stamps == sorted(stamps)
        if is_suspect and _is_shown_out_of_order(self._packets.path, head):
            self._stamps = []  # these are times of decoding, whatever the container calls them
        for packet in chain(head, packets):
            seconds = self._packets.seconds_of(packet)
            if self._stamps is not None and seconds is not None and not packet.is_discard:
                heapq.heappush(self._stamps, seconds)
                self._begins_inside = self._begins_inside or (self._num_sent == 0 and seconds > 0)
            self._num_sent += 1
            yield packet

    def of(self, frame: VideoFrame) -> float | None:
        """When the next picture is shown, on the file's timeline."""
        if self._stamps is not None:
            if self._begins_inside:
                self._begins_inside = False
                # Inside a file, a decoder drops pictures that lean on ones before the key picture.
                for _ in range(self._num_sent - 1 - self._num_held_back):
                    heapq.heappop(self._stamps)
            return heapq.heappop(self._stamps) if self._stamps else None
        return self._packets.seconds_of_frame(frame)


def _is_shown_out_of_order(path: Path, head: list[AnyPacket]) -> bool:
    """Whether the first pictures, in the order in which they are shown, have stamps that go back."""
    with opened(path) as container:
        decoder = video_stream(container, path).codec_context
        try:
            stamps = [frame.pts for packet in [*head, None] for frame in decoder.decode(packet)]
        except av.FFmpegError:
            return False  # whoever reads on is told
    known = [stamp for stamp in stamps if stamp is not None]
    return known != sorted(known)


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
    long, short = max(rgb.width, rgb.height), min(rgb.width, rgb.height)
    if long > MAX_ASPECT * short:
        raise DecodeError(
            f"{path} has pictures of {rgb.width} x {rgb.height} pixels; at most {MAX_ASPECT} to 1 are read. "
            "Cut them, or remove it."
        )
    return upright(rgb.to_ndarray().astype(np.uint8, copy=False), orientation_of(picture.frame))


def first_orientation(path: Path) -> Orientation:
    """Orientation of the first picture.

    Raises:
        DecodeError: There is no picture that decodes.
    """
    first = next(pictures(path, from_seconds=0.0), None)
    if first is None:
        raise DecodeError(f"{path} has a video stream without any picture in it. Remove it from the list.")
    return orientation_of(first.frame)


def new_reformatter() -> VideoReformatter:
    """Converter of colours, one for all pictures of a video."""
    return VideoReformatter()


def sound_packets(path: Path, *, from_seconds: float) -> Generator[TimedPacket]:
    """Packets of the sound, beginning at or before `from_seconds` where the track does; not decoded.

    Raises:
        DecodeError: The file cannot be read on, or the track ends long before its header says.
    """
    with packets_of(path, "audio") as packets:
        stop = last = seconds = 0.0
        for packet in packets.read(from_seconds=from_seconds):
            known, before = packets.seconds_of(packet), seconds
            seconds = stop if known is None else known
            # Without a length, that of the packet before.
            length = float(packet.duration * packet.time_base) if packet.duration else seconds - before
            stop = seconds + max(length, 0.0)
            last = max(last, stop)
            yield TimedPacket(seconds=seconds, stop_seconds=stop, packet=packet)
        packets.check_complete("sound", stop_seconds=last)


def decode_sound(path: Path, packets: Iterable[TimedPacket], *, channel: Channel) -> Generator[SoundChunk]:
    """Decoded sound of one channel, by a decoder of its own: equal packets give equal samples.

    Args:
        path: Their file.
        packets: Of `sound_packets`, one after the other.
        channel: "first" is channel 0 of the stored layout, taken before any mixing; "mix" is the mean of
            all channels.

    Raises:
        DecodeError: A packet does not decode.
    """
    with opened(path, decoders="none") as container:
        codec = audio_stream(container, path).codec_context.codec.name
    with opened(path, decoders=codec) as container:
        stream = audio_stream(container, path)
        about = Packets(container, stream, path)
        for frame in _decoded(stream.codec_context, (timed.packet for timed in packets), about):
            keep_layout(frame.layout)
            yield SoundChunk(
                seconds=about.seconds_of_frame(frame),
                rate_hz=frame.sample_rate,
                samples_S=_one_channel(frame, channel),
            )


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


def _decoded(decoder: Any, packets: Iterator[AnyPacket], about: Packets) -> Iterator[Any]:
    num_good = num_bad = 0
    for packet in chain(packets, [None]):  # None makes the decoder give what it holds back
        try:
            frames = decoder.decode(packet)
        except av.FFmpegError as error:
            num_bad += 1
            # Bare frames of sound end where the recording was stopped, often inside a frame.
            if packet is None or not about.is_bare or num_bad > max(num_good * _MAX_BAD_FRACTION, 1):
                kind = "picture" if about.stream.type == "video" else "sound"
                seconds = None if packet is None else about.seconds_of(packet)
                raise _damaged(about.path, kind, seconds or 0.0) from error
            continue
        num_good += 1
        yield from frames


def _known(seconds: float | None, path: Path) -> float:
    if seconds is None:
        raise DecodeError(
            f"{path} has data without times, so picture and sound cannot be matched. Convert it."
        )
    return seconds


def _damaged(path: Path, kind: str, seconds: float) -> DecodeError:
    return DecodeError(
        f"{path} is damaged: the {kind} at {seconds:.2f} s does not decode. Fetch it again, or remove it."
    )
