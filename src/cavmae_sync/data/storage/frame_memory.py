"""Decoded frames that stay in memory, up to a limit: a JPEG that is read again need not be decoded again.

H W pixels, C channels.
"""

import numpy as np
from numpy.typing import NDArray

#: Row of a clip in the table of all clips, and the frame of the clip.
_Place = tuple[int, int]


class FrameMemory:
    """Frames by their place. When the limit is reached, those that are there stay and no others come.

    Nothing is exchanged for newer ones: training draws all frames equally often, so one is as useful as
    another.

    Args:
        max_bytes: Limit of the pixels that are kept.
    """

    def __init__(self, max_bytes: int) -> None:
        self._bytes_left = max_bytes
        self._frames: dict[_Place, NDArray[np.uint8]] = {}

    def get(self, place: _Place) -> NDArray[np.uint8] | None:
        """The frame, uint8 `[H, W, C]`, read-only; None if it is not kept."""
        return self._frames.get(place)

    def keep(self, place: _Place, frame_HWC: NDArray[np.uint8]) -> None:
        """Keep a copy of a frame if there is room for it."""
        if frame_HWC.nbytes > self._bytes_left:
            return
        self._bytes_left -= frame_HWC.nbytes
        kept_HWC = frame_HWC.copy()
        kept_HWC.flags.writeable = False
        self._frames[place] = kept_HWC
