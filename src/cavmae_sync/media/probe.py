"""What a file holds, from its header: streams, length, rate, rotation."""

import os
from dataclasses import dataclass
from pathlib import Path

from cavmae_sync.media import container as files
from cavmae_sync.media import decode


@dataclass(frozen=True, kw_only=True, slots=True)
class VideoInfo:
    """A moving picture. Width and height are as stored; it is turned, then mirrored, to stand upright."""

    codec: str
    width: int
    height: int
    frames_per_second: float | None
    rotation_degrees: int
    is_mirrored: bool
    start_seconds: float


@dataclass(frozen=True, kw_only=True, slots=True)
class AudioInfo:
    """A sound track."""

    codec: str
    sample_rate_hz: int
    num_channels: int
    start_seconds: float


@dataclass(frozen=True, kw_only=True, slots=True)
class MediaInfo:
    """What a file says it holds.

    Attributes:
        container: FFmpeg's name of the container format.
        start_seconds: Time stamp at which the container begins. All other times count from it.
        duration_seconds: Length by the header; None where it has none.
        video: The moving picture that is read (the default one, else the first); a cover is not one.
        num_video_streams: Moving pictures in the file.
        audio: Sound tracks of known codecs; the default one, else the first, is read.
        passed_over: Streams that would have been read had they been readable, each with its reason.
    """

    container: str
    start_seconds: float
    duration_seconds: float | None
    video: VideoInfo | None
    num_video_streams: int
    audio: tuple[AudioInfo, ...]
    passed_over: tuple[str, ...] = ()


def probe(path: str | os.PathLike[str]) -> MediaInfo:
    """Streams and length of a file. Decodes one picture at most: FFmpeg tells the rotation only with one.

    Raises:
        UnreadableFileError: Missing, a folder, empty, or not a media file.
        DecodeError: It has a moving picture, of which the first cannot be decoded.
    """
    file = Path(path)
    with files.opened(file) as container:
        zero = files.zero_seconds(container)
        moving = files.moving_streams(container, file)
        return MediaInfo(
            container=container.format.name,
            start_seconds=zero,
            duration_seconds=None if container.duration is None else container.duration / 1e6,
            video=_video_info(file, files.video_stream(container, file), zero) if moving else None,
            num_video_streams=len(moving),
            audio=tuple(_audio_info(s, zero) for s in container.streams.audio if s.codec_context is not None),
            passed_over=files.passed_over(container, file),
        )


def passed_over(path: str | os.PathLike[str]) -> tuple[str, ...]:
    """Streams that come before those that are read and cannot be read themselves, each with its reason.

    Raises:
        MediaError: The file cannot be opened, or nothing in it can be read.
    """
    file = Path(path)
    with files.opened(file, decoders="none") as container:
        return files.passed_over(container, file)


def _video_info(path: Path, stream: files.VideoStream, zero: float) -> VideoInfo:
    orientation = decode.first_orientation(path)
    return VideoInfo(
        codec=stream.codec_context.name,
        width=stream.width,
        height=stream.height,
        frames_per_second=float(stream.average_rate) if stream.average_rate else None,
        rotation_degrees=orientation.rotation_degrees,
        is_mirrored=orientation.is_mirrored,
        start_seconds=files.stream_start_seconds(stream, zero),
    )


def _audio_info(stream: files.AudioStream, zero: float) -> AudioInfo:
    return AudioInfo(
        codec=stream.codec_context.name,
        sample_rate_hz=stream.rate,
        num_channels=files.num_channels(stream),
        start_seconds=files.stream_start_seconds(stream, zero),
    )
