"""Maps as products of a sound with every patch, and maps at another size.

P pairs of a sound and a frame, H W patches or pixels, D width, N patches in reading order.
"""

from collections.abc import Mapping
from typing import Final

import numpy as np
from torch import Tensor
from torch.nn import functional as F

from cavmae_sync.choices import MapRule

#: Least range of values that colours cover, so that the noise of a constant map gets no colours.
_LEAST_SPAN: Final[Mapping[MapRule, float]] = {
    "cosine": 0.2,
    "denseav": 0.2,
    "masking": 0.02,
    "attention": 0.02,
}
#: Quantile of the last colour: what one value in 500 exceeds.
_LAST_COLOUR: Final = 0.998


def localization_maps(audio_PD: Tensor, patches_PND: Tensor, *, grid: tuple[int, int]) -> Tensor:
    """Product of each sound with every patch of its frame.

    Args:
        audio_PD: One vector of a sound per frame (unit rows for cosines), or a mean of such vectors, which
            gives the mean of their maps.
        patches_PND: Vectors of patches in reading order (`patch_vectors`).
        grid: Patches from top to bottom and from left to right (`ModelConfig.visual_grid`).

    Returns:
        float32 [P, H, W], one value per patch; cosines in [-1, 1] where all rows have length 1.

    Raises:
        ValueError: Shapes disagree.

    Source:
        Paper, sound-prompted segmentation: the global audio token with every visual patch token.
    """
    num_pairs, num_patches, width = patches_PND.shape
    if audio_PD.shape != (num_pairs, width) or grid[0] * grid[1] != num_patches:
        raise ValueError(
            "Localisation maps need one sound per frame and a grid of all patches, got "
            f"{tuple(audio_PD.shape)} sounds, {tuple(patches_PND.shape)} patches and a grid of {grid[0]} x "
            f"{grid[1]}."
        )
    return (patches_PND @ audio_PD[:, :, None])[:, :, 0].unflatten(1, grid)


def resized_maps(maps_PHW: Tensor, *, height: int, width: int) -> Tensor:
    """Maps at another size, [P, height, width], interpolated between the centres of patches.

    Source:
        DenseAV's protocol: bilinear, align_corners=False.
    """
    if maps_PHW.shape[1:] == (height, width):
        return maps_PHW
    return F.interpolate(maps_PHW[:, None], size=(height, width), mode="bilinear", align_corners=False)[:, 0]


def colour_scale(maps_PHW: Tensor, rule: MapRule) -> tuple[float, float]:
    """Values of the first and the last colour of several maps: the median, and what one value in 500 exceeds.

    The last is at least 0.2 above the first (0.02 by masking and attention, whose values are smaller).
    """
    values = maps_PHW.flatten().float()
    low = float(np.median(values.numpy()))
    return low, max(float(np.quantile(values.numpy(), _LAST_COLOUR)), low + _LEAST_SPAN[rule])
