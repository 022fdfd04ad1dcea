"""Similarity of clips: embeddings in, one score per pair of clips out.

With M_kl the cosine of a query's frame k and a gallery item's frame l, a pair's score is the mean or the
maximum of M over the diagonal (equal times) or over the whole block. All four are symmetric in their
arguments up to transposition: the visual-to-audio matrix is the transpose of the audio-to-visual one.

Letters: Q queries, G gallery, T frames per clip, D width.
"""

import math
from collections.abc import Callable, Generator, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final

import torch
from torch import Tensor

from cavmae_sync.checks import unknown_name
from cavmae_sync.choices import AggregationName
from cavmae_sync.compute import float32_products_in

Aggregation = Callable[[Tensor, Tensor], Tensor]

#: Most bytes of temporary results: bounds memory, never changes a result.
TEMPORARY_BYTES: Final = 256 << 20
#: Clips of one tile. Measured: tiles of 1,000 clips are 6 percent slower than of 2,000, 4,000 no faster.
_TILE_CLIPS: Final = 2048
_LEAST_TILE_CLIPS: Final = 64
_TILE_BYTES: Final = 128 << 20
_ALIGNMENT_BYTES: Final = 64


def diagonal_mean(query_QTD: Tensor, gallery_GTD: Tensor) -> Tensor:
    """Mean cosine of simultaneous frames, as one product of the concatenated frames. Returns [Q, G]."""
    return (query_QTD.flatten(1) @ gallery_GTD.flatten(1).T).div_(query_QTD.shape[1])


def diagonal_max(query_QTD: Tensor, gallery_GTD: Tensor) -> Tensor:
    """Largest cosine of simultaneous frames, as a running maximum over time. Returns [Q, G]."""
    best_QG = query_QTD[:, 0] @ gallery_GTD[:, 0].T
    for t in range(1, query_QTD.shape[1]):
        torch.maximum(best_QG, query_QTD[:, t] @ gallery_GTD[:, t].T, out=best_QG)
    return best_QG


def block_mean(query_QTD: Tensor, gallery_GTD: Tensor) -> Tensor:
    """Mean cosine of all pairs of frames: product of the time means, not normalised again. Returns [Q, G]."""
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


#: Aggregations by their names on the command line and in configurations.
AGGREGATIONS: Final[Mapping[str, Aggregation]] = MappingProxyType(
    {
        "diagonal_mean": diagonal_mean,
        "diagonal_max": diagonal_max,
        "block_mean": block_mean,
        "block_max": block_max,
    }
)


@dataclass(frozen=True, kw_only=True, slots=True)
class ScoreBlock:
    """Rectangle of a similarity matrix.

    Attributes:
        rows: Queries, as a slice with start and stop.
        columns: Gallery items, as a slice with start and stop.
        scores_QG: float32 scores of those rows and columns.
    """

    rows: slice
    columns: slice
    scores_QG: Tensor


def similarity_matrix(
    query_QTD: Tensor, gallery_GTD: Tensor, *, aggregation: AggregationName = "diagonal_mean"
) -> Tensor:
    """Scores of all pairs of clips, always in float32: the blocks of `similarity_blocks`, joined.

    Args:
        query_QTD: Unit rows, one modality of the queries.
        gallery_GTD: Unit rows, the other modality of the gallery, on the same device.
        aggregation: How the T x T cosines of a pair become one score: a name in `AGGREGATIONS`.

    Returns:
        float32 [Q, G] on the inputs' device, in [-1, 1], larger is closer. Swapping the arguments transposes.

    Raises:
        ValueError: Shapes do not fit, or there is no aggregation of that name.

    Source:
        Paper: Table 11. Code: Sync, src/retrieval.py.
    """
    blocks = similarity_blocks(query_QTD, gallery_GTD, aggregation=aggregation)
    similarity_QG = query_QTD.new_empty((len(query_QTD), len(gallery_GTD)), dtype=torch.float32)
    for block in blocks:
        if block.scores_QG.shape == similarity_QG.shape:
            return block.scores_QG
        similarity_QG[block.rows, block.columns] = block.scores_QG
    return similarity_QG


