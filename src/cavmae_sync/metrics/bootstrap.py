"""Confidence intervals of metrics, from resamples of the queries or clips.

Letters: Q queries, N clips, D directions (or models) compared on the same queries, X resamples.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Final

import torch
from torch import Tensor

from cavmae_sync.metrics.retrieval import median_position
from cavmae_sync.paper import RECALL_AT

#: Draws in one block; bounds memory, never changes a result.
_BLOCK_DRAWS: Final = 1 << 21


@dataclass(frozen=True, kw_only=True, slots=True)
class Interval:
    """Two-sided confidence interval, in the unit of its statistic."""

    low: float
    high: float


def bootstrap_metrics(
    ranks_DQ: Tensor, *, num_resamples: int, generator: torch.Generator
) -> dict[str, Tensor]:
    """Metrics of resampled queries, with the same draws for every row.

    Because rows d and e share their draws, `interval(samples[d] - samples[e])` is the paired interval of a
    difference (between directions, or between two models on the same list).

    Args:
        ranks_DQ: Ranks, 0 = best; column i is the same clip in every row.
        num_resamples: Number of resamples, at least 1.
        generator: Source of the draws, on the CPU.

    Returns:
        By name (`recall_at_1`, ..., `median_rank`): float64 [D, X].
    """
    if ranks_DQ.ndim != 2 or ranks_DQ.shape[1] == 0 or num_resamples < 1:
        raise ValueError(
            f"Ranks [D, Q] and at least one resample are needed, "
            f"got {tuple(ranks_DQ.shape)} and {num_resamples}."
        )
    ranks_DQ = ranks_DQ.double().cpu()
    statistics = _statistics()
    blocks: dict[str, list[Tensor]] = {name: [] for name in statistics}
    for draw_XQ in _draws(ranks_DQ.shape[1], num_resamples, generator):
        drawn = [ranks_Q[draw_XQ] for ranks_Q in ranks_DQ]
        for name, statistic in statistics.items():
            blocks[name].append(torch.stack([statistic(ranks_XQ) for ranks_XQ in drawn]))
    return {name: torch.cat(parts, dim=1) for name, parts in blocks.items()}


def bootstrap_means(values_DN: Tensor, *, num_resamples: int, generator: torch.Generator) -> Tensor:
    """Means of resampled clips, with the same draws for every row (and as in `bootstrap_metrics`).

    Args:
        values_DN: One value for each clip; column i is the same clip in every row.
        num_resamples: Number of resamples, at least 1.
        generator: Source of the draws, on the CPU.

    Returns:
        float64 [D, X].
    """
    if values_DN.ndim != 2 or values_DN.shape[1] == 0 or num_resamples < 1:
        raise ValueError(
            f"Values [D, N] and at least one resample are needed, "
            f"got {tuple(values_DN.shape)} and {num_resamples}."
        )
    values_DN = values_DN.double().cpu()
    num_clips = values_DN.shape[1]
    blocks: list[Tensor] = []
    for draw_XN in _draws(num_clips, num_resamples, generator):
        # How often each clip is drawn: one product then serves any number of rows.
        times_XN = torch.zeros(draw_XN.shape, dtype=torch.float64)
        times_XN.scatter_add_(1, draw_XN, torch.ones_like(times_XN))
        blocks.append(values_DN @ times_XN.T / num_clips)
    return torch.cat(blocks, dim=1)


def _statistics() -> dict[str, Callable[[Tensor], Tensor]]:
    """Functions by the names of `RetrievalMetrics.named`, each over many resamples [X, Q] at once."""

    def recall(k: int) -> Callable[[Tensor], Tensor]:
        return lambda ranks_XQ: (ranks_XQ < k).double().mean(dim=1)

    return {**{f"recall_at_{k}": recall(k) for k in RECALL_AT}, "median_rank": median_position}


def _draws(num_queries: int, num_resamples: int, generator: torch.Generator) -> Iterator[Tensor]:
    rows = max(1, _BLOCK_DRAWS // num_queries)
    for start in range(0, num_resamples, rows):
        size = (min(rows, num_resamples - start), num_queries)
        yield torch.randint(num_queries, size, generator=generator)


def interval(samples_X: Tensor, *, confidence: float = 0.95) -> Interval:
    """Percentile interval of bootstrap samples.

    Where every query succeeds, or none, all resamples agree and the interval has no width. It then says
    nothing about the uncertainty of the number.

    Args:
        samples_X: One statistic over all resamples.
        confidence: Probability content, in (0, 1).
    """
    if not 0 < confidence < 1:
        raise ValueError(f"confidence must lie between 0 and 1, got {confidence}.")
    tail = (1 - confidence) / 2
    low, high = torch.quantile(
        samples_X.double(), torch.tensor([tail, 1 - tail], dtype=torch.float64)
    ).tolist()
    return Interval(low=low, high=high)
