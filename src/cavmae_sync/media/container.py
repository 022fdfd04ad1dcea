"""Opening a media file safely, choosing its streams, and comparing its data with its header.

Files are opened by path and nothing else: no network, no playlist, no image sequence, no second file.
"""

import ctypes
import os
import re
from collections.abc import Generator
from contextlib import contextmanager
from itertools import islice
from pathlib import Path
from typing import TypeVar

import av
from av.audio.layout import AudioLayout
from av.audio.stream import AudioStream
from av.container import InputContainer
from av.stream import Disposition
from av.video.stream import VideoStream

from cavmae_sync.errors import DecodeError, NoAudioStreamError, NoVideoStreamError, UnreadableFileError

# Containers that hold their data themselves. Playlists (hls, dash, concat, imf), image sequences, devices and
# generators are left out: they would open other files or network addresses on behalf of a stranger's file.
_CONTAINERS = (
    "aac,ac3,aiff,amr,asf,au,avi,caf,dv,eac3,flac,flv,gif,matroska,mov,mp3,mpeg,mpegts,mxf,nut,ogg,rm,tta,"
    "w64,wav,wv"
)
MAX_PIXELS = 8192 * 4320  # a little above 8K UHD; a frame of this size is 106 MB in RGB
MAX_ASPECT = 100  # resizing the shorter side enlarges the longer one with it: a bound on memory
# Beyond these a header is damaged. Sound of 1 Hz (found/rate1.mkv) once ended a whole preparation.
_MIN_SAMPLE_RATE_HZ = 1_000
_MAX_SAMPLE_RATE_HZ = 768_000
_MAX_CHANNELS = 64
_MISSING_SECONDS = 0.5  # headers of good files promise up to 0.1 s more than the data have
_STILLS = Disposition.attached_pic | Disposition.timed_thumbnails | Disposition.still_image

# Errors that a bad file can cause in PyAV, NumPy or here, beside `MediaError`; no interrupt is among them.
_FILE_ERRORS = (
    av.FFmpegError,
    ArithmeticError,
    AttributeError,
    LookupError,
    MemoryError,
    OSError,
    RuntimeError,
    TypeError,
    ValueError,
)

_StreamT = TypeVar("_StreamT", VideoStream, AudioStream)


@contextmanager
def opened(path: Path, *, decoders: str = "all") -> Generator[InputContainer]:
    """Open a container.

    Args:
        path: File to open.
        decoders: "all", or the only codec FFmpeg may try while it looks for stream parameters; "none" opens
            ten times quicker, for packets only.

    Raises:
        UnreadableFileError: The file is missing, a folder, not a regular file, empty, or no known container.
    """
    _check_file(path)
    options = {
        "format_whitelist": _CONTAINERS,
        "protocol_whitelist": "file",
        "max_pixels": str(MAX_PIXELS),
    }
    if decoders != "all":
        options["codec_whitelist"] = decoders
    try:
        # "file:" and an absolute path: "concat:a|b", "http:--x", "a%03d.mp4" and "-i" are only names.
        container = av.open(f"file:{path.absolute()}", "r", options=options, metadata_errors="replace")
    except (av.FFmpegError, OSError, ValueError) as error:
        raise UnreadableFileError(
            f"{path} is not a media file that can be read ({reason(error)}). It must be a video or sound "
            "file that holds its own data (no playlist or still image). Remove it, or convert it to MP4."
        ) from error
    with container:
        yield container


def _check_file(path: Path) -> None:
    if not path.exists():
        raise UnreadableFileError(f"{path} does not exist. Check the path.")
    if not path.is_file():
        what = "a folder" if path.is_dir() else "not a regular file"
        raise UnreadableFileError(f"{path} is {what}. Give the path of a video or sound file.")
    if path.stat().st_size == 0:
        raise UnreadableFileError(f"{path} is empty (0 bytes). Fetch it again, or remove it.")
    if not os.access(path, os.R_OK):
        raise UnreadableFileError(f"{path} may not be read by this user. Change its permissions.")


