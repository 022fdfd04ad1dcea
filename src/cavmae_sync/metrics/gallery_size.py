"""Recall as it would be in a gallery of another size, from the ranks in the gallery at hand.

It is harder to be found among more. In a smaller gallery the expectation is exact. For a larger one, every
query has a chance that a random foreign item beats its own; how these chances are spread over the queries is
estimated from all ranks together, without a form given beforehand.

All of it assumes that what is missing is missing at random: clips that nobody can obtain any more must be as
easy or hard to find as those that are left. Nothing here can check that.

Letters: Q queries, D directions, X resamples, U different ranks, C chances of a grid.
"""

from dataclasses import dataclass
from typing import Final

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.special import expit
from scipy.stats import binom, hypergeom
from torch import Tensor

from cavmae_sync.choices import IntervalOver
from cavmae_sync.paper import RECALL_AT

#: Chances that a foreign item beats the own one that are told apart, evenly in their logarithm of odds.
_NUM_CHANCES: Final = 150
#: The smallest one, in parts of one item of the gallery, and the logarithm of odds of the largest.
_LEAST_CHANCE: Final = 0.02
_LARGEST_LOG_ODDS: Final = 4.0
#: Steps of the estimate from a flat start; and of a resample, from the estimate of all. More fit noise.
_STEPS: Final = 300
_RESAMPLE_STEPS: Final = 30
#: A gallery larger than this many times the one at hand is refused: nothing was measured there.
MOST_TIMES: Final = 4.0


def expected_recall(ranks_Q: Tensor, *, num_gallery: int, size: int) -> dict[str, float]:
    """Recall at 1, 5 and 10 expected in a gallery of another size.

    Args:
        ranks_Q: Ranks, 0 = best, in [0, num_gallery - 1]. Half a rank (a tie) counts as the whole one below,
            as `r < k` does. A query whose score is not a number has the worst rank, in any gallery.
        num_gallery: Items each query was compared with, its own included.
        size: Items of the gallery asked for. Up to `num_gallery` a random part of this one that keeps the
            query's own item; above it this one and further items like them, at most `MOST_TIMES` as many.

    Returns:
        `recall_at_1`, ..., in [0, 1]; higher is better; never rises with `size`. With `size` = `num_gallery`
        exactly what `retrieval_metrics` gives.

    Raises:
        ValueError: Ranks outside the gallery, no query, or a size below 1 or above `MOST_TIMES`.

    Source:
        Smaller: the hypergeometric distribution. Larger: mixture of binomials with a free distribution of
        chances, maximum likelihood (Kiefer and Wolfowitz 1956) by EM; docs/results.md has bias and coverage.
    """
    ranks = _Ranks.of(ranks_Q, num_gallery=num_gallery, size=size)
    if size <= num_gallery:
        hits_KU = _hits_in_part(ranks, size)
    else:
        odds = _Odds.of(ranks, size)
        weights_XC = odds.fit(ranks.counts_U[None], odds.flat(), steps=_STEPS)
        hits_KU = odds.hits(weights_XC)[:, 0]
    means_K = hits_KU @ ranks.counts_U / ranks.counts_U.sum()
    return {f"recall_at_{k}": float(mean) for k, mean in zip(RECALL_AT, means_K, strict=True)}


def expected_recall_samples(
    ranks_DQ: Tensor,
    *,
    num_gallery: int,
    size: int,
    num_resamples: int,
    generator: torch.Generator,
    over: IntervalOver = "clips",
) -> dict[str, Tensor]:
    """What `expected_recall` could have been as well; `interval` of them says how sure it is.

    Args:
        ranks_DQ: Ranks as of `expected_recall`; column i is the same clip in every row.
        num_gallery: Items of the gallery at hand.
        size: Items of the gallery asked for.
        num_resamples: Draws, at least 1.
        generator: Source of the draws, on the CPU.
        over: "clips": other clips of the same kind, queries drawn anew. "missing": these clips and the
            `size - num_gallery` that are missing: only the latter, and which of them beat which query, are
            unsure. No width where nothing is missing.

    Returns:
        `recall_at_1`, ...: float64 [D, X].
    """
    if ranks_DQ.ndim != 2 or num_resamples < 1:
        raise ValueError(
            f"Ranks [D, Q] and at least one resample are needed, got {tuple(ranks_DQ.shape)} "
            f"and {num_resamples}."
        )
    if over == "missing" and size < num_gallery:
        raise ValueError(f"A list of {size} clips cannot lack some when {num_gallery} of them are there.")
    seed = int(torch.randint(2**62, (1,), generator=generator))
    num_queries = ranks_DQ.shape[1]
    draws_XQ = np.random.default_rng(seed).integers(num_queries, size=(num_resamples, num_queries))
    rows = [
        _samples(
            _Ranks.of(ranks_Q, num_gallery=num_gallery, size=size),
            draws_XQ,
            size=size,
            over=over,
            generator=np.random.default_rng(seed + 1),
        )
        for ranks_Q in ranks_DQ
    ]
    return {
        f"recall_at_{k}": torch.from_numpy(np.stack([samples_KX[i] for samples_KX in rows]))
        for i, k in enumerate(RECALL_AT)
    }


