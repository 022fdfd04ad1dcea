"""Sound of a cut, exact to the sample: PCM is cut between samples; other sound is decoded and encoded again.

S samples of C channels.
"""

import os
import re
from collections.abc import Callable, Generator, Iterator
from contextlib import ExitStack, closing
from fractions import Fraction
from pathlib import Path
from typing import Any, Final, Literal

import av
import numpy as np
from av.audio.frame import AudioFrame
from av.audio.stream import AudioStream
from av.container import InputContainer, OutputContainer
from av.packet import Packet

from cavmae_sync.atomic import written_whole
from cavmae_sync.media.container import as_decode_errors, audio_stream, keep_layout, opened
from cavmae_sync.media.continuity import AnyPacket
from cavmae_sync.media.decode import decode_packets
from cavmae_sync.media.packets import Packets, open_packets
from cavmae_sync.media.proxy import StoppedError
from cavmae_sync.media.sound_chunks import TimedPacket, sound_packets

#: Codecs without loss that are not PCM.
_LOSSLESS: Final = frozenset({"flac", "alac", "wavpack", "tta", "ape"})
_LOSSLESS_CODECS: Final = {
    ".mov": "alac",
    ".mp4": "alac",
    ".mkv": "flac",
    ".flac": "flac",
    ".wav": "pcm_s24le",
}
_LOSSY_CODECS: Final = {".mov": "aac", ".mp4": "aac", ".mkv": "aac", ".wav": "pcm_s24le", ".flac": "flac"}
_SOUND_FORMATS: Final = {".wav": "wav", ".flac": "flac"}
_LAYOUTS: Final = {1: "mono", 2: "stereo"}
#: Rates of AAC, and that which sound of another rate gets.
_AAC_RATES_HZ: Final = frozenset(
    {96_000, 88_200, 64_000, 48_000, 44_100, 32_000, 24_000, 22_050, 16_000, 12_000, 11_025, 8_000, 7_350}
)
_OTHER_RATE_HZ: Final = 48_000
_BITS_PER_CHANNEL: Final = 128_000
#: Sound before a cut that a decoder needs to start.
_PREROLL_SECONDS: Final = 1.0
#: Sound is really missing where stamps and the count of samples are this far apart.
_HOLE_SECONDS: Final = 0.05
#: PCM whose samples lie one after the other, and the kinds of it that WAV holds.
_PLAIN_PCM: Final = re.compile(r"pcm_[suf](8|16|24|32|64)(le|be)?")
_PCM_OF_WAV: Final = re.compile(r"pcm_(u8|[sf]\d\dle)")

TimedPackets = tuple[float, list[AnyPacket]]


