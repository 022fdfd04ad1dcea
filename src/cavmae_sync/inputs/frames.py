"""Frames of any size to square frames, and their normalisation.

Shapes: T frames, C = 3 colours (red, green, blue), H W pixels.
"""

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor

from cavmae_sync import paper
from cavmae_sync.inputs.arrays import as_tensor


def resize_and_crop(frames_THWC: NDArray[np.uint8] | Tensor, *, pixels: int) -> Tensor:
    """Resize the shorter side of each frame to `pixels` and cut out the middle square.

    Bicubic with antialiasing, width first, as the Pillow of the original did. (Pillow 13 resizes some high
    images height first: up to 24 grey levels apart on noise.) Against Pillow, 0.5 percent of values differ by
    one grey level and fewer than one in 50,000 by two. Integers in, integers out: on floating point the same
    call overshoots.

    Args:
        frames_THWC: uint8 frames of one size, on the CPU (torch has no such resize elsewhere).
        pixels: Side of the result.

    Returns:
        uint8 [T, pixels, pixels, C], contiguous.

    Source:
        Resize(pixels, bicubic), CenterCrop(pixels), with torchvision's rounding.
    """
    frames_THWC = checked_frames(frames_THWC)
    height, width = frames_THWC.shape[1:3]
    short = min(height, width)
    resized_THWC = resize(
        frames_THWC, height=pixels * height // short, width=pixels * width // short, mode="bicubic"
    )
    top, left = (round((side - pixels) / 2) for side in resized_THWC.shape[1:3])
    return resized_THWC[:, top : top + pixels, left : left + pixels].contiguous()


def resize(frames_THWC: Tensor, *, height: int, width: int, mode: str) -> Tensor:
    """Resize frames, antialiased, as Pillow does. `mode` is "bicubic" or "bilinear"."""
    if frames_THWC.shape[1:3] == (height, width):
        return frames_THWC
    # [T, H, W, C] seen as [T, C, H, W] *is* the channels-last layout, for which the fast kernel is written.
    frames_TCHW = frames_THWC.permute(0, 3, 1, 2)
    resized_TCHW = F.interpolate(frames_TCHW, size=(height, width), mode=mode, antialias=True)
    return resized_TCHW.permute(0, 2, 3, 1)


def normalize_frames(frames_THWC: NDArray[np.uint8] | Tensor) -> Tensor:
    """Convert uint8 frames to the model's scale, on their own device.

    Returns:
        float32 [T, C, H, W]: (x / 255 - mean) / std with the usual statistics of each colour. In memory the
        colours of a pixel stay side by side (`torch.channels_last`), from which patches are cut fast.
    """
    frames_THWC = checked_frames(frames_THWC)
    num_frames, height, width, colors = frames_THWC.shape
    rows_THX = frames_THWC.reshape(num_frames, height, width * colors).to(torch.float32)
    # Statistics of a whole row: over a last axis of three colours, each operation is slow.
    mean_X, std_X = (values.flatten().repeat(width) for values in _statistics(rows_THX))
    rows_THX.div_(255).sub_(mean_X).div_(std_X)
    return rows_THX.view(num_frames, height, width, colors).permute(0, 3, 1, 2)


def denormalize_frames(frames_TCHW: Tensor) -> Tensor:
    """Inverse of `normalize_frames`, for figures: uint8 [T, H, W, C], rounded and clamped."""
    mean_CHW, std_CHW = _statistics(frames_TCHW)
    levels_TCHW = (frames_TCHW.to(torch.float32) * std_CHW + mean_CHW) * 255
    return levels_TCHW.round().clamp(0, 255).to(torch.uint8).permute(0, 2, 3, 1).contiguous()


def checked_frames(frames_THWC: NDArray[np.uint8] | Tensor) -> Tensor:
    """Check that frames are uint8 [T, H, W, 3] with at least one pixel, and give them as a tensor."""
    frames_THWC = as_tensor(frames_THWC)
    if frames_THWC.dtype != torch.uint8:
        raise TypeError(f"Frames must be uint8, 0 to 255, but got {frames_THWC.dtype}.")
    if frames_THWC.ndim != 4 or frames_THWC.shape[3] != 3 or 0 in frames_THWC.shape:
        raise ValueError(
            f"Frames need the shape [frames, height, width, 3], but got {tuple(frames_THWC.shape)}."
        )
    return frames_THWC


def _statistics(like: Tensor) -> tuple[Tensor, Tensor]:
    # Filled on the device: with `torch.tensor` the numbers would be copied there, and the copy waited for.
    mean, std = (
        torch.cat([torch.full((1, 1, 1), value, dtype=torch.float32, device=like.device) for value in values])
        for values in (paper.RGB_MEAN, paper.RGB_STD)
    )
    return mean, std
