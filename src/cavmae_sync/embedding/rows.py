"""Rows of tensors: repeated rows, rows of unit length, rows that are finite."""

import torch
from torch import Tensor
from torch.nn import functional as F

from cavmae_sync.choices import Precision
from cavmae_sync.errors import WeightsError


def differs_from_previous(rows: Tensor) -> Tensor:
    """Bool [P]: whether each row (first axis) differs from the one before it; the first one does.

    >>> differs_from_previous(torch.tensor([[1.0], [1.0], [2.0], [1.0]])).tolist()
    [True, False, True, True]
    """
    if len(rows) == 0:
        raise ValueError("There is nothing to embed. Give at least one frame or segment.")
    is_new_P = torch.ones(len(rows), dtype=torch.bool, device=rows.device)
    is_new_P[1:] = (rows[1:] != rows[:-1]).flatten(1).any(dim=1)
    return is_new_P


def unit_rows(vectors: Tensor) -> Tensor:
    """Vectors divided by their length along the last axis, in float32; a zero vector becomes NaN."""
    with torch.autocast(vectors.device.type, enabled=False):
        return F.normalize(vectors.float(), dim=-1, eps=0.0)


def finite(vectors: Tensor, *, precision: Precision) -> Tensor:
    """The same vectors, after a check that all of them are finite.

    Args:
        vectors: Result of a model, of any shape.
        precision: Precision that the model computed in, for the message.

    Raises:
        WeightsError: A value is NaN or infinite.
    """
    if not bool(vectors.isfinite().all()):
        raise WeightsError(
            f"The model gives vectors that are not finite in precision {precision}. "
            "Use float32; if that does not help, the weights are damaged."
        )
    return vectors