def similarity_blocks(
    query_QTD: Tensor, gallery_GTD: Tensor, *, aggregation: AggregationName = "diagonal_mean"
) -> Iterator[ScoreBlock]:
    """The similarity matrix in rectangles, each computed in float32 from two tiles of vectors.

    All products have one shape (the last tiles are padded): a matrix library may round products of other
    shapes otherwise, and equal vectors must have equal scores wherever they stand. Rectangles on the diagonal
    come first. Only two tiles are in memory at a time, at most 128 MiB each: the inputs may be memory-mapped,
    and in half precision.

    Args and errors as `similarity_matrix`.
    """
    if aggregation not in AGGREGATIONS:
        raise ValueError(unknown_name("aggregation", aggregation, AGGREGATIONS))
    _check_embeddings(query_QTD, gallery_GTD, is_diagonal=aggregation.startswith("diagonal"))
    queries, gallery = _Tiles(query_QTD), _Tiles(gallery_GTD)
    return _blocks(queries, gallery, aggregate=AGGREGATIONS[aggregation])


class _Tiles:
    """Clips in tiles of one size, in float32, the last one padded with zeros; keeps the last tile read."""

    def __init__(self, clips_NTD: Tensor) -> None:
        num_clips, num_frames, width = clips_NTD.shape
        most = max(_LEAST_TILE_CLIPS, min(_TILE_CLIPS, _TILE_BYTES // (4 * num_frames * max(width, 1))))
        self.size = max(1, math.ceil(num_clips / max(1, math.ceil(num_clips / most))))
        self._clips_NTD = clips_NTD
        self._buffer_NTD: Tensor | None = None
        self._last: tuple[int, Tensor] | None = None

    def __len__(self) -> int:
        return math.ceil(len(self._clips_NTD) / self.size)

    def span(self, number: int) -> slice:
        return slice(number * self.size, min((number + 1) * self.size, len(self._clips_NTD)))

    def read(self, number: int) -> Tensor:
        """The tile of this number, valid until another one is read."""
        if self._last is None or self._last[0] != number:
            self._last = (number, self._tile(number))
        return self._last[1]

    def _tile(self, number: int) -> Tensor:
        tile_NTD = self._clips_NTD[self.span(number)]
        is_whole = len(tile_NTD) == self.size and tile_NTD.is_contiguous()
        # Products on the CPU may differ in the last bits with the alignment of their operands in memory.
        if is_whole and tile_NTD.dtype == torch.float32 and tile_NTD.data_ptr() % _ALIGNMENT_BYTES == 0:
            return tile_NTD
        if self._buffer_NTD is None:  # one buffer for all tiles: fresh memory costs three times the copying
            shape = (self.size, *tile_NTD.shape[1:])
            self._buffer_NTD = tile_NTD.new_empty(shape, dtype=torch.float32)
        self._buffer_NTD[: len(tile_NTD)] = tile_NTD
        self._buffer_NTD[len(tile_NTD) :] = 0
        return self._buffer_NTD


def _blocks(queries: _Tiles, gallery: _Tiles, *, aggregate: Aggregation) -> Iterator[ScoreBlock]:
    places = [(q, g) for q in range(len(queries)) for g in range(len(gallery))]
    # Scores of pairs first; then in snake order, so that each step reads one new tile only.
    places.sort(key=lambda place: (place[0] != place[1], place[0], place[1] * (-1) ** place[0]))
    for q, g in places:
        query_QTD, gallery_GTD = queries.read(q), gallery.read(g)
        with _true_float32(query_QTD.device):
            scores_QG = aggregate(query_QTD, gallery_GTD)
        rows, columns = queries.span(q), gallery.span(g)
        scores_QG = scores_QG[: rows.stop - rows.start, : columns.stop - columns.start]
        yield ScoreBlock(rows=rows, columns=columns, scores_QG=scores_QG)


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
    """Products in exact float32: neither autocast nor a faster setting of training may change a score."""
    with float32_products_in("highest"), torch.autocast(device.type, enabled=False):
        yield
