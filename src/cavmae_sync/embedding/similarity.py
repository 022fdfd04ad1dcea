"""Embeddings of clips in, one score per pair of clips out.

With M_kl the cosine of a query's frame k and a gallery item's frame l, a pair's score is the mean or the
maximum of M over the diagonal (equal times) or over the whole block. All four are symmetric in their
arguments up to transposition: the visual-to-audio matrix is the transpose of the audio-to-visual one.

Letters: Q queries, G gallery, T frames per clip, D width.
"""

from collections.abc import Callable, Generator, Mapping
from contextlib import contextmanager
from types import MappingProxyType
from typing import Final

import torch
from torch import Tensor

from cavmae_sync.choices import AggregationName

Aggregation = Callable[[Tensor, Tensor], Tensor]

#: Bytes of temporary results; bounds memory, never changes a result.
TEMPORARY_BYTES: Final = 256 << 20


def diagonal_mean(query_QTD: Tensor, gallery_GTD: Tensor) -> Tensor:
    """Mean cosine of simultaneous frames: one product of the concatenated frames. Returns [Q, G]."""
    return (query_QTD.flatten(1) @ gallery_GTD.flatten(1).T).div_(query_QTD.shape[1])


def diagonal_max(query_QTD: Tensor, gallery_GTD: Tensor) -> Tensor:
    """Largest cosine of simultaneous frames: a running maximum over time. Returns [Q, G]."""
    best_QG = query_QTD[:, 0] @ gallery_GTD[:, 0].T
    for t in range(1, query_QTD.shape[1]):
        torch.maximum(best_QG, query_QTD[:, t] @ gallery_GTD[:, t].T, out=best_QG)
    return best_QG


def block_mean(query_QTD: Tensor, gallery_GTD: Tensor) -> Tensor:
    """Mean cosine of all pairs of frames: the product of the time means, not normalised again. [Q, G]."""
    return query_QTD.mean(dim=1) @ gallery_GTD.mean(dim=1).T


def block_max(query_QTD: Tensor, gallery_GTD: Tensor) -> Tensor:
    """Largest cosine of all pairs of frames, in blocks of gallery items. Returns [Q, G]."""
    num_queries, num_frames = query_QTD.shape[:2]
    bytes_per_item = num_queries * gallery_GTD.shape[1] * query_QTD.element_size()
    best_QG = query_QTD.new_full((num_queries, len(gallery_GTD)), -torch.inf)
    start = 0
    for items_GTD in gallery_GTD.split(max(1, TEMPORARY_BYTES // max(1, bytes_per_item))):
        part_QG = best_QG[:, start : start + len(items_GTD)]
        columns_ND = items_GTD.flatten(0, 1)
        for t in range(num_frames):
            cosines_QGT = (query_QTD[:, t] @ columns_ND.T).unflatten(1, items_GTD.shape[:2])
            torch.maximum(part_QG, cosines_QGT.amax(dim=2), out=part_QG)
        start += len(items_GTD)
    return best_QG


#: By the names of the command line. The choices of configurations come from here.
AGGREGATIONS: Final[Mapping[str, Aggregation]] = MappingProxyType(
    {
        "diagonal_mean": diagonal_mean,
        "diagonal_max": diagonal_max,
        "block_mean": block_mean,
        "block_max": block_max,
    }
)


def similarity_matrix(
    query_QTD: Tensor, gallery_GTD: Tensor, *, aggregation: AggregationName = "diagonal_mean"
) -> Tensor:
    """Score of every pair of clips, always computed in float32.

    Args:
        query_QTD: Unit rows, one modality of the queries.
        gallery_GTD: Unit rows, the other modality of the gallery, on the same device.
        aggregation: How the T x T cosines of a pair become one score; a name of `AGGREGATIONS`.

    Returns:
        float32 [Q, G] on the inputs' device, in [-1, 1], larger is closer. Swapping the arguments transposes.

    Raises:
        ValueError: Shapes do not fit, or there is no aggregation of that name.

    Source:
        Spec 4.1; paper Table 11.
    """
    if aggregation not in AGGREGATIONS:
        raise ValueError(f"There is no aggregation {aggregation!r}. There are: {', '.join(AGGREGATIONS)}.")
    _check_embeddings(query_QTD, gallery_GTD, is_diagonal=aggregation.startswith("diagonal"))
    with _true_float32(query_QTD.device):
        return AGGREGATIONS[aggregation](query_QTD.float(), gallery_GTD.float())


def _check_embeddings(query_QTD: Tensor, gallery_GTD: Tensor, *, is_diagonal: bool) -> None:
    query, gallery = tuple(query_QTD.shape), tuple(gallery_GTD.shape)
    if len(query) != 3 or len(gallery) != 3 or query[2] != gallery[2]:
        raise ValueError(
            f"Embeddings must be [clips, frames, width] of one width, not {query} and {gallery}."
        )
    if query[1] == 0 or gallery[1] == 0:
        raise ValueError(f"A clip has at least one frame, got {query} and {gallery}.")
    if is_diagonal and query[1] != gallery[1]:
        raise ValueError(
            f"Diagonal scores compare frame k with frame k, but clips have {query[1]} and {gallery[1]} "
            f"frames. Use a block aggregation, or sample equally many frames."
        )


@contextmanager
def _true_float32(device: torch.device) -> Generator[None]:
    """Neither autocast nor a faster matrix product chosen for training may touch a score."""
    precision = torch.get_float32_matmul_precision()
    torch.set_float32_matmul_precision("highest")
    try:
        with torch.autocast(device.type, enabled=False):
            yield
    finally:
        torch.set_float32_matmul_precision(precision)
