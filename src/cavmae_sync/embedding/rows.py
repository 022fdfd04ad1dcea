"""Rows of tensors: which repeat their neighbour, how they become unit vectors, whether all are numbers."""

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
        raise ValueError("There is nothing to embed: no frame and no segment was given.")
    is_new_P = torch.ones(len(rows), dtype=torch.bool, device=rows.device)
    is_new_P[1:] = (rows[1:] != rows[:-1]).flatten(1).any(dim=1)
    return is_new_P


def unit_rows(vectors: Tensor) -> Tensor:
    """Vectors over their length along the last axis, in float32. A zero vector has no direction: NaN."""
    with torch.autocast(vectors.device.type, enabled=False):
        return F.normalize(vectors.float(), dim=-1, eps=0.0)


def finite(vectors: Tensor, *, precision: Precision) -> Tensor:
    """What a model gave, if all of it is finite.

    Args:
        vectors: Of any shape.
        precision: In which the model computed, for the message.

    Raises:
        WeightsError: A value is NaN or infinite.
    """
    if not bool(vectors.isfinite().all()):
        raise WeightsError(
            f"The model gives vectors that are not finite in precision {precision}. "
            "Use float32; if that does not help, the weights are damaged."
        )
    return vectors