@contextmanager
def as_decode_errors(path: Path) -> Generator[None]:
    """Turn any failure inside the block into an error that names the file.

    Files hold what no header check foresees. Such a file must cost only itself, not the whole preparation.

    Raises:
        DecodeError: Anything failed, other than a `MediaError`.
    """
    try:
        yield
    except _FILE_ERRORS as error:
        cause = f"{type(error).__name__}: {error}" if str(error) else type(error).__name__
        raise DecodeError(
            f"{path} cannot be read ({cause}). Convert the file again, or remove it."
        ) from error


def zero_seconds(container: InputContainer) -> float:
    """Container's own time at which the file's timeline starts; subtracted from every time stamp."""
    start = container.start_time
    return 0.0 if start is None else start / av.time_base


def stream_start_seconds(stream: VideoStream | AudioStream, zero: float) -> float:
    """Start of a stream on the file's timeline; 0 where the header does not say."""
    if stream.start_time is None or stream.time_base is None:
        return 0.0
    return float(stream.start_time * stream.time_base) - zero


def video_stream(container: InputContainer, path: Path) -> VideoStream:
    """Video stream that is read: the first one, default streams first, that moves and can be decoded.

    Raises:
        NoVideoStreamError: There is none.
        UnreadableFileError: FFmpeg has no decoder for any.
    """
    moving = moving_streams(container, path)
    if not moving:
        stills = len(container.streams.video)
        raise NoVideoStreamError(
            f"{path} has no video ({len(container.streams.audio)} audio streams, {stills} still images). "
            "A file with moving frames is needed: remove it."
        )
    return _first_decoded(moving, path)


def moving_streams(container: InputContainer, path: Path) -> list[VideoStream]:
    """Video streams, default streams first, without covers, thumbnails and still images.

    Some writers do not mark a thumbnail as one (found/thumbnail_first.mp4). So where there are
    several streams, those that hold a single frame are left out.
    """
    streams = [stream for stream in container.streams.video if not stream.disposition & _STILLS]
    streams = _default_first(streams)
    if len(streams) < 2:
        return streams
    counts = [stream.frames or _count_packets(path, stream.index, at_most=2) for stream in streams]
    return [stream for stream, count in zip(streams, counts, strict=True) if count > 1] or streams


def _count_packets(path: Path, index: int, *, at_most: int) -> int:
    with opened(path, decoders="none") as container:
        packets = (packet for packet in container.demux(container.streams[index]) if packet.size)
        return sum(1 for _ in islice(packets, at_most))


def audio_stream(container: InputContainer, path: Path) -> AudioStream:
    """Audio stream that is read: the first one, default streams first, that can be decoded.

    Raises:
        NoAudioStreamError: There is none.
        UnreadableFileError: FFmpeg has no decoder for any, or all declare an absurd sample rate or number of
            channels.
    """
    if not container.streams.audio:
        raise NoAudioStreamError(
            f"{path} has no audio stream ({len(container.streams.video)} video streams). "
            "A video with sound is needed: remove it."
        )
    streams = _default_first(list(container.streams.audio))
    stream = _first_decoded([s for s in streams if not _is_absurd(s)] or streams, path)
    if _is_absurd(stream):
        raise UnreadableFileError(
            f"{path} declares sound of {stream.rate} Hz in {num_channels(stream)} channels; "
            f"{_MIN_SAMPLE_RATE_HZ} to {_MAX_SAMPLE_RATE_HZ} Hz and at most {_MAX_CHANNELS} channels are "
            "read. The header is damaged: convert the file again, or remove it."
        )
    return stream


def num_channels(stream: AudioStream) -> int:
    """Number of channels of an audio stream."""
    layout = stream.codec_context.layout
    keep_layout(layout)
    return layout.nb_channels


