"""Recall expected in a gallery of another size, from the ranks in the available gallery.

Recall falls with the size of the gallery. For a smaller gallery the expectation is exact. For a larger one,
each query has a chance that a random foreign item beats its own item; the distribution of these chances over
the queries is estimated from all ranks together, without an assumption about its form.

All of it assumes that clips are missing at random: the missing clips must be as easy or hard to find as the
available ones. This cannot be checked from ranks.

Letters: Q queries, D directions, X resamples, U different ranks, C chances on a grid.
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

#: Grid points for the chance that a foreign item beats the own one, evenly spaced in log mixture.
_NUM_CHANCES: Final = 150
#: Smallest chance of the grid, in items of the gallery, and the log mixture of the largest.
_LEAST_CHANCE: Final = 0.02
_LARGEST_LOG_ODDS: Final = 4.0
#: EM steps from a flat start, and for each resample from the estimate of all. More steps fit the noise.
_STEPS: Final = 300
_RESAMPLE_STEPS: Final = 30
#: Largest size in multiples of the available gallery; beyond, the estimate was never compared with the truth.
MOST_TIMES: Final = 4.0


def expected_recall(ranks_Q: Tensor, *, num_gallery: int, size: int) -> dict[str, float]:
    """Recall at 1, 5 and 10 expected in a gallery of another size.

    Args:
        ranks_Q: Ranks, 0 = best, in [0, num_gallery - 1]. Half a rank (a tie) counts as the whole one below,
            as `r < k` does. A query whose score is not a number has the worst rank, in any gallery.
        num_gallery: Number of items each query was compared with, its own included.
        size: Number of items of the other gallery. Up to `num_gallery`: a random part of this gallery with
            the query's own item. Above: this gallery and further items like these, at most `MOST_TIMES` as
            many.

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
        mixture = _Mixture.of(ranks, size)
        weights_XC = mixture.fit(ranks.counts_U[None], mixture.flat(), steps=_STEPS)
        hits_KU = mixture.hits(weights_XC)[:, 0]
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
    """Resamples of `expected_recall`, for its interval.

    Args:
        ranks_DQ: Ranks as of `expected_recall`; column i is the same clip in every row.
        num_gallery: Number of items of the available gallery.
        size: Number of items of the other gallery.
        num_resamples: Number of resamples, at least 1.
        generator: Source of the draws, on the CPU.
        over: "clips": other clips of the same kind; queries are resampled. "missing": these clips and the
            `size - num_gallery` missing ones; only the missing clips, and which of them beat which query, are
            uncertain. No width where nothing is missing.

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
    """Whole ranks: each different rank with its number of queries, and the place of each query's rank."""

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
    """Chance [K, U] that at most k - 1 of the items that beat the own item are in a random part."""
    others = max(ranks.num_gallery - 1, 1)  # with a single item, the distribution needs at least one other
    return np.stack([hypergeom.cdf(k - 1, others, ranks.ranks_U, size - 1) for k in RECALL_AT])


@dataclass(frozen=True, kw_only=True, slots=True)
class _Mixture:
    """Mixture of binomials: likelihood of each rank, and of a hit in the larger gallery, by grid chance."""

    likelihood_UC: NDArray[np.float64]
    hits_KUC: NDArray[np.float64]

    @classmethod
    def of(cls, ranks: _Ranks, size: int) -> "_Mixture":
        others = ranks.num_gallery - 1
        log_odds = np.linspace(np.log(_LEAST_CHANCE / max(others, 1)), _LARGEST_LOG_ODDS, _NUM_CHANCES)
        chances_C = expit(log_odds)
        log_UC = binom.logpmf(ranks.ranks_U[:, None], others, chances_C)
        new = size - ranks.num_gallery
        # A rank of k or more cannot become a hit: further items only push the own item down.
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
        """Weights of the grid chances, by EM: each step raises the likelihood of the ranks in every row."""
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
        if over == "missing":  # nothing is missing: the value is known
            shares_XU = np.repeat(ranks.counts_U[None] / ranks.counts_U.sum(), len(draws_XQ), axis=0)
        return hits_KU @ shares_XU.T
    mixture = _Mixture.of(ranks, size)
    start_XC = np.repeat(
        mixture.fit(ranks.counts_U[None], mixture.flat(), steps=_STEPS), len(draws_XQ), axis=0
    )
    hits_KXU = np.clip(mixture.hits(mixture.fit(counts_XU, start_XC, steps=_RESAMPLE_STEPS)), 0, 1)
    means_KX = np.clip((hits_KXU * shares_XU).sum(axis=2), 0, 1)
    if over == "clips":
        return means_KX
    num_missing = size - ranks.num_gallery
    found_KX = generator.binomial(ranks.counts_U.astype(int), hits_KXU).sum(axis=2)
    found_missing_KX = generator.binomial(num_missing, means_KX)
    return (found_KX + found_missing_KX) / (len(ranks.place_Q) + num_missing)
