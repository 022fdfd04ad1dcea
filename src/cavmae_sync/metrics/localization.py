"""Localisation metrics: maps against masks, all pixels of a class in one pool, as in DenseAV.

A pool is an iterable of images and is passed twice, so that only its positive scores and one block of
negative scores are in memory at a time.

Letters: N pixels of an image, V distinct scores of positive pixels, K thresholds, E edges (K thresholds and
quantiles of the positive scores), U units that are resampled (images or clips), X resamples.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from cavmae_sync.paper import SEGMENTATION_THRESHOLDS

#: Negative pixels sorted at a time; bounds memory, never changes a result.
_BLOCK_PIXELS: Final = 1 << 24
#: Quantiles of the positive scores, at which units are counted for the interval. Twice as many change it by
#: less than a tenth of a percent point.
_NUM_QUANTILES: Final = 256


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Pixels:
    """Pixels of one image: their scores, and the mask of the class.

    Attributes:
        scores_N: float32, finite; higher says "here".
        truth_N: bool, true where the class is.
        unit: Number of the image or clip that they belong to, >= 0; intervals resample units.

    Raises:
        ValueError: Shapes or types disagree, or a score is not a number.
    """

    scores_N: NDArray[np.float32]
    truth_N: NDArray[np.bool_]
    unit: int = 0

    def __post_init__(self) -> None:
        if self.scores_N.dtype != np.float32 or self.truth_N.dtype != np.bool_:
            raise ValueError(
                "Pixels need float32 scores and bool truth, "
                f"got {self.scores_N.dtype} and {self.truth_N.dtype}."
            )
        if self.scores_N.ndim != 1 or self.scores_N.shape != self.truth_N.shape or self.scores_N.size == 0:
            raise ValueError(
                "Pixels need one score and one truth each, "
                f"got {self.scores_N.shape} and {self.truth_N.shape}."
            )
        if not np.isfinite(self.scores_N).all():
            raise ValueError("A score is not finite. Leave such maps out before, and count them.")


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class UnitCounts:
    """Numbers of pixels above edges, for each unit: all that resampling needs of a pool.

    Attributes:
        unit_U: Numbers of the units with pixels in the pool, rising.
        positive_UE: int64, positive pixels with scores above a threshold, or at or above a quantile.
        negative_UE: int64, the same for negative pixels.
        num_thresholds: Number of thresholds, which are the first edges, rising; then come quantiles, rising.
    """

    unit_U: NDArray[np.int64]
    positive_UE: NDArray[np.int64]
    negative_UE: NDArray[np.int64]
    num_thresholds: int


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class PooledScores:
    """Scores of one class.

    Attributes:
        average_precision: In (0, 1], exact; higher is better.
        best_iou: In [0, 1]: intersection over union at the best of the thresholds. The truth chooses the
            threshold, so this is an upper bound of what a user gets.
        threshold: The best threshold, the lowest of equal ones.
        positive_share: Share of the pixels of the class, in (0, 1]: the average precision of guessing, and
            the IoU of marking every pixel.
        num_pixels: Number of pixels in the pool.
        counts: Counts for intervals.
    """

    average_precision: float
    best_iou: float
    threshold: float
    positive_share: float
    num_pixels: int
    counts: UnitCounts


def pooled_scores(
    pool: Iterable[Pixels], *, num_thresholds: int = SEGMENTATION_THRESHOLDS
) -> PooledScores | None:
    """Average precision and best IoU of one class, all its pixels in one pool.

    Average precision is the step-wise area under precision over recall, with every distinct score as a
    threshold and equal scores taken together, as sklearn's `average_precision_score`. Precision counts only
    where recall rises, that is at the scores of positive pixels. So positives and negatives are sorted
    separately, which needs neither an index nor all pixels in memory.

    Args:
        pool: Pixels of the class. It is passed twice, so it must be a list, or compute pixels in each pass.
        num_thresholds: Thresholds from the least to the greatest score of the pool, both included; a pixel
            is called positive when its score is greater.

    Returns:
        Scores of the class, or None where the pool has no positive pixel: they are then undefined. A constant
        map has the positive share as average precision, and an IoU of 0: no score is above a threshold.

    Source:
        DenseAV's protocol.
    """
    if iter(pool) is pool:
        raise TypeError("A pool is passed twice, so it cannot be a generator. Give a list.")
    summary = _summary(pool)
    if summary.positive_N.size == 0:
        return None
    value_V, count_V = np.unique(summary.positive_N, return_counts=True)
    threshold_K = np.linspace(summary.low, summary.high, num_thresholds, dtype=np.float32)
    quantiles = np.unique(value_V[_spread(count_V, _NUM_QUANTILES)])
    counts = _count_units(pool, threshold_K, quantiles)
    false_V = np.zeros(len(value_V), np.int64)
    for block in _negative_blocks(pool):
        block.sort()
        false_V += block.size - np.searchsorted(block, value_V, side="left")
    num_positive = int(count_V.sum())
    true_V = count_V[::-1].cumsum()[::-1]
    iou_K = _iou(
        counts.positive_UE.sum(0)[:num_thresholds], counts.negative_UE.sum(0)[:num_thresholds], num_positive
    )
    best = int(iou_K.argmax())
    return PooledScores(
        average_precision=float((count_V / num_positive * (true_V / (true_V + false_V))).sum()),
        best_iou=float(iou_K[best]),
        threshold=float(threshold_K[best]),
        positive_share=num_positive / summary.num_pixels,
        num_pixels=summary.num_pixels,
        counts=counts,
    )


def resampled_pools(
    classes: Sequence[PooledScores], *, num_resamples: int, generator: np.random.Generator
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Mean average precision and mean IoU of resampled units.

    Units are resampled as a whole, the same for all classes, because the pixels of an image and the frames of
    a clip are not independent. Average precision is computed at quantiles of the positive scores instead of
    each score, and shifted by the difference that this makes on the pool itself. Thresholds stay those of the
    pool. A class without a unit in a resample is left out of its mean.

    Args:
        classes: Scores of each class; unit numbers mean the same in all.
        num_resamples: Number of resamples.
        generator: Source of the draws.

    Returns:
        float64 [X] each, in [0, 1].
    """
    units = np.unique(np.concatenate([scores.counts.unit_U for scores in classes]))
    weight_XU = generator.multinomial(len(units), np.full(len(units), 1 / len(units)), size=num_resamples)
    sums_X2, present_X = np.zeros((num_resamples, 2)), np.zeros(num_resamples)
    for scores in classes:
        own = np.searchsorted(units, scores.counts.unit_U)
        drawn_X2 = _binned(scores.counts, weight_XU[:, own])
        whole_2 = _binned(scores.counts, np.ones((1, len(own)), np.int64))[0]
        is_drawn_X = np.isfinite(drawn_X2[:, 0])
        shift_2 = np.array([scores.average_precision, scores.best_iou]) - whole_2
        sums_X2 += np.where(is_drawn_X[:, None], drawn_X2 + shift_2, 0)
        present_X += is_drawn_X
    means_X2 = np.clip(sums_X2[present_X > 0] / present_X[present_X > 0, None], 0, 1)
    return means_X2[:, 0], means_X2[:, 1]


