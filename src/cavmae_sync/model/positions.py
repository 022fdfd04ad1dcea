"""Fixed 2-D sine-cosine positions of a grid of patches."""

import math

import torch
from torch import Tensor, nn


def sine_cosine_positions(width: int, grid: tuple[int, int]) -> Tensor:
    """Position codes of a grid, row by row.

    The first half of a code is the column, the second half the row; each half is `[sin, cos]` over
    frequencies `10000 ** (-k / (width / 4))`. For audio, columns are time.

    Args:
        width: Width of a code, a multiple of 4.
        grid: (rows, columns).

    Returns:
        Float32 `[rows * columns, width]`, in [-1, 1].

    Source:
        Code: CAV-MAE, `get_2d_sincos_pos_embed`. Computed in float64, as there, then rounded.
    """
    rows, columns = grid
    frequency = 10000.0 ** (-torch.arange(width // 4, dtype=torch.float64) / (width // 4))
    row_index, column_index = torch.meshgrid(
        torch.arange(rows, dtype=torch.float64), torch.arange(columns, dtype=torch.float64), indexing="ij"
    )
    column_angle = column_index.flatten()[:, None] * frequency
    row_angle = row_index.flatten()[:, None] * frequency
    return torch.cat(
        [column_angle.sin(), column_angle.cos(), row_angle.sin(), row_angle.cos()], dim=1
    ).float()


def has_shapes_only() -> bool:
    """Whether modules that are built now get shapes and no numbers, because torch's meta device is set.

    Nothing is computed or drawn then: `arange` and `normal_` on that device would import 800 modules of
    torch, which takes more than a second.
    """
    return torch.get_default_device().type == "meta"


def add_positions(module: nn.Module, name: str, *, width: int, grid: tuple[int, int], learned: bool) -> None:
    """Give a module a position table.

    Args:
        module: Gets an attribute `name`.
        name: Of the table.
        width: Width of a code.
        grid: (rows, columns).
        learned: Whether the table is a weight. Else it is a buffer and not saved: it follows from the shape
            of the model, so weights of another segment length fit.
    """
    table_ND = (
        torch.empty(math.prod(grid), width) if has_shapes_only() else sine_cosine_positions(width, grid)
    )
    if learned:
        module.register_parameter(name, nn.Parameter(table_ND))
    else:
        module.register_buffer(name, table_ND, persistent=False)


def compute_positions(module: nn.Module, name: str, *, grid: tuple[int, int]) -> None:
    """Give numbers to a fixed position table that was built on the meta device; a learned one is a weight.

    Args:
        module: A module that `add_positions` gave the table.
        name: Of the table.
        grid: (rows, columns).
    """
    if (table_ND := dict(module.named_buffers(recurse=False)).get(name)) is not None:
        module.register_buffer(name, sine_cosine_positions(table_ND.shape[1], grid), persistent=False)
