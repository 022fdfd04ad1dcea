"""Temporal segmentation metrics: agreement of a predicted division of time with the true one.

A division of time has rising edges [K + 1] in seconds and a label for each of its K spans. Labels are
compared only within a division. Boundaries are the inner edges at which the label changes.

Letters: K spans, B boundaries.
"""

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray
from sklearn.metrics import adjusted_rand_score

#: Distance of the moments whose pairs the adjusted Rand index counts.
RAND_STEP_SECONDS: Final = 0.05


@dataclass(frozen=True, kw_only=True, slots=True)
class BoundaryMatches:
    """Numbers of boundaries, of one clip or summed over several.

    Attributes:
        num_matched: Pairs of a predicted and a true boundary within the tolerance, each used once.
        num_predicted: Predicted boundaries.
        num_true: True boundaries.
    """

    num_matched: int
    num_predicted: int
    num_true: int

    def __post_init__(self) -> None:
        """Refuse impossible counts."""
        if not 0 <= self.num_matched <= min(self.num_predicted, self.num_true):
            raise ValueError(
                f"{self.num_matched} matches of {self.num_predicted} predicted and {self.num_true} true "
                "boundaries are impossible."
            )

    def __add__(self, other: "BoundaryMatches") -> "BoundaryMatches":
        """Sum of the counts."""
        return BoundaryMatches(
            num_matched=self.num_matched + other.num_matched,
            num_predicted=self.num_predicted + other.num_predicted,
            num_true=self.num_true + other.num_true,
        )

    @property
    def precision(self) -> float | None:
        """Share of the predicted boundaries that are true; None without any. Higher is better."""
        return self.num_matched / self.num_predicted if self.num_predicted else None

    @property
    def recall(self) -> float | None:
        """Share of the true boundaries that were found; None without any. Higher is better."""
        return self.num_matched / self.num_true if self.num_true else None

    @property
    def f1(self) -> float:
        """F1 score, 2 matched / (predicted + true); 1 without any true or predicted boundary."""
        num_all = self.num_predicted + self.num_true
        return 2 * self.num_matched / num_all if num_all else 1.0


def boundaries(edges: NDArray[np.float64], labels_K: NDArray[np.integer]) -> NDArray[np.float64]:
    """Times at which the label changes: inner edges, without those between equal labels.

    >>> boundaries(np.array([0.0, 1.0, 2.0, 3.0]), np.array([0, 0, 1])).tolist()
    [2.0]
    """
    _check_division(edges, labels_K)
    return edges[1:-1][labels_K[1:] != labels_K[:-1]]


def match_boundaries(
    predicted_B: NDArray[np.float64], true_B: NDArray[np.float64], *, tolerance_seconds: float
) -> BoundaryMatches:
    """Largest matching of predicted and true boundaries, each boundary in at most one pair.

    Both are passed in order of time, and the earliest two within the tolerance are paired. This greedy
    matching is the largest: if an optimal matching leaves out the earliest possible pair, an exchange of
    partners brings it in without losing a pair.

    Args:
        predicted_B: Times in seconds, in any order, finite.
        true_B: The same for the truth.
        tolerance_seconds: Largest distance of a pair, inclusive.

    Raises:
        ValueError: A time is not finite, or the tolerance is negative.
    """
    predicted, true = np.sort(predicted_B).tolist(), np.sort(true_B).tolist()
    if not np.isfinite([*predicted, *true]).all() or not tolerance_seconds >= 0:
        raise ValueError(f"Times must be finite and the tolerance not negative, got {tolerance_seconds}.")
    i = j = num_matched = 0
    while i < len(predicted) and j < len(true):
        distance = predicted[i] - true[j]
        if abs(distance) <= tolerance_seconds:
            num_matched, i, j = num_matched + 1, i + 1, j + 1
        elif distance < 0:
            i += 1
        else:
            j += 1
    return BoundaryMatches(num_matched=num_matched, num_predicted=len(predicted), num_true=len(true))


