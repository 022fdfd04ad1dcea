"""Contents of a media file, by its header: streams, length, rate, rotation."""

import os
from dataclasses import dataclass
from pathlib import Path

from cavmae_sync.media import container as media_container
from cavmae_sync.media.video_frames import first_orientation


@dataclass(frozen=True, kw_only=True, slots=True)
class VideoInfo:
    """A video stream. Width and height are as stored; frames are turned, then mirrored, to stand upright."""

    codec: str
    width: int
    height: int
    frames_per_second: float | None
    rotation_degrees: int
    is_mirrored: bool
    start_seconds: float


@dataclass(frozen=True, kw_only=True, slots=True)
class AudioInfo:
    """An audio stream."""

    codec: str
    sample_rate_hz: int
    num_channels: int
    start_seconds: float


@dataclass(frozen=True, kw_only=True, slots=True)
class MediaInfo:
    """Contents of a media file, by its header.

    Attributes:
        container: FFmpeg's name of the container format.
        start_seconds: Time stamp at which the container begins. All other times count from it.
        duration_seconds: Length by the header; None where it has none.
        video: The video stream that is read (the default one, else the first); a cover image is not one.
        num_video_streams: Video streams in the file.
        audio: Audio streams of known codecs; the default one, else the first, is read.
        passed_over: Streams that would have been read if they were readable, each with the reason.
    """

    container: str
    start_seconds: float
    duration_seconds: float | None
    video: VideoInfo | None
    num_video_streams: int
    audio: tuple[AudioInfo, ...]
    passed_over: tuple[str, ...] = ()


def probe(path: str | os.PathLike[str]) -> MediaInfo:
    """Read the streams and the length of a file.

    One frame at most is decoded: FFmpeg gives the rotation only with a frame.

    Raises:
        UnreadableFileError: The file is missing, a folder, empty, or not a media file.
        DecodeError: The first frame of its video cannot be decoded.
    """
    file = Path(path)
    with media_container.opened(file) as container:
        zero = media_container.zero_seconds(container)
        moving = media_container.moving_streams(container, file)
        return MediaInfo(
            container=container.format.name,
            start_seconds=zero,
            duration_seconds=None if container.duration is None else container.duration / 1e6,
            video=_video_info(file, media_container.video_stream(container, file), zero) if moving else None,
            num_video_streams=len(moving),
            audio=tuple(_audio_info(s, zero) for s in container.streams.audio if s.codec_context is not None),
            passed_over=media_container.passed_over(container, file),
        )


def passed_over(path: str | os.PathLike[str]) -> tuple[str, ...]:
    """Streams that come before the streams that are read and cannot be read themselves, each with the reason.

    Raises:
        MediaError: The file cannot be opened, or nothing in it can be read.
    """
    file = Path(path)
    with media_container.opened(file, decoders="none") as container:
        return media_container.passed_over(container, file)


def _video_info(path: Path, stream: media_container.VideoStream, zero: float) -> VideoInfo:
    orientation = first_orientation(path)
    return VideoInfo(
        codec=stream.codec_context.name,
        width=stream.width,
        height=stream.height,
        frames_per_second=float(stream.average_rate) if stream.average_rate else None,
        rotation_degrees=orientation.rotation_degrees,
        is_mirrored=orientation.is_mirrored,
        start_seconds=media_container.stream_start_seconds(stream, zero),
    )


def _audio_info(stream: media_container.AudioStream, zero: float) -> AudioInfo:
    return AudioInfo(
        codec=stream.codec_context.name,
        sample_rate_hz=stream.rate,
        num_channels=media_container.num_channels(stream),
        start_seconds=media_container.stream_start_seconds(stream, zero),
    )
