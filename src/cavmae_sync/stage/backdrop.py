"""Background behind the objects: muted colours, different in each clip.

Shape letters: H W pixels, C channels.
"""

import colorsys

import numpy as np
from numpy.typing import NDArray
from PIL import Image


def draw_backdrop(pixels: int, *, generator: np.random.Generator) -> NDArray[np.uint8]:
    """Draw a background: (H, W, C) uint8 of dull, rather dark colours, so that objects stand out.

    It is a slanted gradient between two colours with soft blotches and, in two of three clips, a floor or
    tiles.
    """
    upper, lower = (_dull_colour(generator) for _ in range(2))
    axis = np.linspace(0.0, 1.0, pixels)
    angle = float(generator.uniform(0, 2 * np.pi))
    slope_HW = 0.5 + 0.5 * (np.cos(angle) * (axis[:, None] - 0.5) + np.sin(angle) * (axis[None, :] - 0.5))
    backdrop_HWC = upper + (lower - upper) * slope_HW[..., None]
    backdrop_HWC += 26.0 * _blotches(pixels, generator)[..., None]
    pattern = int(generator.integers(3))
    if pattern == 1:
        horizon = float(generator.uniform(0.55, 0.8))
        backdrop_HWC[axis > horizon] = 0.72 * backdrop_HWC[axis > horizon] + 14.0
    elif pattern == 2:
        cells = (axis * int(generator.integers(4, 9))).astype(int)
        backdrop_HWC *= np.where((cells[:, None] + cells[None, :]) % 2, 1.0, 0.86)[..., None]
    return np.clip(backdrop_HWC, 0, 255).astype(np.uint8)


def draw_post(pixels: int, *, width: float, generator: np.random.Generator) -> NDArray[np.uint8]:
    """Draw a post that hides what is behind it: (H, W, C) uint8, as high as the frame, of dull stripes.

    Args:
        pixels: Side of the frame.
        width: Width of the post as a share of it.
        generator: Source of its colours.
    """
    colours = np.stack([_dull_colour(generator) for _ in range(3)])
    num_columns = max(round(width * pixels), 1)
    stripe_W = (np.arange(num_columns) * 7 // num_columns) % len(colours)
    return np.repeat(colours[stripe_W][None], pixels, axis=0).astype(np.uint8)


def _dull_colour(generator: np.random.Generator) -> NDArray[np.float64]:
    hue, saturation, value = generator.uniform((0.0, 0.1, 0.22), (1.0, 0.4, 0.55))
    return 255.0 * np.asarray(colorsys.hsv_to_rgb(hue, saturation, value))


def _blotches(pixels: int, generator: np.random.Generator) -> NDArray[np.float64]:
    coarse = generator.uniform(-1.0, 1.0, (7, 7)).astype(np.float32)
    return np.asarray(Image.fromarray(coarse).resize((pixels, pixels), Image.Resampling.BICUBIC), np.float64)
