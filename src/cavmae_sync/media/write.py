"""Writer of MP4 files, from frames and sound, that every player and browser opens.

Shapes: T frames, H W pixels, C channels (RGB), S samples.
"""

import os
from collections.abc import Iterable, Iterator
from fractions import Fraction
from itertools import chain
from pathlib import Path

import av
import numpy as np
from av.audio.stream import AudioStream
from av.container import OutputContainer
from av.video.reformatter import ColorRange, Colorspace, VideoReformatter
from av.video.stream import VideoStream
from numpy.typing import NDArray

from cavmae_sync.atomic import written_whole
from cavmae_sync.media.clip import check_array
from cavmae_sync.paper import SAMPLE_RATE_HZ

# One thread: callers write many clips in parallel processes. No B-frames ("bf"): the first frame is at time 0
# without an edit list. A key frame every 48 keeps seeking in a browser quick.
_H264_OPTIONS = {"preset": "ultrafast", "crf": "18", "threads": "1", "bf": "0", "g": "48"}
# The default search of this encoder takes three times as long for the same error.
_AAC_OPTIONS = {"aac_coder": "fast"}
_AAC_BITS_PER_SECOND = 64_000
_BT709 = 1  # in H.264's tables: primaries, transfer and matrix of BT.709
_LIMITED_RANGE = 1


def write_video(
    path: str | os.PathLike[str],
    frames_THWC: NDArray[np.uint8] | Iterable[NDArray[np.uint8]],
    *,
    frames_per_second: float | Fraction,
    waveform_S: NDArray[np.float32],
    sample_rate_hz: int = SAMPLE_RATE_HZ,
) -> None:
    """Write an H.264 (yuv420p, BT.709) and AAC file whose sound is in step with its frames.

    The first frame and the first sample are at time 0 when read back: the encoder's priming samples are
    taken off by the file's edit list. The file appears complete or not at all: it is written under another
    name in the same folder and renamed.

    Args:
        path: File to write, replaced if it exists.
        frames_THWC: RGB frames, uint8, of one even size. An iterable is consumed one at a time.
        frames_per_second: Constant rate.
        waveform_S: Mono sound, float32 in [-1, 1]. It need not be as long as the video.
        sample_rate_hz: Samples per second; a rate of AAC (8000 to 96000).

    Raises:
        ValueError: There is no frame, frames have odd or different sizes, or a dtype or range is wrong.
    """
    rate = Fraction(frames_per_second).limit_denominator(1001)  # keeps 30000/1001 exact
    if rate <= 0:
        raise ValueError(f"frames_per_second must be positive, got {frames_per_second}")
    check_array("waveform_S", waveform_S, num_axes=1, dtype=np.float32)
    if waveform_S.size == 0 or not np.abs(waveform_S).max() <= 1.0:
        raise ValueError("waveform_S must have samples, all finite and in [-1, 1]")
    frames = iter(frames_THWC)
    first_HWC = next(frames, None)
    if first_HWC is None:
        raise ValueError("a video needs one frame at least, got none")
    _check_frame(first_HWC, first_HWC.shape)
    with (
        written_whole(Path(path)) as part,
        av.open(str(part), "w", format="mp4", options={"movflags": "faststart"}) as container,
    ):
        video = add_video(container, rate, first_HWC)
        audio = add_sound(container, sample_rate_hz)
        _write_streams(container, video, audio, chain([first_HWC], frames), waveform_S)


def add_sound(container: OutputContainer, sample_rate_hz: int) -> AudioStream:
    """A stream of mono AAC."""
    audio = container.add_stream("aac", rate=sample_rate_hz, layout="mono", options=dict(_AAC_OPTIONS))
    audio.bit_rate = _AAC_BITS_PER_SECOND
    return audio


def add_video(container: OutputContainer, rate: Fraction, frame_HWC: NDArray[np.uint8]) -> VideoStream:
    """A stream of H.264 for frames of the size of one."""
    video = container.add_stream("libx264", rate=rate, options=dict(_H264_OPTIONS))
    video.height, video.width = frame_HWC.shape[:2]
    video.pix_fmt = "yuv420p"
    context = video.codec_context
    context.color_primaries = context.color_trc = context.colorspace = _BT709
    context.color_range = _LIMITED_RANGE
    return video


def _write_streams(
    container: OutputContainer,
    video: VideoStream,
    audio: AudioStream,
    frames: Iterator[NDArray[np.uint8]],
    waveform_S: NDArray[np.float32],
) -> None:
    """Interleave video and audio, so that the muxer never holds more than one frame of either."""
    rate = Fraction(video.average_rate or 1)
    num_written = 0
    shape: tuple[int, ...] | None = None
    for index, frame_HWC in enumerate(frames):
        shape = shape or frame_HWC.shape
        _check_frame(frame_HWC, shape)
        encode_frame(container, video, frame_HWC, pts=index, time_base=1 / rate)
        stop = min(int((index + 1) * audio.rate / rate), waveform_S.size)
        encode_sound(container, audio, waveform_S[num_written:stop], num_written)
        num_written = stop
    encode_sound(container, audio, waveform_S[num_written:], num_written)
    container.mux(video.encode(None))
    container.mux(audio.encode(None))


def encode_frame(
    container: OutputContainer,
    video: VideoStream,
    frame_HWC: NDArray[np.uint8],
    *,
    pts: int,
    time_base: Fraction,
) -> None:
    """Encode an RGB frame for a time."""
    frame = av.VideoFrame.from_ndarray(np.ascontiguousarray(frame_HWC), format="rgb24")
    frame = VideoReformatter().reformat(
        frame,
        format="yuv420p",
        dst_colorspace=Colorspace.ITU709,
        dst_color_range=ColorRange.MPEG,
        threads=1,
    )
    frame.pts, frame.time_base = pts, time_base
    container.mux(video.encode(frame))


def encode_sound(
    container: OutputContainer, audio: AudioStream, samples_S: NDArray[np.float32], start: int
) -> None:
    """Encode samples that begin at one of the stream's; none is nothing to do."""
    if samples_S.size == 0:
        return
    frame = av.AudioFrame.from_ndarray(np.ascontiguousarray(samples_S)[None], format="fltp", layout="mono")
    frame.sample_rate = audio.rate
    frame.pts, frame.time_base = start, Fraction(1, audio.rate)
    container.mux(audio.encode(frame))


def _check_frame(frame_HWC: NDArray[np.uint8], shape: tuple[int, ...]) -> None:
    check_array("a frame", frame_HWC, num_axes=3, dtype=np.uint8)
    height, width, channels = frame_HWC.shape
    if channels != 3 or height % 2 or width % 2 or height == 0 or width == 0:
        raise ValueError(f"a frame must be RGB with even height and width (yuv420p), got {frame_HWC.shape}")
    if frame_HWC.shape != shape:
        raise ValueError(f"all frames must have the size of the first, {shape}, got {frame_HWC.shape}")
