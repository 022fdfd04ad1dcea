"""Random changes to the frame of one pair. Every draw comes from the generator given.

Shapes: H W pixels, C = 3 colours.
"""

import math

import torch
from torch import Tensor

from cavmae_sync import paper
from cavmae_sync.inputs.frames import checked_frames, resize


def random_resized_crop(frame_HWC: Tensor, *, pixels: int, generator: torch.Generator) -> Tensor:
    """Random part of a frame, 8 to 100 percent of its area and nearly square, resized to a square.

    Ten draws are tried. Where none fits inside the frame (it is very long or very high), the largest middle
    part of an allowed shape is taken.

    Args:
        frame_HWC: uint8, any size.
        pixels: Side of the result.
        generator: Source of the draws.

    Returns:
        uint8 [pixels, pixels, C], bilinear with antialiasing.

    Source:
        RandomResizedCrop(224, scale=(0.08, 1), ratio=(0.9, 1.1)).
    """
    frame_HWC = checked_frames(frame_HWC[None])[0]
    top, left, height, width = _random_box(frame_HWC.shape[0], frame_HWC.shape[1], generator)
    part_THWC = frame_HWC[None, top : top + height, left : left + width]
    return resize(part_THWC, height=pixels, width=pixels, mode="bilinear")[0].contiguous()


def random_flip(frame_HWC: Tensor, *, probability: float, generator: torch.Generator) -> Tensor:
    """Mirror the frame left to right with the given probability. The sound is mono, so it stays as it is."""
    draw = float(torch.rand((), generator=generator, device=generator.device))
    return frame_HWC.flip(1) if draw < probability else frame_HWC


def _random_box(height: int, width: int, generator: torch.Generator) -> tuple[int, int, int, int]:
    low, high = (math.log(ratio) for ratio in paper.CROP_RATIO)
    smallest, largest = paper.CROP_AREA
    for _ in range(10):
        u, v, x, y = torch.rand(4, generator=generator, device=generator.device, dtype=torch.float64).tolist()
        area = height * width * (smallest + u * (largest - smallest))
        ratio = math.exp(low + v * (high - low))
        box_width, box_height = round(math.sqrt(area * ratio)), round(math.sqrt(area / ratio))
        if 0 < box_width <= width and 0 < box_height <= height:
            top, left = int(x * (height - box_height + 1)), int(y * (width - box_width + 1))
            return top, left, box_height, box_width
    return _middle_box(height, width)


def _middle_box(height: int, width: int) -> tuple[int, int, int, int]:
    narrowest, widest = paper.CROP_RATIO
    box_height = min(height, max(1, round(width / narrowest)))
    box_width = min(width, max(1, round(height * widest)))
    return (height - box_height) // 2, (width - box_width) // 2, box_height, box_width
