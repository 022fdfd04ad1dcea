"""Small copies of files that browsers do not play, with the same times of frames.

Shapes: H W pixels, C channels (RGB), S samples.
"""

import os
from collections.abc import Callable, Generator, Iterator
from contextlib import ExitStack, closing
from fractions import Fraction
from pathlib import Path
from typing import Final

import av
import numpy as np
from av.audio.stream import AudioStream
from av.container import OutputContainer
from av.video.reformatter import VideoReformatter
from numpy.typing import NDArray
from PIL import Image

from cavmae_sync.atomic import written_whole
from cavmae_sync.media.container import as_decode_errors, check_streams, opened, video_stream
from cavmae_sync.media.probe import MediaInfo, probe
from cavmae_sync.media.sound_track import SoundTrack
from cavmae_sync.media.video_frames import decode_frames, frame_times, to_rgb
from cavmae_sync.media.write import add_sound, add_video, encode_frame, encode_sound

#: Longer side of a proxy's frames, pixels.
PROXY_PIXELS: Final = 640
_SAMPLE_RATE_HZ: Final = 48_000
_BLOCK_SECONDS: Final = 10.0
#: Steps of a second in which frames have their times: rates of cinema and television are whole there.
_TIME_BASE: Final = Fraction(1, 90_000)
_NOMINAL_RATE: Final = Fraction(30)

#: What browsers of today play, by FFmpeg's names: containers, and codecs in them.
_CONTAINERS: Final = frozenset({"mov", "mp4", "webm", "ogg", "mp3", "wav", "flac"})
_VIDEO_CODECS: Final = frozenset({"h264", "vp8", "vp9", "av1"})
_AUDIO_CODECS: Final = frozenset({"aac", "mp3", "opus", "vorbis", "flac", "pcm_s16le", "pcm_u8"})


class StoppedError(Exception):
    """Writing was asked to stop."""


def plays_in_browsers(path: str | os.PathLike[str]) -> bool:
    """Whether browsers play a file as it is: its container and its codecs are among the usual ones.

    Raises:
        MediaError: The file cannot be read.
    """
    info = probe(path)
    names = set(info.container.split(","))
    is_matroska = "matroska" in names and Path(path).suffix.lower() != ".webm"
    has_video = info.video is None or (info.video.codec in _VIDEO_CODECS and _has_usual_pixels(Path(path)))
    has_audio = not info.audio or info.audio[0].codec in _AUDIO_CODECS
    return bool(names & _CONTAINERS) and not is_matroska and has_video and has_audio


def _has_usual_pixels(path: Path) -> bool:
    """Whether H.264 has the only kind of pixels that browsers decode; of other codecs they decode all."""
    with opened(path) as container:
        context = video_stream(container, path).codec_context
        return context.name != "h264" or context.pix_fmt in ("yuv420p", "yuvj420p")


def write_proxy(
    path: str | os.PathLike[str],
    out: str | os.PathLike[str],
    *,
    on_progress: Callable[[float], None] | None = None,
    should_stop: Callable[[], bool] = bool,
) -> None:
    """Write a small MP4 (H.264 and AAC) of a file, upright, each frame at its own time.

    Memory does not grow with the file. It appears complete or not at all.

    Args:
        path: Video or sound file.
        out: File to write, .mp4.
        on_progress: Called with the share that is done, in [0, 1].
        should_stop: Asked for each frame.

    Raises:
        MediaError: The file cannot be read to its end.
        StoppedError: `should_stop` said so; nothing is left.
    """
    source = Path(path)
    info = probe(source)
    if info.video is not None:
        check_streams(source, with_sound=False)
        for _ in frame_times(source, from_seconds=0.0):  # a file that is cut off is known before work is done
            pass
    with (
        written_whole(Path(out)) as part,
        as_decode_errors(source),
        av.open(str(part), "w", format="mp4", options={"movflags": "faststart"}) as container,
        ExitStack() as stack,
    ):
        frames: Iterator[tuple[float, NDArray[np.uint8]]] = iter(())
        if info.video is not None:
            frames = stack.enter_context(closing(_small_frames(source)))
        first = next(frames, None)
        video = None if first is None else add_video(container, _NOMINAL_RATE, first[1])
        if video is not None:
            video.codec_context.time_base = _TIME_BASE
        sound = _Sound(container, source, stack) if info.audio else None
        if first is not None and video is not None:
            for seconds, frame_HWC in _chained(first, frames):
                if should_stop():
                    raise StoppedError
                encode_frame(
                    container, video, frame_HWC, pts=round(seconds / _TIME_BASE), time_base=_TIME_BASE
                )
                if sound is not None:
                    sound.write_until(seconds)
                _tell(on_progress, info, seconds)
            container.mux(video.encode(None))
        if sound is not None:
            sound.write_rest(lambda seconds: _tell(on_progress, info, seconds), should_stop)


