"""NumPy arrays to torch tensors: the one place where arrays of `media` become tensors."""

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor


def as_tensor(array: NDArray[np.generic] | Tensor) -> Tensor:
    """Array as a tensor, sharing memory where possible.

    Read-only arrays are copied: torch has no read-only tensors, and writing through one would change
    what its owner promised not to change.
    """
    if isinstance(array, Tensor):
        return array
    return torch.from_numpy(np.require(array, requirements=["C_CONTIGUOUS", "WRITEABLE"]))
