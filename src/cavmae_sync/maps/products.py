"""Maps as products of a sound with every patch, and maps at another size.

P pairs of a sound and a frame, H W patches or pixels, D width, N patches in reading order.
"""

from torch import Tensor
from torch.nn import functional as F


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