class CutSound:
    """Sound of a stretch of a file, on its way into a container.

    Attributes:
        how: Whether it is copied or encoded.
        reason: Why, in a sentence.
        is_there: Whether the file has sound there.
    """

    def __init__(
        self, path: Path, start_seconds: float, stop_seconds: float, *, suffix: str, index: int
    ) -> None:
        self._path = path
        self._index = index
        self._start, self._stop = start_seconds, stop_seconds
        self._stack = ExitStack()
        with opened(path) as container:
            stream = _sound_of(container, index)
            self._codec = stream.codec_context.name
            self._rate_hz = stream.rate
        copies = _can_copy(self._codec, suffix)
        self._is_lossless = self._codec in _LOSSLESS or self._codec.startswith("pcm_")
        self.how: Literal["copied", "encoded"] = "copied" if copies else "encoded"
        self._out_codec = (_LOSSLESS_CODECS if self._is_lossless else _LOSSY_CODECS)[suffix]
        self.reason = self._why(copies=copies)
        self._samples = self._copied() if copies else self._decoded()
        self._head = next(self._samples, None)
        self.is_there = self._head is not None

    def close(self) -> None:
        """Close the file."""
        self._samples.close()
        self._stack.close()

    def packets(self, container: OutputContainer) -> Iterator[TimedPackets]:
        """Packets for a container, with their times from the start of the cut. Adds the stream at once."""
        return self._write_copied(container) if self.how == "copied" else self._write_encoded(container)

    def _why(self, *, copies: bool) -> str:
        if copies:
            return "PCM can be cut between any two samples."
        if self._is_lossless:
            return f"{self._codec} cannot be cut as it is; {self._out_codec} keeps its samples."
        return f"{self._codec} cannot be cut between two samples; it became {self._out_codec}."

    def _copied(self) -> Generator[tuple[int, Any]]:
        """Bytes of PCM with the number of their first sample, from the start of the cut."""
        packets = self._stack.enter_context(open_packets(self._path, "audio", index=self._index))
        stream = packets.stream
        assert isinstance(stream, AudioStream)
        wanted = round((self._stop - self._start) * self._rate_hz)
        following: int | None = None
        for packet in packets.read(from_seconds=self._start):
            seconds = packets.seconds_of(packet)
            data = bytes(packet)
            width = _bytes_per_sample(stream)
            at = following
            if seconds is not None:
                at = self._place(seconds, following)
            if at is None:
                continue
            count = len(data) // width
            following = at + count
            if at >= wanted:
                return
            low, high = max(-at, 0), min(count, wanted - at)
            if low < high:
                yield at + low, data[low * width : high * width]

    def _write_copied(self, container: OutputContainer) -> Generator[TimedPackets]:
        with opened(self._path) as source:
            stored = _sound_of(source, self._index)
            stream = container.add_stream_from_template(stored)
            width = _bytes_per_sample(stored)
        return self._muxed_copies(stream, width)

    def _muxed_copies(self, stream: Any, width: int) -> Generator[TimedPackets]:
        for at, data in self._all():
            packet = Packet(data)
            packet.stream = stream
            packet.time_base = Fraction(1, self._rate_hz)
            packet.pts = packet.dts = at
            packet.duration = len(data) // width
            packet.is_keyframe = True
            yield at / self._rate_hz, [packet]

    def _decoded(self) -> Generator[tuple[int, AudioFrame]]:
        """Frames of samples of the stretch, without holes, with the number of the first sample."""
        wanted = round((self._stop - self._start) * self._rate_hz)
        following: int | None = None
        for frame, seconds in _frames(self._path, self._index, self._start, self._stop):
            at = following
            if seconds is not None:
                at = self._place(seconds, following)
            if at is None:
                continue
            following = at + frame.samples
            if at >= wanted:
                return
            low, high = max(-at, 0), min(frame.samples, wanted - at)
            if low < high:
                yield at + low, _part(frame, low, high)

    def _place(self, seconds: float, following: int | None) -> int:
        """Number of a sample by its stamp, from the start of the cut, or by the count where both agree."""
        stamped = round((seconds - self._start) * self._rate_hz)
        is_hole = following is None or abs(stamped - following) > _HOLE_SECONDS * self._rate_hz
        return stamped if following is None or is_hole else following

    def _write_encoded(self, container: OutputContainer) -> Generator[TimedPackets]:
        assert self._head is not None
        head: AudioFrame = self._head[1]
        rate_hz = self._rate_hz
        if self._out_codec == "aac" and rate_hz not in _AAC_RATES_HZ:
            rate_hz = _OTHER_RATE_HZ
        # Sound of one or two channels without names, as of Windows Media, is mono or stereo.
        layout = _LAYOUTS.get(head.layout.nb_channels, head.layout.name)
        stream = container.add_stream(self._out_codec, rate=rate_hz, layout=layout)
        assert isinstance(stream, AudioStream)
        if self._out_codec == "aac":
            stream.bit_rate = _BITS_PER_CHANNEL * head.layout.nb_channels
        else:
            is_deep = head.format.bytes > 2 or self._out_codec == "pcm_s24le"
            planar = "p" if self._out_codec == "alac" else ""
            stream.codec_context.format = av.AudioFormat(f"s{32 if is_deep else 16}{planar}")
        return self._muxed_codes(stream)

    def _muxed_codes(self, stream: AudioStream) -> Generator[TimedPackets]:
        context = stream.codec_context
        resampler = av.AudioResampler(
            format=context.format,
            layout=context.layout,
            rate=stream.rate,
            frame_size=context.frame_size or 0,
        )
        written = 0
        for at, frame in self._all():
            for part in (*_silence(frame, at - written), frame):
                part.pts, part.time_base = written, Fraction(1, self._rate_hz)
                part.sample_rate = self._rate_hz
                written += part.samples
                for made in resampler.resample(part):
                    yield written / self._rate_hz, list(stream.encode(made))
        for made in resampler.resample(None):
            yield written / self._rate_hz, list(stream.encode(made))
        yield written / self._rate_hz, list(stream.encode(None))

    def _all(self) -> Iterator[tuple[int, Any]]:
        if self._head is not None:
            yield self._head
        yield from self._samples


def sound_streams(path: Path) -> list[int]:
    """Places in the file of its sound streams: the one that plays by default, then the others.

    Raises:
        MediaError: The file has no sound that can be read.
    """
    with opened(path) as container:
        first = audio_stream(container, path).index
        known = [stream.index for stream in container.streams.audio if stream.codec_context is not None]
    return [first, *(index for index in known if index != first)]


