"""Exposure: the background is made lighter or darker until the mean colour of the frame is what it shall be.

So the mean colour of every frame of a shot is the same, whatever stands on the stage and whatever sounds.

Shape letters: H W pixels, N pixels in one row, C channels.
"""

from typing import Final

import numpy as np
from numpy.typing import NDArray

_MEAN_LEVEL: Final = (108.0, 124.0)
_TINT: Final = 5.0


class Exposure:
    """Background of a shot and the mean colour of all its frames.

    Attributes:
        backdrop_HWC: uint8; the background as it was in the latest frame.
    """

    def __init__(
        self, backdrop_HWC: NDArray[np.uint8], *, generator: np.random.Generator, is_levelled: bool
    ) -> None:
        """Choose the mean colour.

        Args:
            backdrop_HWC: The background before any frame.
            generator: Source of the mean colour. It knows nothing of the objects.
            is_levelled: False to leave everything as it is.
        """
        self.backdrop_HWC = backdrop_HWC
        self._is_levelled = is_levelled
        self._mean_C = generator.uniform(*_MEAN_LEVEL) + generator.uniform(-_TINT, _TINT, 3)
        # Whole numbers cannot meet a mean exactly; spread over the pixels at random, they do.
        dither_N1 = generator.random((backdrop_HWC[..., 0].size, 1), dtype=np.float32)
        self._exact_NC = backdrop_HWC.reshape(-1, 3).astype(np.float32) + dither_N1

    def level(self, frame_HWC: NDArray[np.uint8], *, is_backdrop_HW: NDArray[np.bool_]) -> None:
        """Give a frame the mean colour, in place, by its pixels that show nothing but background."""
        if not self._is_levelled or not is_backdrop_HW.any():
            return
        weight_N = is_backdrop_HW.reshape(-1).astype(np.float32)
        num_pixels = float(weight_N.sum())
        others_C = (1 - weight_N) @ frame_HWC.reshape(-1, 3).astype(np.float32)
        missing_C = self._mean_C * is_backdrop_HW.size - others_C
        shift_C = (missing_C - weight_N @ self._exact_NC) / num_pixels + 0.5
        levelled_NC = np.clip(self._exact_NC + shift_C.astype(np.float32), 0, 255).astype(np.uint8)
        self.backdrop_HWC = levelled_NC.reshape(frame_HWC.shape)
        np.copyto(frame_HWC, self.backdrop_HWC, where=is_backdrop_HW[..., None])
