"""Packets of one stream of a file, with time stamps that can be relied on, from any place in the file.

The place is found by seeking where the file's index shows that no stamp leaps before it. Otherwise the file
is read from its start, without decoding, up to a key frame before the place. Both give the same packets.
"""

from collections.abc import Generator, Iterator
from contextlib import ExitStack, contextmanager, suppress
from fractions import Fraction
from pathlib import Path
from typing import Literal

import av
from av.audio.stream import AudioStream
from av.container import InputContainer
from av.frame import Frame
from av.video.stream import VideoStream

from cavmae_sync.errors import DecodeError, MediaError
from cavmae_sync.media.container import (
    audio_stream,
    check_complete,
    declared_stop_seconds,
    opened,
    reason,
    video_stream,
    zero_seconds,
)
from cavmae_sync.media.continuity import LEAP_SECONDS, AnyPacket, Continuity

_SEEK_AFTER_SECONDS = 10.0  # nearer to the start, reading from the start is as quick
_PREROLL_SECONDS = (1.0, 10.0)  # some containers land after the place that was asked for: then try earlier
_MAY_BEGIN_AGAIN = 0x0200  # AVFMT_TS_DISCONT of FFmpeg: stamps may begin again inside the file
# These store one time per packet, that of decoding. FFmpeg fills in times of showing, which are guesses: it
# puts the frames of found/h264_nob_pcm.avi one place late (1.040 s where the index says 1.000 s).
_WITHOUT_SHOWING_TIMES = ("avi", "asf")
# First bits of every audio frame in files without a container: mask and value of its first two bytes.
# Whatever begins otherwise is a tag or padding (found/mp3_lyr.mp3, found/mp3_cat.mp3) and is left out.
_FIRST_BITS = {
    "mp3": (0xFFE0, 0xFFE0),
    "aac": (0xFFF0, 0xFFF0),
    "ac3": (0xFFFF, 0x0B77),
    "eac3": (0xFFFF, 0x0B77),
}
_MAX_DISORDER_SECONDS = 1.0  # a key frame may be stored after frames that are shown later
_MAX_HELD = 5_000  # packets; bounds memory where no key frame comes


@contextmanager
def open_packets(
    path: Path, kind: Literal["video", "audio"], *, index: int | None = None
) -> Generator["Packets"]:
    """Open the packets of a file's video or sound.

    All callers open them this one way, without decoders: with decoders, FFmpeg fills in other durations, and
    two readers of one file would disagree.

    Args:
        path: The file.
        kind: Which stream: the one that is read by default.
        index: Another stream of that kind, by its place in the file.

    Raises:
        MediaError: The file cannot be opened, or has no such stream.
    """
    choose = video_stream if kind == "video" else audio_stream
    with ExitStack() as stack:
        container = stack.enter_context(opened(path, decoders="none"))
        # Several frames in one packet, or no container at all: only a parser knows times and lengths.
        if container.format.flags & _MAY_BEGIN_AGAIN or container.format.name in _FIRST_BITS:
            container = stack.enter_context(opened(path))
        stream = choose(container, path) if index is None else container.streams[index]
        if not isinstance(stream, VideoStream | AudioStream):
            raise DecodeError(f"{path}: stream {index} is neither video nor sound. Read the file again.")
        yield Packets(container, stream, path)


