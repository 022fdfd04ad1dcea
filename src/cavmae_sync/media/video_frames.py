"""Frames of a video and their times, from FFmpeg.

Every time is in seconds on the file's timeline, where 0 is the container's start, as players show it.

Data before the first key frame cannot be decoded by anybody and are left out. After it, a packet that does
not decode is an error.

Shapes: H W pixels, C channels (RGB).
"""

import heapq
from collections.abc import Generator, Iterator
from dataclasses import dataclass
from itertools import chain, islice
from pathlib import Path

import av
import numpy as np
from av.video.frame import VideoFrame
from av.video.reformatter import ColorRange, Interpolation, VideoReformatter
from numpy.typing import NDArray

from cavmae_sync.errors import DecodeError
from cavmae_sync.media.container import MAX_ASPECT, MAX_PIXELS, opened, video_stream
from cavmae_sync.media.continuity import LEAP_SECONDS, AnyPacket
from cavmae_sync.media.decode import damaged, decode_packets
from cavmae_sync.media.orientation import Orientation, frame_orientation, upright
from cavmae_sync.media.packets import Packets, open_packets

_NUM_HEAD = 32  # packets that show whether frames are stored out of order: codecs move one by 16 at most
# Parsers of program streams fill in stamps, and joins of recordings overlap. Both step back a little and are
# harmless: the frame is shown at once. A longer step is a file whose parts do not belong together.
_STEP_BACK_SECONDS = 0.5


@dataclass(frozen=True, kw_only=True, slots=True)
class FrameTime:
    """Time a frame is on screen, known without decoding it."""

    seconds: float
    stop_seconds: float


@dataclass(frozen=True, kw_only=True, slots=True)
class DecodedFrame:
    """A decoded frame, still in the codec's colours."""

    seconds: float
    av_frame: VideoFrame


def frame_times(path: Path, *, from_seconds: float) -> Generator[FrameTime]:
    """Times of all frames, in file order (not in time order), without decoding.

    Begins at a key frame, at or before `from_seconds` where the file has one.

    Raises:
        DecodeError: A packet has no time, or the stream ends long before its header says.
    """
    with open_packets(path, "video") as packets:
        rate = packets.declared_rate
        period = float(1 / rate) if rate else 0.0
        period = period if period < LEAP_SECONDS else 0.0  # from wrong stamps FFmpeg guesses an absurd rate
        stop = 0.0
        for packet in packets.read(from_seconds=from_seconds):
            if packet.is_discard:
                continue
            seconds = _require_time(packets.seconds_of(packet), path)
            held = packets.length_of(packet)
            stop = max(stop, seconds + (held if 0 < held < LEAP_SECONDS else period))
            yield FrameTime(seconds=seconds, stop_seconds=stop)
        packets.check_complete("video", stop_seconds=stop)


def decode_frames(path: Path, *, from_seconds: float) -> Generator[DecodedFrame]:
    """Decoded frames in time order, beginning at or before `from_seconds` where the file does.

    Raises:
        DecodeError: A packet does not decode, or a frame has no time or goes back in time.
    """
    with opened(path) as container, open_packets(path, "video") as packets:
        decoder = video_stream(container, path).codec_context
        decoder.options = {"max_pixels": str(MAX_PIXELS)}
        # Callers read many files in parallel processes, which fill the cores better than threads do: ten
        # seconds of 720p took 592 ms with one thread, 453 ms with one per core.
        decoder.thread_count = 1
        shown = _ShowingTimes(packets, num_held_back=decoder.reorder_depth)
        first: float | None = None
        last = -float("inf")
        noted = shown.noted(packets.read(from_seconds=from_seconds))
        for frame in decode_packets(decoder, noted, packets):
            seconds = _require_time(shown.of(frame), path)
            if last - _STEP_BACK_SECONDS < seconds < last:
                seconds = last
            if seconds < last:
                raise DecodeError(
                    f"{path}: the time of its frames goes back from {last:.3f} to {seconds:.3f} s. "
                    "It was joined from several files: encode it again, or remove it."
                )
            last = seconds
            first = seconds if first is None else first
            # After a seek, frames that depend on frames before the key frame come out broken; none is used.
            if frame.is_corrupt and (seconds >= from_seconds or first <= 0.0):
                raise damaged(path, "video frame", seconds)
            yield DecodedFrame(seconds=seconds, av_frame=frame)


