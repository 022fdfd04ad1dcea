"""Sprites: objects ready to paste onto a frame, in the looks that the variants give them.

Shape letters: H W pixels, C channels.
"""

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageFilter

from cavmae_sync.stage.plates import Plate

_NUM_LEVELS: Final = 12  # of loudness: a sprite is drawn once for each level, not once for each frame
_QUIET_SCALE: Final = 0.82
_QUIET_BRIGHTNESS: Final = 0.62
_GLOW: Final = 0.8
_MARGIN: Final = 0.2


@dataclass(frozen=True, kw_only=True, slots=True)
class Sprite:
    """An object ready to paste.

    Attributes:
        colour_HWC: uint16; colour times opacity.
        remainder_HW1: uint16 in [0, 256]; share of what is behind that remains.
        mask_HW: Pixels that count as the object.
        area: Number of those pixels.
    """

    colour_HWC: NDArray[np.uint16]
    remainder_HW1: NDArray[np.uint16]
    mask_HW: NDArray[np.bool_]
    area: int


def make_sprite(
    colour_HWC: NDArray[np.float64], remainder_HW: NDArray[np.float64], mask_HW: NDArray[np.bool_]
) -> Sprite:
    """Make a sprite from colours times opacity, in [0, 255], and the share that remains, in [0, 1]."""
    return Sprite(
        colour_HWC=np.round(colour_HWC).astype(np.uint16),
        remainder_HW1=np.round(256 * remainder_HW).astype(np.uint16)[..., None],
        mask_HW=mask_HW,
        area=int(mask_HW.sum()),
    )


def paste(
    sprite: Sprite,
    frame_HWC: NDArray[np.uint8],
    object_map_HW: NDArray[np.uint8],
    is_backdrop_HW: NDArray[np.bool_],
    *,
    center: NDArray[np.float64],
    number: int,
) -> None:
    """Paste a sprite onto a frame and its number onto the map, in place; parts outside are cut off.

    Pixels that it changes in any way are no longer background.
    """
    height, width = sprite.mask_HW.shape
    left, top = round(float(center[0]) - width / 2), round(float(center[1]) - height / 2)
    rows = slice(max(top, 0), max(min(top + height, frame_HWC.shape[0]), 0))
    columns = slice(max(left, 0), max(min(left + width, frame_HWC.shape[1]), 0))
    if rows.start >= rows.stop or columns.start >= columns.stop:
        return
    part = (slice(rows.start - top, rows.stop - top), slice(columns.start - left, columns.stop - left))
    behind = frame_HWC[rows, columns].astype(np.uint16) * sprite.remainder_HW1[part] >> 8
    frame_HWC[rows, columns] = np.minimum(behind + sprite.colour_HWC[part], 255)
    object_map_HW[rows, columns][sprite.mask_HW[part]] = number
    is_backdrop_HW[rows, columns] &= sprite.remainder_HW1[part][..., 0] == 256


class PulsingSprites:
    """Sprites of one object at every loudness it needs, each drawn when first asked for."""

    def __init__(self, rgba: NDArray[np.uint8], longest_side: float, *, has_pulse: bool) -> None:
        margin = round(_MARGIN * max(rgba.shape[:2]))
        self.rgba = np.pad(rgba, ((margin, margin), (margin, margin), (0, 0)))
        self.longest_side = longest_side * max(self.rgba.shape[:2]) / max(rgba.shape[:2])
        self.has_pulse = has_pulse
        self._sprites: dict[int, Sprite] = {}

    def at(self, loudness: float) -> Sprite:
        """Sprite at a loudness; 1 and more is the largest and brightest."""
        # The square root makes soft sounds visible and keeps an object lit between two hits.
        level = round(min(loudness, 1.0) ** 0.5 * _NUM_LEVELS) if self.has_pulse else _NUM_LEVELS
        if level not in self._sprites:
            self._sprites[level] = self._draw(level / _NUM_LEVELS)
        return self._sprites[level]

    def _draw(self, level: float) -> Sprite:
        scale = (_QUIET_SCALE + (1 - _QUIET_SCALE) * level) * self.longest_side / max(self.rgba.shape[:2])
        resized = _resize(self.rgba, scale)
        alpha = resized.getchannel("A")
        opaque_HW = np.asarray(alpha, np.float64) / 255
        brightness = _QUIET_BRIGHTNESS + (1 - _QUIET_BRIGHTNESS) * level
        colour_HWC = np.asarray(resized, np.float64)[..., :3] * opaque_HW[..., None] * brightness
        glow_HW = (1 - opaque_HW) * self._glow(alpha) * level * self.has_pulse
        return make_sprite(
            colour_HWC + 255 * glow_HW[..., None], 1 - opaque_HW - glow_HW, np.asarray(alpha) > 127
        )

    def _glow(self, alpha: Image.Image) -> NDArray[np.float64]:
        radius = 0.055 * max(alpha.size)
        blurred = np.asarray(alpha.filter(ImageFilter.GaussianBlur(radius)), np.float64) / 255
        return _GLOW * np.clip(blurred * 2.2, 0.0, 1.0)


class PlateSprites:
    """Sprites of one object on its plate, each drawn when first asked for. The plate counts as the object."""

    def __init__(self, rgba: NDArray[np.uint8], *, frame_pixels: int) -> None:
        """Prepare an object.

        Args:
            rgba: Its image as large as it shall appear.
            frame_pixels: Side of the frame.
        """
        straight = rgba.astype(np.float64)
        opacity_HW = straight[..., 3] / 255
        self._plate = Plate(opacity_HW, frame_pixels)
        rows, columns = self._plate.alpha_HW.shape
        top, left = (rows - straight.shape[0]) // 2, (columns - straight.shape[1]) // 2
        edges = ((top, rows - straight.shape[0] - top), (left, columns - straight.shape[1] - left))
        opacity_HW = np.pad(opacity_HW, edges) * (1.0 - self._plate.rim_HW)
        self._colour_HWC = np.pad(straight[..., :3], (*edges, (0, 0))) * opacity_HW[..., None]
        self._see_through_HW = 1.0 - opacity_HW
        self._remainder_HW = self._see_through_HW * (1.0 - self._plate.alpha_HW)
        self._mask_HW = self._remainder_HW < 0.5
        self._sprites: dict[tuple[bool, int, int], Sprite] = {}

    def at(self, cycles: float, lean: int, *, is_sounding: bool) -> Sprite:
        """Sprite when the motion of its disc is at `cycles` and `lean`; the disc shows what sounds."""
        key = is_sounding, self._plate.phase_index(cycles), lean
        if key not in self._sprites:
            seen_HW = self._plate.alpha_HW * self._see_through_HW
            grey_HWC = self._colour_HWC + (self._plate.grey(key[1]) * seen_HW)[..., None]
            colour_HWC = np.clip(grey_HWC + self._plate.tint(lean, is_sounding=is_sounding), 0.0, 255.0)
            self._sprites[key] = make_sprite(colour_HWC, self._remainder_HW, self._mask_HW)
        return self._sprites[key]


def scaled(rgba: NDArray[np.uint8], longest_side: float) -> NDArray[np.uint8]:
    """Image whose longest side has about this many pixels: (H, W, 4) uint8."""
    return np.asarray(_resize(rgba, longest_side / max(rgba.shape[:2])))


def _resize(rgba: NDArray[np.uint8], scale: float) -> Image.Image:
    height, width = (max(1, round(side * scale)) for side in rgba.shape[:2])
    return Image.fromarray(rgba).resize((width, height), Image.Resampling.BILINEAR)