def keep_layout(layout: AudioLayout) -> None:
    """Keep a layout that names its channels one by one from ever being freed.

    To be called with every layout that is read.

    PyAV 18 copies such a layout without the list of its channels and frees that list twice, which aborts the
    process. Such layouts are rare (7 or 8 channels in MOV and CAF), and one is a few dozen bytes.
    """
    if "channels (" in layout.name:  # "8 channels (FL+FR+...)"; others are "7.1", "5.1(side)"
        ctypes.pythonapi.Py_IncRef(ctypes.py_object(layout))


def _is_absurd(stream: AudioStream) -> bool:
    if stream.codec_context is None:
        return False
    # A header may leave the rate open (0); the decoder knows it later.
    has_rate = not stream.rate or _MIN_SAMPLE_RATE_HZ <= stream.rate <= _MAX_SAMPLE_RATE_HZ
    return not has_rate or num_channels(stream) > _MAX_CHANNELS


def passed_over(container: InputContainer, path: Path) -> tuple[str, ...]:
    """Streams that come before the streams that are read, each with the reason why it is not read."""
    notes: list[str] = []
    if moving := moving_streams(container, path):
        chosen = _first_decoded(moving, path)
        for stream in _default_first([s for s in container.streams.video if not s.disposition & _STILLS]):
            if stream is chosen:
                break
            what = "a single frame" if stream not in moving else "of a codec without decoder"
            notes.append(f"video stream {stream.index} is {what}; stream {chosen.index} is read")
    if container.streams.audio:
        sound = audio_stream(container, path)
        for stream in _default_first(list(container.streams.audio)):
            if stream is sound:
                break
            what = "of a codec without decoder" if stream.codec_context is None else f"at {stream.rate} Hz"
            notes.append(f"audio stream {stream.index} is {what}; stream {sound.index} is read")
    return tuple(notes)


def check_streams(path: Path, *, with_sound: bool = True) -> None:
    """Refuse a file without video or, unless only frames are wanted, without sound. Nothing is decoded.

    Raises:
        UnreadableFileError: It is not a media file, or its codecs are unknown.
        NoVideoStreamError: It has no video.
        NoAudioStreamError: It has no sound.
    """
    with opened(path, decoders="none") as container:
        video_stream(container, path)
        if with_sound:
            audio_stream(container, path)


def _default_first(streams: list[_StreamT]) -> list[_StreamT]:
    return sorted(streams, key=lambda stream: not stream.disposition & Disposition.default)


def _first_decoded(streams: list[_StreamT], path: Path) -> _StreamT:
    found = next((stream for stream in streams if stream.codec_context is not None), None)
    if found is None:
        raise UnreadableFileError(
            f"{path}: FFmpeg has no decoder for stream {streams[0].index}. Convert the file."
        )
    return found


def declared_stop_seconds(container: InputContainer, stream: VideoStream | AudioStream) -> float | None:
    """End of a stream by its header; None where the header does not say so for this very stream."""
    zero = zero_seconds(container)
    if "mp4" in container.format.name and stream.duration and stream.time_base:
        return float(((stream.start_time or 0) + stream.duration) * stream.time_base) - zero
    if "matroska" in container.format.name:
        tag = re.fullmatch(r"(\d+):(\d\d):(\d\d(?:\.\d+)?)", stream.metadata.get("DURATION", ""))
        if tag:
            return int(tag[1]) * 3600 + int(tag[2]) * 60 + float(tag[3]) - zero
    return None


def check_complete(
    path: Path, kind: str, *, stop_seconds: float, declared_stop_seconds: float | None
) -> None:
    """Refuse a file whose data end before its header says.

    Numbers of frames in headers are not compared: those of good files are often wrong.

    Raises:
        DecodeError: More than half a second is missing.
    """
    if declared_stop_seconds is not None and stop_seconds < declared_stop_seconds - _MISSING_SECONDS:
        raise DecodeError(
            f"{path} promises {kind} up to {declared_stop_seconds:.2f} s but its data end at "
            f"{stop_seconds:.2f} s. It was cut off. Fetch it again, or remove it."
        )


def reason(error: Exception) -> str:
    """FFmpeg's description of an error."""
    return getattr(error, "strerror", None) or type(error).__name__