class _ShowingTimes:
    """Times at which decoded frames are shown.

    A decoder gives frames in the order in which they are shown. Where stamps tell only when a frame is
    decoded (AVI, ASF), the first frame shown therefore takes the first stamp, the second the second, and so
    on. FFmpeg's command line shows such frames 40 or 80 ms late instead (docs/results.md, "clicks and
    flashes").
    """

    def __init__(self, packets: Packets, *, num_held_back: int) -> None:
        self._packets = packets
        self._num_held_back = num_held_back
        self._num_sent = 0
        self._begins_inside = False
        self._stamps: list[float] | None = None if packets.has_showing_times else []

    def noted(self, packets: Iterator[AnyPacket]) -> Iterator[AnyPacket]:
        """The same packets, while their stamps are noted."""
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
        """Time the next decoded frame is shown, on the file's timeline."""
        if self._stamps is None:
            return self._packets.seconds_of_frame(frame)
        if self._begins_inside:
            self._begins_inside = False
            # Inside a file, a decoder drops frames that depend on frames before the key frame; their stamps
            # must go with them, or all later frames stand early (by three frames in AVI with open groups).
            for _ in range(self._num_sent - 1 - self._num_held_back):
                heapq.heappop(self._stamps)
        return heapq.heappop(self._stamps) if self._stamps else None


def _is_shown_out_of_order(path: Path, head: list[AnyPacket]) -> bool:
    """Whether the stamps of the first frames, in the order in which they are shown, go back."""
    with opened(path) as container:
        decoder = video_stream(container, path).codec_context
        try:
            stamps = [frame.pts for packet in [*head, None] for frame in decoder.decode(packet)]
        except av.FFmpegError:
            return False  # the caller meets the same damage and reports it
    known = [stamp for stamp in stamps if stamp is not None]
    return known != sorted(known)


def to_rgb(frame: DecodedFrame, *, path: Path, reformatter: VideoReformatter) -> NDArray[np.uint8]:
    """Convert a frame to RGB, upright, as players show it.

    Matrix and range come from the frame's own tags; depth is cut to 8 bits. High dynamic range is *not* tone
    mapped (such frames look flat), pixels that are not square stay as stored, and interlaced frames keep both
    fields: the preparation of the original did the same.

    Args:
        frame: The frame.
        path: Its file, for messages.
        reformatter: One for all frames of a video.

    Returns:
        uint8 [H, W, C].

    Raises:
        DecodeError: The frame cannot be converted, or is too long for its width.
    """
    try:
        rgb = reformatter.reformat(
            frame.av_frame,
            format="rgb24",
            interpolation=Interpolation.BICUBIC,
            dst_color_range=ColorRange.JPEG,
            threads=1,
        )
    except (av.FFmpegError, ValueError) as error:
        raise damaged(path, "video frame", frame.seconds) from error
    long, short = max(rgb.width, rgb.height), min(rgb.width, rgb.height)
    if long > MAX_ASPECT * short:
        raise DecodeError(
            f"{path} has frames of {rgb.width} x {rgb.height} pixels; at most {MAX_ASPECT} to 1 are read. "
            "Crop the video, or remove the file."
        )
    return upright(rgb.to_ndarray().astype(np.uint8, copy=False), frame_orientation(frame.av_frame))


def first_orientation(path: Path) -> Orientation:
    """Orientation of the first frame.

    Raises:
        DecodeError: No frame decodes.
    """
    first = next(decode_frames(path, from_seconds=0.0), None)
    if first is None:
        raise DecodeError(f"{path} has a video stream without a frame. Remove it.")
    return frame_orientation(first.av_frame)


def _require_time(seconds: float | None, path: Path) -> float:
    if seconds is None:
        raise DecodeError(
            f"{path} has frames without times, so they cannot be matched with the sound. Convert it."
        )
    return seconds
