"""Vectors from which one kind of knowledge was taken away: *what* belongs together, or *when*.

A recall at 1 does not say what a model knows. With the frames of each clip in another order, only what is
seen and heard can tell clips apart (WHAT). With the mean of each clip removed, only how a clip changes can
(WHEN).

Letters: N clips, T frames per clip, D width.
"""

from dataclasses import dataclass
from typing import Final

import torch
from torch import Tensor
from torch.nn import functional as F

#: Shorter vectors are what rounding leaves of equal unit vectors in float32: they have no direction.
_LEAST_LENGTH: Final = 1e-6


@dataclass(frozen=True, kw_only=True, slots=True)
class WithoutMeans:
    """Vectors without the mean of their clip, of unit length again.

    Attributes:
        vectors_NTD: float32; a row is zero where it equals the mean of its clip, and NaN where it was NaN.
        num_zero: Number of rows that are zero. A report must print it when it is not 0.
    """

    vectors_NTD: Tensor
    num_zero: int


def without_clip_means(vectors_NTD: Tensor) -> WithoutMeans:
    """Vectors minus the mean of their clip, divided by their length.

    What is the same in all moments of a clip is gone; what is left tells moments apart. A zero row has the
    cosine 0 with everything: it fits nothing better than anything else. Rows that are not finite are left out
    of the mean, so that only they stay broken.

    Args:
        vectors_NTD: Unit rows.

    >>> without_clip_means(torch.tensor([[[1.0, 0.0], [0.0, 1.0]]])).vectors_NTD[0, 0]
    tensor([ 0.7071, -0.7071])
    """
    vectors_NTD = vectors_NTD.float()
    is_broken_NT1 = ~vectors_NTD.isfinite().all(dim=2, keepdim=True)
    mean_N1D = vectors_NTD.masked_fill(is_broken_NT1, torch.nan).nanmean(dim=1, keepdim=True)
    left_NTD = vectors_NTD - mean_N1D
    is_zero_NT1 = left_NTD.norm(dim=2, keepdim=True) <= _LEAST_LENGTH
    unit_NTD = F.normalize(left_NTD, dim=2, eps=0.0).masked_fill(is_zero_NT1, 0.0)
    return WithoutMeans(
        vectors_NTD=unit_NTD.masked_fill(is_broken_NT1, torch.nan), num_zero=int(is_zero_NT1.sum())
    )


def frame_orders(num_clips: int, num_frames: int, *, generator: torch.Generator) -> Tensor:
    """Another order of the frames of each clip, in which no frame keeps its place.

    Every other place is equally likely. A frame that kept its place would leave a part of the time in.
    So a model that knows only the time is not at chance but a little below it: its own clip cannot even meet
    the right moment by luck, as other clips can.

    Args:
        num_clips: Number of orders.
        num_frames: Frames of each clip; at least 2.
        generator: Source of the orders, on the CPU.

    Returns:
        int64 [N, T]: the frame that takes each place. Every order is one circle (Sattolo's algorithm).
    """
    if num_frames < 2:
        raise ValueError(f"Frames need another place to go to: a clip needs 2 at least, got {num_frames}.")
    order_NT = torch.arange(num_frames).repeat(num_clips, 1)
    for last in range(num_frames - 1, 0, -1):
        chosen_N1 = torch.randint(last, (num_clips, 1), generator=generator)
        moved_N1 = order_NT.gather(1, chosen_N1)
        order_NT.scatter_(1, chosen_N1, order_NT[:, last : last + 1].clone())
        order_NT[:, last : last + 1] = moved_N1
    return order_NT


def with_permuted_frames(vectors_NTD: Tensor, *, generator: torch.Generator) -> Tensor:
    """Vectors with the frames of each clip in another order; see `frame_orders`."""
    num_clips, num_frames = vectors_NTD.shape[:2]
    order_NT = frame_orders(num_clips, num_frames, generator=generator).to(vectors_NTD.device)
    return vectors_NTD[torch.arange(num_clips, device=vectors_NTD.device)[:, None], order_NT]
