"""Retrieval metrics: ranks and recall of similarity matrices.

Larger similarity is closer. Item i of the gallery belongs to query i; further gallery items belong to no
query.

Letters: Q queries, G gallery, E entries counted by the published code, X rows of ranks.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

import torch
from torch import Tensor

from cavmae_sync.choices import TieRule
from cavmae_sync.metrics.matches import MatchCounts
from cavmae_sync.paper import RECALL_AT

#: Elements in one block of comparisons; bounds memory, never changes a result.
_BLOCK_ELEMENTS: Final = 1 << 24


@dataclass(frozen=True, kw_only=True, slots=True)
class RetrievalMetrics:
    """Recall and median rank of queries.

    Attributes:
        recall_at: Fraction of queries whose own item is among the first k, in [0, 1], by k.
        median_rank: Median position of the own item, 1 = first.
        num_queries: Number of ranks. Larger than the number of rows only for `official_ranks`.
        num_gallery: Number of items each query was compared with.
    """

    recall_at: Mapping[int, float]
    median_rank: float
    num_queries: int
    num_gallery: int

    def named(self) -> dict[str, float]:
        """Values by name, `recall_at_1`, ..., `median_rank`, in the order of printing."""
        recall = {f"recall_at_{k}": value for k, value in self.recall_at.items()}
        return {**recall, "median_rank": self.median_rank}


def check_similarity(similarity_QG: Tensor) -> None:
    """Refuse matrices in which item i cannot belong to query i.

    Raises:
        ValueError: Not two-dimensional, empty, not floating point, or fewer gallery items than queries.
    """
    shape = tuple(similarity_QG.shape)
    if similarity_QG.ndim != 2 or not similarity_QG.is_floating_point():
        raise ValueError(f"similarity_QG must be a matrix of floats, got {similarity_QG.dtype} {shape}.")
    if shape[0] == 0 or shape[1] < shape[0]:
        raise ValueError(f"Item i belongs to query i, so 1 <= Q <= G is needed, got {shape}.")


def count_nan(similarity_QG: Tensor) -> int:
    """Number of scores that are not a number. A report must print it when it is not 0."""
    return int(similarity_QG.isnan().sum())


def true_match_ranks(similarity_QG: Tensor, *, ties: TieRule = "mean") -> Tensor:
    """Rank (0 = best) of each query's own item.

    A score that is not a number ranks last: it never beats a number, and a query whose own score is not a
    number gets the worst rank, G - 1. `count_nan` says how many there are.

    Args:
        similarity_QG: Float, larger is closer; G >= Q.
        ties: Place of the own item among equal scores: the first (`optimistic`), the last (`pessimistic`) or
            the middle (`mean`).

    Returns:
        float64 [Q], in [0, G - 1]; a multiple of one half.

    Source:
        Sync src/retrieval.py counts a query once per equal score: see `official_ranks`.

    >>> true_match_ranks(torch.tensor([[0.9, 0.1], [0.4, 0.3]])).tolist()
    [0.0, 1.0]
    """
    return count_matches(similarity_QG).ranks(ties)


def count_matches(similarity_QG: Tensor) -> MatchCounts:
    """Counts from which the ranks of every rule for ties follow. Arguments as `true_match_ranks`."""
    check_similarity(similarity_QG)
    own_Q = similarity_QG.diagonal()
    rows = max(1, _BLOCK_ELEMENTS // similarity_QG.shape[1])
    closer: list[Tensor] = []
    equal: list[Tensor] = []
    for scores_QG, own in zip(similarity_QG.split(rows), own_Q.split(rows), strict=True):
        closer.append((scores_QG > own[:, None]).sum(dim=1))
        equal.append((scores_QG == own[:, None]).sum(dim=1))
    return MatchCounts(
        closer_Q=torch.cat(closer), equal_Q=torch.cat(equal), num_gallery=similarity_QG.shape[1]
    )


def official_ranks(similarity_QG: Tensor) -> Tensor:
    """Ranks as the published evaluation counts them. For parity only: it is wrong on ties and NaN.

    It compares each sorted row with the own score, so that every tie adds an entry (to numerator and
    denominator), and a query whose own score is not a number disappears.

    Returns:
        float64 [E]: all matching positions, query by query. E differs from Q when there are ties or NaN.

    Source:
        Sync src/retrieval.py, compute_metrics.
    """
    return count_matches(similarity_QG).ranks("official")


def recall_at_k(ranks_Q: Tensor, *, k: int) -> float:
    """Fraction of queries whose own item is among the first k.

    Args:
        ranks_Q: Ranks, 0 = best.
        k: Cut-off, at least 1.

    Returns:
        In [0, 1].
    """
    if k < 1:
        raise ValueError(f"k counts retrieved items and must be at least 1, got {k}.")
    _check_ranks(ranks_Q)
    return float((ranks_Q < k).double().mean())


def median_rank(ranks_Q: Tensor) -> float:
    """Median position of the own item, 1 = first; the mean of the two middle ones for an even number."""
    _check_ranks(ranks_Q)
    return float(median_position(ranks_Q.double()[None])[0])


def _check_ranks(ranks_Q: Tensor) -> None:
    if ranks_Q.ndim != 1 or len(ranks_Q) == 0:
        raise ValueError(f"ranks_Q must hold at least one rank, got shape {tuple(ranks_Q.shape)}.")


def median_position(ranks_XQ: Tensor) -> Tensor:
    """Median rank of each row, as `median_rank`: float [X]."""
    ordered_XQ = ranks_XQ.sort(dim=1).values
    last = ranks_XQ.shape[1] - 1
    return (ordered_XQ[:, last // 2] + ordered_XQ[:, (last + 1) // 2]) / 2 + 1


def retrieval_metrics(ranks_Q: Tensor, *, num_gallery: int) -> RetrievalMetrics:
    """Recall at 1, 5 and 10 and the median rank of a vector of ranks (0 = best)."""
    return RetrievalMetrics(
        recall_at={k: recall_at_k(ranks_Q, k=k) for k in RECALL_AT},
        median_rank=median_rank(ranks_Q),
        num_queries=len(ranks_Q),
        num_gallery=num_gallery,
    )


def chance_metrics(num_gallery: int) -> RetrievalMetrics:
    """Expected metrics of scores drawn at random: R@k = min(k / G, 1), median rank (G + 1) / 2.

    >>> round(chance_metrics(1545).recall_at[1], 6)
    0.000647
    """
    if num_gallery < 1:
        raise ValueError(f"A gallery has at least one item, got {num_gallery}.")
    return RetrievalMetrics(
        recall_at={k: min(k / num_gallery, 1.0) for k in RECALL_AT},
        median_rank=(num_gallery + 1) / 2,
        num_queries=num_gallery,
        num_gallery=num_gallery,
    )