class Packets:
    """Packets of the video, or of the sound, of one file.

    Attributes:
        path: The file.
        stream: The stream they belong to.
        zero: The container's own time at which the file's timeline starts.
        has_showing_times: Stamps say when a frame is shown; otherwise only when it is decoded.
        is_bare: The file is nothing but audio frames one after the other, without a container around them.
    """

    def __init__(self, container: InputContainer, stream: VideoStream | AudioStream, path: Path) -> None:
        self.path = path
        self.stream = stream
        self.zero = zero_seconds(container)
        self.has_showing_times = container.format.name not in _WITHOUT_SHOWING_TIMES
        self.is_bare = container.format.name in _FIRST_BITS
        self._container = container
        # Whole numbers: a quotient is rounded only once, and a `Fraction` takes longer than all the rest.
        tick = stream.time_base or Fraction(1)
        self._numerator, self._denominator = tick.numerator, tick.denominator
        self._may_begin_again = bool(container.format.flags & _MAY_BEGIN_AGAIN)
        self._first_bits = _FIRST_BITS.get(container.format.name)
        # After a seek in ASF, FFmpeg gives packets without a time of decoding.
        self._may_seek = not (self._may_begin_again or self.is_bare or container.format.name == "asf")
        self._has_leapt = False
        is_held_back = container.format.name == "asf" and isinstance(stream, VideoStream)
        self._shift = self.zero - (_held_back_seconds(path) if is_held_back else 0.0)

    @property
    def declared_rate(self) -> Fraction | None:
        """Frames per second by the header; None for sound."""
        return self.stream.average_rate if isinstance(self.stream, VideoStream) else None

    def seconds_of(self, packet: AnyPacket) -> float | None:
        """Time a packet is shown, or decoded where only that is known; on the file's timeline."""
        known = (packet.pts, packet.dts) if self.has_showing_times else (packet.dts, packet.pts)
        ticks = known[1] if known[0] is None else known[0]
        return None if ticks is None else ticks * self._numerator / self._denominator - self._shift

    def length_of(self, packet: AnyPacket) -> float:
        """Length of a packet in seconds by its header; 0 without one."""
        return (packet.duration or 0) * self._numerator / self._denominator

    def seconds_of_frame(self, frame: Frame) -> float | None:
        """Time stamp of a decoded frame, on the file's timeline.

        Counted in ticks of the stream: frames that a decoder held back to the end have no time base of their
        own.
        """
        if frame.pts is None:
            return None
        return frame.pts * self._numerator / self._denominator - self.zero

    def read(self, *, from_seconds: float) -> Generator[AnyPacket]:
        """Packets that hold data, in file order; the first one is at or before a time, if any is.

        Video begins with a key frame: what comes before the first cannot be decoded by anybody.

        Raises:
            DecodeError: The file cannot be read on, or its time stamps are wrong.
        """
        if from_seconds > _SEEK_AFTER_SECONDS and self._may_seek:
            for preroll in _PREROLL_SECONDS:
                packets = self._after_seek(max(from_seconds - preroll, 0.0))
                try:
                    first = next(packets, None)
                except DecodeError:
                    continue  # a bad landing is not yet a bad file: reading from the start decides
                seconds = None if first is None else self.seconds_of(first)
                if first is not None and seconds is not None and seconds <= from_seconds:
                    yield first
                    yield from packets
                    return
            with suppress(DecodeError):  # a file that cannot be sought is still at its start
                self._seek(0.0)
        yield from self._without_past(self._packets(), from_seconds - _PREROLL_SECONDS[0])

    def check_complete(self, kind: str, *, stop_seconds: float) -> None:
        """Refuse a stream whose data end before its header says so; see `container.check_complete`."""
        if not self._has_leapt:  # otherwise the header counts the leaps that were closed
            declared = declared_stop_seconds(self._container, self.stream)
            check_complete(self.path, kind, stop_seconds=stop_seconds, declared_stop_seconds=declared)

    def _after_seek(self, seconds: float) -> Iterator[AnyPacket]:
        self._seek(seconds)
        if self._index_is_steady(seconds):
            yield from self._packets()

    def _seek(self, seconds: float) -> None:
        try:
            self._container.seek(int((seconds + self.zero) * av.time_base))
        except av.FFmpegError as error:
            raise self._unreadable(error) from error

    def _index_is_steady(self, until_seconds: float) -> bool:
        """Whether the index leaves no room for a leap before a time."""
        for stream in _read_streams(self._container, self.path):
            last, tick = 0.0, float(stream.time_base or 0)
            for entry in stream.index_entries:
                seconds = entry.timestamp * tick - self.zero
                if abs(seconds - last) > LEAP_SECONDS:
                    break
                last = max(last, seconds)
                if last > until_seconds - LEAP_SECONDS:
                    return True
        return False

    def _packets(self) -> Generator[AnyPacket]:
        # A leap is one of video and sound together: either alone may pause while the other goes on.
        continuity = Continuity(self.path, is_joined=self._may_begin_again)
        streams = _read_streams(self._container, self.path)
        if all(stream.index != self.stream.index for stream in streams):
            streams.append(self.stream)
        has_begun = isinstance(self.stream, AudioStream)
        foreign_ticks = 0
        try:
            for packet in self._container.demux(streams):
                if packet.size == 0:
                    continue
                if self._is_foreign(packet):
                    foreign_ticks += packet.duration or 0
                    continue
                if foreign_ticks:
                    packet.pts = None if packet.pts is None else packet.pts - foreign_ticks
                    packet.dts = None if packet.dts is None else packet.dts - foreign_ticks
                continuity.close_leap(packet)
                self._has_leapt = continuity.has_leapt
                if packet.stream_index == self.stream.index:
                    has_begun = has_begun or packet.is_keyframe
                    if has_begun:
                        yield packet
        except av.FFmpegError as error:
            raise self._unreadable(error) from error

    def _is_foreign(self, packet: AnyPacket) -> bool:
        """Whether this is a tag, padding or garbage between bare audio frames."""
        if self._first_bits is None:
            return False
        mask, bits = self._first_bits
        return int.from_bytes(bytes(packet)[:2], "big") & mask != bits

    def _without_past(self, packets: Iterator[AnyPacket], from_seconds: float) -> Generator[AnyPacket]:
        """Drop what comes before the last key packet at or before a time."""
        held: list[AnyPacket] = []
        for packet in packets:
            seconds = self.seconds_of(packet)
            if seconds is not None and packet.is_keyframe and seconds <= from_seconds:
                held = []
            held.append(packet)
            is_past = seconds is not None and seconds > from_seconds + _MAX_DISORDER_SECONDS
            if is_past or len(held) > _MAX_HELD:
                break
        yield from held
        yield from packets

    def _unreadable(self, error: av.FFmpegError) -> DecodeError:
        return DecodeError(f"{self.path} cannot be read to its end ({reason(error)}). Fetch it again.")


def _held_back_seconds(path: Path) -> float:
    """Time between decoding and showing the first frame of an ASF file: later frames are decoded meanwhile.

    ASF keeps the real time of decoding. AVI needs no such shift: its first frame is shown at the first place
    of its index.
    """
    with opened(path) as container:
        stream = video_stream(container, path)
        first = next((packet for packet in container.demux(stream) if packet.size), None)
        held = 0.0 if first is None else float((first.duration or 0) * first.time_base)
        return stream.codec_context.reorder_depth * held


def _read_streams(container: InputContainer, path: Path) -> list[VideoStream | AudioStream]:
    """Video and sound streams that are read, as far as there are any."""
    streams: list[VideoStream | AudioStream] = []
    for choose in (video_stream, audio_stream):
        with suppress(MediaError):
            streams.append(choose(container, path))
    return streams