def sound_suffix(path: Path) -> str:
    """Ending of a cut of a file without a picture: FLAC stays FLAC, everything else becomes WAV."""
    with opened(path) as container:
        return ".flac" if audio_stream(container, path).codec_context.name == "flac" else ".wav"


def write_sound_cut(
    path: str | os.PathLike[str],
    out: str | os.PathLike[str],
    *,
    start_seconds: float,
    stop_seconds: float,
    on_progress: Callable[[float], None] | None = None,
    should_stop: Callable[[], bool] = bool,
) -> tuple[Literal["copied", "encoded"], str]:
    """Cut a stretch out of a file of sound, exact to the sample. The cut appears complete or not at all.

    Args:
        path: The file.
        out: File to write, with the ending of `sound_suffix`; replaced if it exists.
        start_seconds: Start on the file's timeline.
        stop_seconds: Stop.
        on_progress: Called with the share that is done, in [0, 1].
        should_stop: Asked for each packet.

    Returns:
        Whether it was copied or encoded, and why.

    Raises:
        MediaError: The file cannot be read there, or has no sound there.
        StoppedError: `should_stop` said so; nothing is left.
    """
    source, suffix = Path(path), Path(out).suffix.lower()
    with (
        written_whole(Path(out)) as part,
        as_decode_errors(source),
        closing(
            CutSound(source, start_seconds, stop_seconds, suffix=suffix, index=sound_streams(source)[0])
        ) as sound,
    ):
        if not sound.is_there:
            raise ValueError(f"there is no sound from {start_seconds:.3f} to {stop_seconds:.3f} s")
        with av.open(str(part), "w", format=_SOUND_FORMATS[suffix]) as container:
            for seconds, packets in sound.packets(container):
                if should_stop():
                    raise StoppedError
                container.mux(packets)
                if on_progress is not None:
                    on_progress(min(max(seconds / (stop_seconds - start_seconds), 0.0), 1.0))
        return sound.how, sound.reason


def _frames(path: Path, index: int, start: float, stop: float) -> Generator[tuple[AudioFrame, float | None]]:
    """Decoded frames around a stretch, with their stamps on the file's timeline."""
    begin = max(start - _PREROLL_SECONDS, 0.0)
    with ExitStack() as stack:
        timed = stack.enter_context(closing(sound_packets(path, from_seconds=begin, index=index)))
        container = stack.enter_context(opened(path))
        stream = _sound_of(container, index)
        source = Packets(container, stream, path)
        for frame in decode_packets(stream.codec_context, _until(timed, stop + _PREROLL_SECONDS), source):
            keep_layout(frame.layout)
            yield frame, source.seconds_of_frame(frame)


def _sound_of(container: InputContainer, index: int) -> AudioStream:
    stream = container.streams[index]
    assert isinstance(stream, AudioStream)
    return stream


def _until(packets: Iterator[TimedPacket], seconds: float) -> Iterator[Any]:
    for timed in packets:
        if timed.seconds > seconds:
            return
        yield timed.packet


def _part(frame: AudioFrame, low: int, high: int) -> AudioFrame:
    """Samples of a frame from one to before another."""
    if (low, high) == (0, frame.samples):
        return frame
    stored = frame.to_ndarray()
    step = 1 if frame.format.is_planar else frame.layout.nb_channels
    return _made(stored[:, low * step : high * step], frame)


def _silence(frame: AudioFrame, count: int) -> list[AudioFrame]:
    """Silence of a number of samples in the form of a frame; none where nothing is missing."""
    if count <= 0:
        return []
    shape = frame.to_ndarray().shape
    step = 1 if frame.format.is_planar else frame.layout.nb_channels
    dtype = frame.to_ndarray().dtype
    silent = np.full((shape[0], count * step), 128 if dtype == np.uint8 else 0, dtype)
    return [_made(silent, frame)]


def _made(samples: np.ndarray[Any, Any], like: AudioFrame) -> AudioFrame:
    made = AudioFrame.from_ndarray(
        np.ascontiguousarray(samples), format=like.format.name, layout=like.layout.name
    )
    made.sample_rate = like.sample_rate
    return made


def _can_copy(codec: str, suffix: str) -> bool:
    """Whether sound of a codec is PCM that a container takes as it is; MP4 takes none."""
    return suffix != ".mp4" and bool((_PCM_OF_WAV if suffix == ".wav" else _PLAIN_PCM).fullmatch(codec))


def _bytes_per_sample(stream: AudioStream) -> int:
    """Bytes of a sample of all channels of PCM."""
    found = _PLAIN_PCM.fullmatch(stream.codec_context.name)
    assert found is not None
    return int(found[1]) // 8 * stream.codec_context.layout.nb_channels
