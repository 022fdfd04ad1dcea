"""Encoding the picture of a cut: H.264 with little loss, in the colours and the depth of its source."""

from fractions import Fraction
from pathlib import Path
from typing import Any, Final

from av.container import OutputContainer
from av.filter import Graph
from av.video.frame import VideoFrame
from av.video.reformatter import VideoReformatter
from av.video.stream import VideoStream

from cavmae_sync.media.container import opened, video_stream
from cavmae_sync.media.continuity import AnyPacket
from cavmae_sync.media.orientation import Orientation
from cavmae_sync.media.video_frames import first_orientation

# Little loss that the eye does not see. No B-frames: the first frame is at time 0 without an edit list.
_OPTIONS: Final = {"preset": "veryfast", "crf": "14", "bf": "0"}
#: Steps of a second in which frames of a varying rate have their times.
_TIME_BASE: Final = Fraction(1, 90_000)
#: Pixels that the encoder takes as they are.
_KEPT_PIXELS: Final = frozenset(
    f"yuv{kind}{depth}" for kind in ("420p", "422p", "444p") for depth in ("", "10le")
) | {"yuvj420p", "yuvj422p", "yuvj444p"}
_OTHER_PIXELS: Final = "yuv420p"
#: Filters that turn a frame upright, by the turn counter-clockwise.
_TURNS: Final = {0: (), 90: (("transpose", "cclock"),), 180: (("hflip", ""), ("vflip", "")),
                 270: (("transpose", "clock"),)}  # fmt: skip


class PictureEncoder:
    """Encoder of the frames of a cut.

    Attributes:
        stream: Stream that they go into.
    """

    def __init__(self, stream: VideoStream, orientation: Orientation, pixels: str) -> None:
        self.stream = stream
        self._orientation = orientation
        self._pixels = pixels
        self._graph: Graph | None = None
        self._reformatter = VideoReformatter()

    def encode(self, frame: VideoFrame, at: Fraction) -> list[AnyPacket]:
        """Packets of a frame that is shown at a time of the cut, in seconds."""
        upright = self._upright(frame)
        made = self._reformatter.reformat(
            upright, width=self.stream.width, height=self.stream.height, format=self._pixels, threads=1
        )
        base = self.stream.codec_context.time_base or _TIME_BASE
        made.pts, made.time_base = round(at / base), base
        made.pict_type = 0
        return list(self.stream.encode(made))

    def finish(self) -> list[AnyPacket]:
        """Packets of what the encoder holds back."""
        return list(self.stream.encode(None))

    def _upright(self, frame: VideoFrame) -> VideoFrame:
        turns = _TURNS[self._orientation.rotation_degrees]
        steps = (*turns, ("hflip", "")) if self._orientation.is_mirrored else turns
        if not steps:
            return frame
        if self._graph is None:
            graph = Graph()
            nodes: list[Any] = [
                graph.add_buffer(
                    width=frame.width, height=frame.height, format=frame.format, time_base=_TIME_BASE
                )
            ]
            nodes += [graph.add(name, words or None) for name, words in steps]
            nodes.append(graph.add("buffersink"))
            graph.link_nodes(*nodes).configure()
            self._graph = graph
        frame.pts, frame.time_base = None, _TIME_BASE
        self._graph.push(frame)
        turned = self._graph.pull()
        assert isinstance(turned, VideoFrame)
        return turned


def add_picture(container: OutputContainer, path: Path, *, rate: Fraction) -> PictureEncoder:
    """Add a stream for the picture of a file, upright.

    Args:
        container: Container that is written.
        path: The file.
        rate: Frames per second, exact.
    """
    orientation = first_orientation(path)
    with opened(path) as source:
        stored = video_stream(source, path)
        context = stored.codec_context
        pixels = context.pix_fmt if context.pix_fmt in _KEPT_PIXELS else _OTHER_PIXELS
        stream = container.add_stream("libx264", rate=rate, options=dict(_OPTIONS))
        width, height = stored.width, stored.height
        aspect = stored.sample_aspect_ratio
        if orientation.rotation_degrees in (90, 270):
            width, height = height, width
            aspect = 1 / aspect if aspect else aspect
        # This encoder takes even sizes only.
        stream.width, stream.height = max(width // 2 * 2, 2), max(height // 2 * 2, 2)
        stream.pix_fmt = pixels
        made = stream.codec_context
        for name in ("color_primaries", "color_trc", "colorspace", "color_range"):
            setattr(made, name, getattr(context, name))
        if aspect:
            made.sample_aspect_ratio = aspect
    return PictureEncoder(stream, orientation, pixels)