@dataclass(frozen=True, kw_only=True, slots=True)
class _Ranks:
    """Whole ranks, each different one once: how many queries have it, and which one a query has."""

    ranks_U: NDArray[np.int64]
    counts_U: NDArray[np.float64]
    place_Q: NDArray[np.int64]
    num_gallery: int

    @classmethod
    def of(cls, ranks_Q: Tensor, *, num_gallery: int, size: int) -> "_Ranks":
        if ranks_Q.ndim != 1 or len(ranks_Q) == 0:
            raise ValueError(f"ranks_Q must hold at least one rank, got shape {tuple(ranks_Q.shape)}.")
        if float(ranks_Q.min()) < 0 or float(ranks_Q.max()) > num_gallery - 1:
            raise ValueError(
                f"Ranks in a gallery of {num_gallery} lie in [0, {num_gallery - 1}], "
                f"got {float(ranks_Q.min())} to {float(ranks_Q.max())}."
            )
        if not 1 <= size <= MOST_TIMES * num_gallery:
            raise ValueError(
                f"A gallery of {size} cannot be expected from one of {num_gallery}: ask for 1 to "
                f"{int(MOST_TIMES * num_gallery)}, {MOST_TIMES:g} times as many. Obtain more of the clips."
            )
        whole_Q = ranks_Q.double().cpu().numpy().astype(np.int64)
        ranks_U, place_Q, counts_U = np.unique(whole_Q, return_inverse=True, return_counts=True)
        return cls(ranks_U=ranks_U, counts_U=counts_U.astype(float), place_Q=place_Q, num_gallery=num_gallery)


def _hits_in_part(ranks: _Ranks, size: int) -> NDArray[np.float64]:
    """Chance [K, U] that at most k - 1 of the items that beat the own one are in a random part."""
    others = max(ranks.num_gallery - 1, 1)  # without others nothing beats the own item, whatever is drawn
    return np.stack([hypergeom.cdf(k - 1, others, ranks.ranks_U, size - 1) for k in RECALL_AT])


@dataclass(frozen=True, kw_only=True, slots=True)
class _Odds:
    """The mixture: how likely each rank is, and a hit in the larger gallery, for each chance of the grid."""

    likelihood_UC: NDArray[np.float64]
    hits_KUC: NDArray[np.float64]

    @classmethod
    def of(cls, ranks: _Ranks, size: int) -> "_Odds":
        others = ranks.num_gallery - 1
        log_odds = np.linspace(np.log(_LEAST_CHANCE / max(others, 1)), _LARGEST_LOG_ODDS, _NUM_CHANCES)
        chances_C = expit(log_odds)
        log_UC = binom.logpmf(ranks.ranks_U[:, None], others, chances_C)
        new = size - ranks.num_gallery
        # Above rank k nothing helps: further items only push down.
        left_KU = np.array(RECALL_AT)[:, None] - 1 - ranks.ranks_U
        return cls(
            likelihood_UC=np.exp(log_UC - log_UC.max(axis=1, keepdims=True)),
            hits_KUC=binom.cdf(left_KU[..., None], new, chances_C),
        )

    def flat(self) -> NDArray[np.float64]:
        return np.full((1, _NUM_CHANCES), 1 / _NUM_CHANCES)

    def fit(
        self, counts_XU: NDArray[np.float64], start_XC: NDArray[np.float64], *, steps: int
    ) -> NDArray[np.float64]:
        """Weights of the chances, by EM: each step makes the ranks of every row likelier."""
        shares_XU = counts_XU / counts_XU.sum(axis=1, keepdims=True)
        weights_XC = start_XC
        for _ in range(steps):
            weights_XC = weights_XC * ((shares_XU / (weights_XC @ self.likelihood_UC.T)) @ self.likelihood_UC)
        return weights_XC

    def hits(self, weights_XC: NDArray[np.float64]) -> NDArray[np.float64]:
        """Chance of a hit in the larger gallery, given the rank in this one."""
        rank_XU = weights_XC @ self.likelihood_UC.T
        both_KUC = self.hits_KUC * self.likelihood_UC
        return np.stack([weights_XC @ both_UC.T / rank_XU for both_UC in both_KUC])


def _samples(
    ranks: _Ranks,
    draws_XQ: NDArray[np.int64],
    *,
    size: int,
    over: IntervalOver,
    generator: np.random.Generator,
) -> NDArray[np.float64]:
    num_ranks = len(ranks.ranks_U)
    counts_XU = np.array(
        [np.bincount(ranks.place_Q[draw], minlength=num_ranks) for draw in draws_XQ], dtype=np.float64
    )
    shares_XU = counts_XU / counts_XU.sum(axis=1, keepdims=True)
    if size <= ranks.num_gallery:
        hits_KU = _hits_in_part(ranks, size)
        if over == "missing":  # nothing is: the value is known
            shares_XU = np.repeat(ranks.counts_U[None] / ranks.counts_U.sum(), len(draws_XQ), axis=0)
        return hits_KU @ shares_XU.T
    odds = _Odds.of(ranks, size)
    start_XC = np.repeat(odds.fit(ranks.counts_U[None], odds.flat(), steps=_STEPS), len(draws_XQ), axis=0)
    hits_KXU = np.clip(odds.hits(odds.fit(counts_XU, start_XC, steps=_RESAMPLE_STEPS)), 0, 1)
    means_KX = np.clip((hits_KXU * shares_XU).sum(axis=2), 0, 1)
    if over == "clips":
        return means_KX
    num_missing = size - ranks.num_gallery
    found_KX = generator.binomial(ranks.counts_U.astype(int), hits_KXU).sum(axis=2)
    found_missing_KX = generator.binomial(num_missing, means_KX)
    return (found_KX + found_missing_KX) / (len(ranks.place_Q) + num_missing)
