"""Plates: the round pattern behind an object, which shows in every single frame whether it sounds.

A silent object stands on blades, like a fan's; a sounding one on rings, like waves around it. Both are grey
patterns of the same mean and the same contrast over what is visible of the plate, and both tremble all the
time. So neither brightness nor colour nor the amount of motion tells what sounds.

Shape letters: H W pixels, T frames.
"""

from typing import Final

import numpy as np
from numpy.typing import NDArray

from cavmae_sync.stage.scene import Rhythm

#: Radius of a plate as a share of the frame's side. It is the same for all objects.
PLATE_RADIUS: Final = 0.225
_NUM_BLADES: Final = 5
#: Distance from ring to ring, as a share of the radius.
_RING_DISTANCE: Final = 0.42
#: Steps of a cycle: a pattern is drawn once for each of them, not once for each frame.
_NUM_PHASES: Final = 24
_MEAN: Final = 132.0
_CONTRAST: Final = 66.0
_SHARPNESS: Final = 2.5


class Plate:
    """Plate of one object.

    Attributes:
        alpha_HW: float64 in [0, 1]; opacity of the plate, whose middle is the middle of the array.
    """

    def __init__(self, opacity_HW: NDArray[np.float64], pixels: int) -> None:
        """Make the plate of an object.

        Args:
            opacity_HW: Opacity of the object, whose middle is that of the plate. It hides a part of the
                plate, which must not count in its mean.
            pixels: Side of the frame.
        """
        radius = PLATE_RADIUS * pixels
        rows, columns = (max(side, _odd_like(side, 2 * radius + 2)) for side in opacity_HW.shape)
        down_HW, right_HW = np.mgrid[:rows, :columns]
        down_HW, right_HW = down_HW - (rows - 1) / 2, right_HW - (columns - 1) / 2
        self._distance_HW = np.hypot(down_HW, right_HW) / radius
        self._angle_HW = np.arctan2(down_HW, right_HW) / (2 * np.pi)
        self.alpha_HW = np.clip((1.0 - self._distance_HW) * radius + 0.5, 0.0, 1.0)
        hidden_HW = np.zeros((rows, columns))
        top, left = (rows - opacity_HW.shape[0]) // 2, (columns - opacity_HW.shape[1]) // 2
        hidden_HW[top : top + opacity_HW.shape[0], left : left + opacity_HW.shape[1]] = opacity_HW
        self._weight_HW = self.alpha_HW * (1.0 - hidden_HW)

    @staticmethod
    def phase_index(cycles: float) -> int:
        """Number of the pattern that is drawn when the motion is at `cycles`."""
        return round(cycles * _NUM_PHASES) % _NUM_PHASES

    def pattern(self, phase_index: int, *, is_sounding: bool) -> NDArray[np.float64]:
        """Grey values of the plate: (H, W) float64 in [0, 255].

        Args:
            phase_index: Where the motion of the pattern is.
            is_sounding: Rings if True, blades if False.
        """
        place_HW = self._distance_HW / _RING_DISTANCE if is_sounding else self._angle_HW * _NUM_BLADES
        wave_HW = np.tanh(_SHARPNESS * np.cos(2 * np.pi * (place_HW - phase_index / _NUM_PHASES)))
        total = max(self._weight_HW.sum(), 1e-9)
        centred_HW = wave_HW - (wave_HW * self._weight_HW).sum() / total
        deviation = np.sqrt((centred_HW**2 * self._weight_HW).sum() / total)
        return np.clip(_MEAN + _CONTRAST * centred_HW / max(deviation, 0.5), 0.0, 255.0)


def cycles(rhythm: Rhythm, num_frames: int) -> NDArray[np.float64]:
    """Where the motion of a pattern is in each frame, in cycles: (T,) float64.

    From frame to frame it moves by a quarter of a cycle, forth or back at random. So two frames of one
    pattern differ on average as much as a frame of blades and a frame of rings do, near or far in time.
    """
    steps_T = np.random.default_rng(rhythm.seed).choice((-0.25, 0.25), num_frames)
    return rhythm.phase + np.cumsum(steps_T)


def _odd_like(side: int, least: float) -> int:
    """Smallest whole number from `least` on that is odd or even as `side` is, so that middles agree."""
    number = int(np.ceil(least))
    return number + (number - side) % 2