def overlap_seconds(
    predicted_edges: NDArray[np.float64],
    predicted_labels: NDArray[np.integer],
    true_edges: NDArray[np.float64],
    true_labels: NDArray[np.integer],
) -> NDArray[np.float64]:
    """Time that each predicted label and each true label have in common.

    Args:
        predicted_edges: Rising edges of K spans, seconds.
        predicted_labels: Labels of the spans, from 0.
        true_edges: The same for the truth; both cover the same time.
        true_labels: Labels from 0.

    Returns:
        float64 [predicted labels, true labels], seconds; the sum is the length of the clip.

    Raises:
        ValueError: The divisions do not cover the same time, or are not valid.
    """
    _check_division(predicted_edges, predicted_labels)
    _check_division(true_edges, true_labels)
    if not np.allclose(predicted_edges[[0, -1]], true_edges[[0, -1]], atol=1e-6):
        raise ValueError(
            f"Both must cover the same time, got {predicted_edges[[0, -1]]} and {true_edges[[0, -1]]} s."
        )
    edges = np.unique(np.concatenate([predicted_edges[:-1], true_edges]))
    middles = (edges[1:] + edges[:-1]) / 2
    overlap = np.zeros((predicted_labels.max() + 1, true_labels.max() + 1))
    place = labels_at(middles, predicted_edges, predicted_labels), labels_at(middles, true_edges, true_labels)
    np.add.at(overlap, place, np.diff(edges))
    return overlap


def purity(overlap: NDArray[np.float64]) -> float:
    """Share of the time in which the most frequent true label of the predicted label holds.

    Higher is better, in (0, 1]. It grows with the number of predicted labels: one label for each moment has
    purity 1. So it is read with `coverage`, which is the same with the roles exchanged: one single span has
    coverage 1.

    Args:
        overlap: Result of `overlap_seconds`.
    """
    return float(overlap.max(axis=1).sum() / overlap.sum())


def coverage(overlap: NDArray[np.float64]) -> float:
    """Share of the time in which the most frequent predicted label of the true label holds; see `purity`."""
    return purity(overlap.T)


def rand_index(
    predicted_edges: NDArray[np.float64],
    predicted_labels: NDArray[np.integer],
    true_edges: NDArray[np.float64],
    true_labels: NDArray[np.integer],
) -> float:
    """Adjusted Rand index of moments 50 ms apart: agreement on which moments belong to the same state.

    1 is perfect; 0 is the score of labels drawn at random for each moment. Random spans score higher, because
    neighbouring moments belong together in the truth too: compare with spans of equal length. One single span
    scores 0 against several, and 1 against one.

    Args:
        predicted_edges: Rising edges, seconds.
        predicted_labels: Labels of the spans.
        true_edges: The same for the truth; both cover the same time.
        true_labels: Labels of the spans.
    """
    start, stop = true_edges[0], true_edges[-1]
    num_moments = max(round((stop - start) / RAND_STEP_SECONDS), 1)
    moments = start + (np.arange(num_moments) + 0.5) * (stop - start) / num_moments
    return float(
        adjusted_rand_score(
            labels_at(moments, true_edges, true_labels),
            labels_at(moments, predicted_edges, predicted_labels),
        )
    )


def labels_at(
    seconds: NDArray[np.float64], edges: NDArray[np.float64], labels_K: NDArray[np.integer]
) -> NDArray[np.integer]:
    """Labels at some times; at an edge, the label of the span that begins there."""
    return labels_K[np.clip(np.searchsorted(edges, seconds, side="right") - 1, 0, len(labels_K) - 1)]


def _check_division(edges: NDArray[np.float64], labels_K: NDArray[np.integer]) -> None:
    if edges.ndim != 1 or labels_K.ndim != 1 or len(edges) != len(labels_K) + 1 or len(labels_K) == 0:
        raise ValueError(f"K spans have K + 1 edges, got {edges.shape} and {labels_K.shape}.")
    if not (np.isfinite(edges).all() and (np.diff(edges) >= 0).all() and edges[-1] > edges[0]):
        raise ValueError(f"Edges must rise and be finite, got {edges}.")
    if labels_K.min() < 0:
        raise ValueError(f"Labels count from 0, got {labels_K}.")
