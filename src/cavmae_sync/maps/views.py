"""Views: which patches of an input are shown while the others are hidden.

V views, K patches that each shows, N patches of the grid, B blocks.

    grid 4 x 4, blocks 2 x 2, half of them shown      view 0    view 1
                                                      # # . .   . . # #
    Both views come from one random order of the      # # . .   . . # #
    blocks, cut into groups: every block is shown     . . # #   # # . .
    once before one is shown again.                   . . # #   # # . .
"""

from dataclasses import dataclass

import torch
from torch import Tensor


@dataclass(frozen=True, kw_only=True, slots=True)
class Views:
    """Views of a grid of patches.

    Attributes:
        shown_VK: int64, indices of the patches that each view shows, rising.
        num_patches: Patches of the grid.
    """

    shown_VK: Tensor
    num_patches: int

    def is_shown(self) -> Tensor:
        """Whether each view shows each patch, bool [V, N]."""
        is_shown_VN = torch.zeros(len(self.shown_VK), self.num_patches, dtype=torch.bool)
        return is_shown_VN.scatter(1, self.shown_VK, value=True)


def draw_views(
    grid: tuple[int, int], *, block: tuple[int, int], num_views: int, ratio: float, seed: int
) -> Views:
    """Views that hide a share of the blocks of a grid, each block as often as the others, as far as it goes.

    Blocks larger than a patch begin at another place in every random order, and go on at the opposite border.
    So they tell single patches apart, too.

    Args:
        grid: Rows and columns of patches.
        block: Rows and columns of a block; they divide those of the grid.
        num_views: Number of views.
        ratio: Share of the blocks that a view hides, in (0, 1); at least one block is shown, at least one
            hidden.
        seed: Seed of the random orders.

    Raises:
        ValueError: Blocks do not fill the grid, or there is only one block.
    """
    down, across = grid[0] // block[0], grid[1] // block[1]
    num_blocks = down * across
    if (down * block[0], across * block[1]) != grid or num_blocks < 2:
        raise ValueError(
            f"Views need at least two blocks that fill the grid, got blocks of {block[0]} x {block[1]} in a "
            f"grid of {grid[0]} x {grid[1]} patches."
        )
    num_shown = min(max(1, round(num_blocks * (1 - ratio))), num_blocks - 1)
    generator = torch.Generator().manual_seed(seed)
    number_HW = torch.arange(grid[0] * grid[1]).view(grid)
    shown: list[Tensor] = []
    while len(shown) < num_views:
        shifts = [int(torch.randint(side, (1,), generator=generator)) for side in block]
        moved_HW = number_HW.roll(shifts, (0, 1))
        blocks_BK = moved_HW.view(down, block[0], across, block[1]).transpose(1, 2).reshape(num_blocks, -1)
        order_B = torch.randperm(num_blocks, generator=generator)
        groups = order_B[: num_blocks // num_shown * num_shown].view(-1, num_shown)
        shown += [blocks_BK[group].flatten().sort().values for group in groups]
    return Views(shown_VK=torch.stack(shown[:num_views]), num_patches=number_HW.numel())
