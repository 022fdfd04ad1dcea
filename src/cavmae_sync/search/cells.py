"""Cells of inverted indexes on disk, so that a library is ready in seconds when it is opened again.

    derived/search/visual-short.cells      centres, and the cell of each window, as safetensors

They follow from the timelines. A file that does not fit is not used, and the cells are found again.

C cells, W windows, D width.
"""

from contextlib import suppress
from pathlib import Path
from typing import Final

import numpy as np
import torch
from safetensors import SafetensorError, safe_open

from cavmae_sync.search.coarse import Cells
from cavmae_sync.weights.save import write_safetensors

_NAMES: Final = ("cell_W", "centres_CD")
_FORMAT: Final = "cavmae-sync cells/1"


def read_cells(path: Path, *, width: int, num_windows: int) -> Cells | None:
    """Cells of a file; None where it is missing, damaged, or of other windows.

    Args:
        path: The file.
        width: D.
        num_windows: Windows that there are now. A file may know fewer, since libraries grow.
    """
    if not path.is_file():
        return None
    try:
        with safe_open(path, framework="np") as file:
            if (file.metadata() or {}).get("format") != _FORMAT or sorted(file.keys()) != list(_NAMES):
                return None
            cell_W, centres_CD = (file.get_tensor(name) for name in _NAMES)
    except (SafetensorError, OSError, ValueError, MemoryError, TypeError, AttributeError):
        return None
    is_fit = cell_W.dtype == np.int32 and cell_W.ndim == 1 and len(cell_W) <= num_windows
    is_fit &= centres_CD.dtype == np.float32 and centres_CD.ndim == 2 and centres_CD.shape[1] == width
    is_fit = is_fit and len(centres_CD) > 0 and bool(np.isfinite(centres_CD).all())
    if not is_fit or (len(cell_W) and not 0 <= cell_W.min() <= cell_W.max() < len(centres_CD)):
        return None
    return Cells(centres_CD=centres_CD, cell_W=cell_W)


def write_cells(path: Path, cells: Cells) -> None:
    """Write a file that `read_cells` reads; where that cannot be, cells are found again next time."""
    tensors = {"cell_W": torch.from_numpy(cells.cell_W), "centres_CD": torch.from_numpy(cells.centres_CD)}
    with suppress(OSError):
        write_safetensors(path, tensors, metadata={"format": _FORMAT})
