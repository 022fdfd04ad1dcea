"""Fixed 2-D sine-cosine positions of a grid of patches."""

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
    table_ND = sine_cosine_positions(width, grid)
    if learned:
        module.register_parameter(name, nn.Parameter(table_ND))
    else:
        module.register_buffer(name, table_ND, persistent=False)
