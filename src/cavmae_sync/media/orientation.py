"""How a picture must be turned and mirrored to stand upright, from its display matrix.

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
    """One of the eight ways in which a picture can be stored.

    Attributes:
        rotation_degrees: How far it is turned counter-clockwise to stand upright: 0, 90, 180 or 270.
        is_mirrored: Left and right are exchanged after that.
    """

    rotation_degrees: int = 0
    is_mirrored: bool = False


def orientation_of(frame: VideoFrame) -> Orientation:
    """Orientation by the frame's display matrix; the nearest of the eight where it is slanted.

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
        a, c = -a, -c  # what is left to turn when left and right are exchanged last
    degrees = math.degrees(math.atan2(c - b, a + d))
    return Orientation(rotation_degrees=round(degrees / 90) * 90 % 360, is_mirrored=is_mirrored)


def upright(stored_HWC: NDArray[np.uint8], orientation: Orientation) -> NDArray[np.uint8]:
    """The picture as players show it."""
    turned_HWC = np.rot90(stored_HWC, k=orientation.rotation_degrees // 90)
    return turned_HWC[:, ::-1] if orientation.is_mirrored else turned_HWC
