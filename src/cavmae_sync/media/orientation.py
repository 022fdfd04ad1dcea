"""Orientation of video frames, from the display matrix that cameras write.

Shapes: H W pixels, C channels (RGB).
"""

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from av.sidedata.sidedata import Type
from av.video.frame import VideoFrame
from numpy.typing import NDArray


@dataclass(frozen=True, kw_only=True, slots=True)
class Orientation:
    """One of the eight ways in which a frame can be stored.

    Attributes:
        rotation_degrees: Counter-clockwise turn that makes it upright: 0, 90, 180 or 270.
        is_mirrored: Left and right are exchanged after the turn.
    """

    rotation_degrees: int = 0
    is_mirrored: bool = False


def frame_orientation(frame: VideoFrame) -> Orientation:
    """Orientation by the frame's display matrix; a slanted matrix gives the nearest of the eight.

    Source:
        libavutil/display.h: nine int32; (x, y), y downwards, goes to (a x + c y, b x + d y).
    """
    side_data: Any = frame.side_data
    stored = side_data.get(Type.DISPLAYMATRIX)
    if stored is None:
        return Orientation()
    a, b, _, c, d = np.frombuffer(bytes(stored), np.int32, count=5).tolist()
    is_mirrored = a * d - b * c < 0
    if is_mirrored:
        a, c = -a, -c  # undo the mirror, so that the rest is a plain turn
    degrees = math.degrees(math.atan2(c - b, a + d))
    return Orientation(rotation_degrees=round(degrees / 90) * 90 % 360, is_mirrored=is_mirrored)


def upright(stored_HWC: NDArray[np.uint8], orientation: Orientation) -> NDArray[np.uint8]:
    """Turn and mirror a stored frame to the way players show it."""
    turned_HWC = np.rot90(stored_HWC, k=orientation.rotation_degrees // 90)
    return turned_HWC[:, ::-1] if orientation.is_mirrored else turned_HWC