@dataclass(frozen=True, kw_only=True, slots=True)
class _Summary:
    positive_N: NDArray[np.float32]
    low: float
    high: float
    num_pixels: int


def _summary(pool: Iterable[Pixels]) -> _Summary:
    positives: list[NDArray[np.float32]] = []
    low, high, num_pixels = np.inf, -np.inf, 0
    for pixels in pool:
        positives.append(pixels.scores_N[pixels.truth_N])
        low, high = min(low, float(pixels.scores_N.min())), max(high, float(pixels.scores_N.max()))
        num_pixels += pixels.scores_N.size
    if num_pixels == 0:
        raise ValueError("A pool needs at least one image, got none.")
    return _Summary(positive_N=np.concatenate(positives), low=low, high=high, num_pixels=num_pixels)


def _negative_blocks(pool: Iterable[Pixels]) -> Iterator[NDArray[np.float32]]:
    parts: list[NDArray[np.float32]] = []
    num_held = 0
    for pixels in pool:
        parts.append(pixels.scores_N[~pixels.truth_N])
        num_held += parts[-1].size
        if num_held >= _BLOCK_PIXELS:
            yield np.concatenate(parts)
            parts.clear()
            num_held = 0
    if num_held:
        yield np.concatenate(parts)


def _spread(count_V: NDArray[np.int64], num: int) -> NDArray[np.int64]:
    """Places of values that divide the pixels into parts of about equal number; the first is place 0."""
    stops_V = count_V.cumsum()
    wanted = np.linspace(0, stops_V[-1] - 1, num)
    places = np.searchsorted(stops_V, wanted, side="right")
    return np.unique(np.concatenate([[0], places]))


