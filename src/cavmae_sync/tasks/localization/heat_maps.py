"""Where in a picture a sound belongs: the cosine of one sound with every patch.

Letters: P pairs of a sound and a frame, N patches in reading order, D width, H W patches or pixels.
"""

from torch import Tensor
from torch.nn import functional as F


def heat_maps(audio_PD: Tensor, patches_PND: Tensor, *, grid: tuple[int, int]) -> Tensor:
    """Cosine of each sound with every patch of its frame.

    Args:
        audio_PD: Unit rows, one sound per frame; or means of unit rows, which give the mean of their maps.
        patches_PND: Unit rows in reading order (`VisualEmbedding.patches_PND`).
        grid: Patches from top to bottom and from left to right (`ModelConfig.visual_grid`).

    Returns:
        float32 [P, H, W] in [-1, 1], one value per patch.

    Raises:
        ValueError: Shapes disagree.

    Source:
        Spec 4.5: the global audio token with every visual patch token.
    """
    num_pairs, num_patches, width = patches_PND.shape
    if audio_PD.shape != (num_pairs, width) or grid[0] * grid[1] != num_patches:
        raise ValueError(
            "Heat maps need one sound per frame and a grid of all patches, got "
            f"{tuple(audio_PD.shape)} "
            f"sounds, {tuple(patches_PND.shape)} patches and a grid of {grid[0]} x {grid[1]}."
        )
    return (patches_PND @ audio_PD[:, :, None])[:, :, 0].unflatten(1, grid)


def upscaled(maps_PHW: Tensor, *, height: int, width: int) -> Tensor:
    """Maps at another size, [P, height, width], bilinear between the middles of patches.

    Source:
        Spec 4.5: bilinear, align_corners=False.
    """
    if maps_PHW.shape[1:] == (height, width):
        return maps_PHW
    return F.interpolate(maps_PHW[:, None], size=(height, width), mode="bilinear", align_corners=False)[:, 0]