def _chained(
    first: tuple[float, NDArray[np.uint8]], others: Iterator[tuple[float, NDArray[np.uint8]]]
) -> Iterator[tuple[float, NDArray[np.uint8]]]:
    """Frames without those that are shown for no time: players do not show them either."""
    waiting = first
    for other in others:
        if round(other[0] / _TIME_BASE) > round(waiting[0] / _TIME_BASE):
            yield waiting
        waiting = other
    yield waiting


def _small_frames(path: Path) -> Generator[tuple[float, NDArray[np.uint8]]]:
    """Frames with their times, upright, of the size of the first."""
    reformatter = VideoReformatter()
    size: tuple[int, int] | None = None
    with closing(decode_frames(path, from_seconds=0.0)) as frames:
        for frame in frames:
            if frame.seconds < 0:
                continue
            frame_HWC = to_rgb(frame, path=path, reformatter=reformatter)
            if size is None:
                height, width = frame_HWC.shape[:2]
                scale = min(1.0, PROXY_PIXELS / max(height, width))
                size = _even(width * scale), _even(height * scale)
            small = Image.fromarray(frame_HWC).resize(size, Image.Resampling.BILINEAR, reducing_gap=2.0)
            yield frame.seconds, np.asarray(small)


def _even(pixels: float) -> int:
    return max(2, 2 * round(pixels / 2))


def _tell(on_progress: Callable[[float], None] | None, info: MediaInfo, seconds: float) -> None:
    if on_progress is not None and info.duration_seconds:
        on_progress(min(max(seconds / info.duration_seconds, 0.0), 1.0))


class _Sound:
    """Sound of the file, written in blocks beside the frames."""

    def __init__(self, container: OutputContainer, path: Path, stack: ExitStack) -> None:
        self._container = container
        self._stream: AudioStream = add_sound(container, _SAMPLE_RATE_HZ)
        track = SoundTrack(path, from_seconds=0.0, channel="mix", sample_rate_hz=_SAMPLE_RATE_HZ)
        self._track = stack.enter_context(closing(track))
        self._num_written = 0
        self._is_over = False

    def write_until(self, seconds: float) -> None:
        """Write blocks that begin before a time."""
        while not self._is_over and self._num_written / _SAMPLE_RATE_HZ <= seconds:
            self._write_block()

    def write_rest(self, tell: Callable[[float], None], should_stop: Callable[[], bool]) -> None:
        """Write what is left."""
        while not self._is_over:
            if should_stop():
                raise StoppedError
            self._write_block()
            tell(self._num_written / _SAMPLE_RATE_HZ)
        self._container.mux(self._stream.encode(None))

    def _write_block(self) -> None:
        size = round(_BLOCK_SECONDS * _SAMPLE_RATE_HZ)
        block_S = self._track.take(start_seconds=self._num_written / _SAMPLE_RATE_HZ, num_samples=size)
        end = self._track.stop_seconds
        if end is not None and end * _SAMPLE_RATE_HZ <= self._num_written + size:
            self._is_over = True
            block_S = block_S[: max(round(end * _SAMPLE_RATE_HZ) - self._num_written, 0)]
        encode_sound(self._container, self._stream, block_S, self._num_written)
        self._num_written += len(block_S)