def _count_units(
    pool: Iterable[Pixels], threshold_K: NDArray[np.float32], quantiles: NDArray[np.float32]
) -> UnitCounts:
    by_unit: dict[int, tuple[NDArray[np.int64], NDArray[np.int64]]] = {}
    for pixels in pool:
        counted = tuple(
            _above(np.sort(pixels.scores_N[is_kind]), threshold_K, quantiles)
            for is_kind in (pixels.truth_N, ~pixels.truth_N)
        )
        before = by_unit.get(pixels.unit)
        by_unit[pixels.unit] = (
            (counted[0], counted[1]) if before is None else (before[0] + counted[0], before[1] + counted[1])
        )
    numbers = sorted(by_unit)
    return UnitCounts(
        unit_U=np.array(numbers, np.int64),
        positive_UE=np.stack([by_unit[number][0] for number in numbers]),
        negative_UE=np.stack([by_unit[number][1] for number in numbers]),
        num_thresholds=len(threshold_K),
    )


def _above(
    sorted_N: NDArray[np.float32], threshold_K: NDArray[np.float32], quantiles: NDArray[np.float32]
) -> NDArray[np.int64]:
    greater = np.searchsorted(sorted_N, threshold_K, side="right")
    at_least = np.searchsorted(sorted_N, quantiles, side="left")
    return sorted_N.size - np.concatenate([greater, at_least])


def _iou(
    positive: NDArray[np.integer], negative: NDArray[np.integer], num_positive: NDArray[np.integer] | int
) -> NDArray[np.float64]:
    """Intersection over union from the pixels above thresholds: the union is the class and the false ones."""
    return positive / (num_positive + negative)


def _binned(counts: UnitCounts, weight_XU: NDArray[np.int64]) -> NDArray[np.float64]:
    """[X, 2] average precision at quantiles, and best IoU; NaN where no positive pixel was drawn."""
    # NumPy multiplies integer matrices without BLAS, which is slow. Counts are far below 2**53, so float64 is
    # exact.
    positive_XE = weight_XU.astype(np.float64) @ counts.positive_UE.astype(np.float64)
    negative_XE = weight_XU.astype(np.float64) @ counts.negative_UE.astype(np.float64)
    first = counts.num_thresholds
    true_X, false_X = positive_XE[:, first:], negative_XE[:, first:]
    num_X1 = true_X[:, :1]  # all of them are at or above the least positive score
    with np.errstate(invalid="ignore", divide="ignore"):
        precision_X = true_X / (true_X + false_X)
        gained_X = np.diff(true_X, append=0) * -1
        precision = np.where(gained_X > 0, gained_X * precision_X, 0).sum(1) / num_X1[:, 0]
        iou = (positive_XE[:, :first] / (num_X1 + negative_XE[:, :first])).max(1)
    is_empty_X = num_X1[:, 0] == 0
    precision[is_empty_X] = iou[is_empty_X] = np.nan
    return np.stack([precision, iou], axis=1)
