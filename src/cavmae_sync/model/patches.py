"""Images to patches and back, for frames and for spectrogram segments alike.

P (clip, frame) pairs, C channels, H W pixels, L spectrogram frames, M mel bins, N patches, D width,
X values of a patch (16 * 16 * C).
"""

import math

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from cavmae_sync.paper import PATCH_SIZE


def segment_image(segments_PLM: Tensor) -> Tensor:
    """Segments as one-channel images `[P, 1, M, L]`: frequency down, time across."""
    return segments_PLM.transpose(1, 2).unsqueeze(1)


def patchify(images_PCHW: Tensor) -> Tensor:
    """Cut images into patches, row by row.

    Returns:
        `[P, N, X]`; a patch's values are ordered row in patch, column in patch, channel (fastest).

    Source:
        Code: CAV-MAE, `patchify`. The order matters: official weights predict values in it.
    """
    num_images, channels, height, width = images_PCHW.shape
    rows, columns = height // PATCH_SIZE, width // PATCH_SIZE
    grid = images_PCHW.reshape(num_images, channels, rows, PATCH_SIZE, columns, PATCH_SIZE)
    return grid.permute(0, 2, 4, 3, 5, 1).reshape(num_images, rows * columns, -1)


def unpatchify(patches_PNX: Tensor, *, grid: tuple[int, int]) -> Tensor:
    """Inverse of `patchify`: images `[P, C, H, W]` from patches of a (rows, columns) grid."""
    rows, columns = grid
    num_images, channels = len(patches_PNX), patches_PNX.shape[-1] // PATCH_SIZE**2
    blocks = patches_PNX.reshape(num_images, rows, columns, PATCH_SIZE, PATCH_SIZE, channels)
    return blocks.permute(0, 5, 1, 3, 2, 4).reshape(
        num_images, channels, rows * PATCH_SIZE, columns * PATCH_SIZE
    )


class PatchEmbedding(nn.Module):
    """Linear map of each 16 x 16 patch, written as a convolution as in the weights files of ViTs."""

    def __init__(self, *, channels: int, width: int) -> None:
        super().__init__()
        self.proj = nn.Conv2d(channels, width, kernel_size=PATCH_SIZE, stride=PATCH_SIZE)

    def forward(self, images_PCHW: Tensor) -> Tensor:
        """Tokens `[P, N, D]` of the patches, row by row."""
        return self.proj(images_PCHW).flatten(2).transpose(1, 2)

    def of_patches(self, patches_PKX: Tensor) -> Tensor:
        """Tokens `[P, K, D]` of some of the patches that `patchify` cut."""
        filters_DX = self.proj.weight.permute(0, 2, 3, 1).flatten(1)  # values in the order of `patchify`
        return F.linear(patches_PKX, filters_DX, self.proj.bias)

    @torch.no_grad()
    def initialize(self, *, generator: torch.Generator | None) -> None:
        """Set weights Xavier-uniform over the flattened filters, the bias as torch does; as published."""
        fan_in = self.proj.weight[0].numel()
        nn.init.xavier_uniform_(self.proj.weight.view(len(self.proj.weight), fan_in), generator=generator)
        bound = 1 / math.sqrt(fan_in)
        assert self.proj.bias is not None
        self.proj.bias.uniform_(-bound, bound, generator=generator)
