"""Plates: a disc behind each object and a rim in front of it, which shows in every frame whether it sounds.

The rim of a sounding object is warm above and cool below, as if lit from above; that of a silent one is cool
above and warm below. Its mean colour is grey in both, and exactly one is turned at any time, so neither
brightness nor colour tells the moment. All plates tremble alike: the grey blades of their discs turn, and
warm and cool lean to one side or the other at random. So the amount of motion tells little too.

Two earlier looks failed. Grey rings for sounding and grey blades for silent objects give nothing away, but a
small model hardly learned them in 760 steps. Discs that were warm above behind the objects gave the size
away: a large object hides more of its disc, so how much is warm above told how large the sounding object is,
which is heard as its pitch. A linear fit found 14 of 100 clips by that. A rim in front is the same for all
objects.

Shape letters: H W pixels, C colours, T frames.
"""

from typing import Final

import numpy as np
from numpy.typing import NDArray

from cavmae_sync.stage.scene import Rhythm

#: Radius of a plate as a share of the frame's side. It is the same for all objects.
PLATE_RADIUS: Final = 0.225
_NUM_BLADES: Final = 5
#: Steps of a cycle of the blades: a disc is drawn once for each of them, not once for each frame.
_NUM_PHASES: Final = 24
_MEAN: Final = 132.0
#: Standard deviation of the grey of the blades.
_CONTRAST: Final = 36.0
_SHARPNESS: Final = 2.5
#: Inner radius of the rim, as a share of the outer one.
_RIM: Final = 0.76
#: Red minus mean, or mean minus blue, where the rim is warm above and below, and to its sides.
_WARMTH: Final = 82.0
_LEAN: Final = 30.0
#: Width of the change from warm to cool, as a share of the radius.
_SOFTNESS: Final = 0.12


class Plate:
    """Plate of one object.

    Attributes:
        alpha_HW: float64 in [0, 1]; opacity of the plate, whose middle is the middle of the array.
        rim_HW: float64 in [0, 1]; opacity of the rim, which is in front of the object.
    """

    def __init__(self, opacity_HW: NDArray[np.float64], pixels: int) -> None:
        """Make the plate of an object.

        Args:
            opacity_HW: Opacity of the object, whose middle is that of the plate. It hides a part of the
                disc, which must not count in its mean.
            pixels: Side of the frame.
        """
        radius = PLATE_RADIUS * pixels
        rows, columns = (max(side, _odd_like(side, 2 * radius + 2)) for side in opacity_HW.shape)
        down_HW, right_HW = np.mgrid[:rows, :columns]
        down_HW, right_HW = down_HW - (rows - 1) / 2, right_HW - (columns - 1) / 2
        self._angle_HW = np.arctan2(down_HW, right_HW) / (2 * np.pi)
        self._above_HW, self._aside_HW = (
            np.clip(place_HW / (_SOFTNESS * radius), -1.0, 1.0) for place_HW in (-down_HW, right_HW)
        )
        distance_HW = np.hypot(down_HW, right_HW)
        self.alpha_HW = np.clip(radius - distance_HW + 0.5, 0.0, 1.0)
        self.rim_HW = np.minimum(self.alpha_HW, np.clip(distance_HW - _RIM * radius + 0.5, 0.0, 1.0))
        hidden_HW = np.zeros((rows, columns))
        top, left = (rows - opacity_HW.shape[0]) // 2, (columns - opacity_HW.shape[1]) // 2
        hidden_HW[top : top + opacity_HW.shape[0], left : left + opacity_HW.shape[1]] = opacity_HW
        self._weight_HW = (self.alpha_HW - self.rim_HW) * (1.0 - hidden_HW)

    @staticmethod
    def phase_index(cycles: float) -> int:
        """Number of the pattern that is drawn when the motion is at `cycles`."""
        return round(cycles * _NUM_PHASES) % _NUM_PHASES

    def grey(self, phase_index: int) -> NDArray[np.float64]:
        """Grey of the disc and of the rim: (H, W) float64 in [0, 255].

        Args:
            phase_index: Where the motion of the blades is.
        """
        place_HW = self._angle_HW * _NUM_BLADES - phase_index / _NUM_PHASES
        wave_HW = np.tanh(_SHARPNESS * np.cos(2 * np.pi * place_HW))
        wave_HW = wave_HW - (wave_HW * self._weight_HW).sum() / max(self._weight_HW.sum(), 1e-9)
        deviation = np.sqrt((wave_HW**2 * self._weight_HW).sum() / max(self._weight_HW.sum(), 1e-9))
        return np.clip(_MEAN + _CONTRAST * wave_HW / max(deviation, 0.5) * (1.0 - self.rim_HW), 0.0, 255.0)

    def tint(self, lean: int, *, is_sounding: bool) -> NDArray[np.float64]:
        """Colour to add to the grey of the rim: (H, W, C) float64, the same for all objects.

        Args:
            lean: Side to which warm and cool lean, -1 or 1.
            is_sounding: Warm above if True, cool above if False.
        """
        state = 1.0 if is_sounding else -1.0
        warmth_HW = (_WARMTH * state * self._above_HW + _LEAN * lean * self._aside_HW) * self.rim_HW
        return np.stack([warmth_HW, np.zeros_like(warmth_HW), -warmth_HW], axis=-1)


def motion(rhythm: Rhythm, num_frames: int) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    """Motion of a disc: where its blades are in each frame, in cycles, and the side it leans to, -1 or 1.

    From frame to frame blades move by a quarter of a cycle, forth or back at random, and the side is drawn
    anew. So frames near in time differ as much as frames far apart.
    """
    generator = np.random.default_rng(rhythm.seed)
    steps_T = generator.choice((-0.25, 0.25), num_frames)
    return rhythm.phase + np.cumsum(steps_T), generator.choice((-1, 1), num_frames)


def _odd_like(side: int, least: float) -> int:
    """Smallest whole number from `least` on that is odd or even as `side` is, so that middles agree."""
    number = int(np.ceil(least))
    return number + (number - side) % 2
