"""Vectors of a video's frames in, stretches of one state out.

    frames   0  1  2  3  4  5          labels   0  0  1  1  0  0
    runs     [0  1] [2  3] [4  5]      borders half-way between the neighbours 1, 2 and 3, 4

The clustering does not know about time, so that a state that comes back gets its label back.

Letters: T frames, D width.
"""

import math
from dataclasses import dataclass
from typing import Final, Literal

import numpy as np
import torch
from numpy.typing import NDArray
from sklearn.cluster import AgglomerativeClustering, KMeans
from torch import Tensor

from cavmae_sync.choices import Modalities
from cavmae_sync.embedding.rows import unit_rows
from cavmae_sync.embedding.types import check_unit_rows
from cavmae_sync.paper import (
    MAX_STATES,
    STATE_DISTANCE_PERCENTILE,
    STATE_THRESHOLD_FACTORS,
    STATE_THRESHOLD_LIMITS,
)

#: 1.2 * 0.8 = 0.96 can go round and round a jump of the number of clusters; this ends it.
MAX_ITERATIONS: Final = 100
#: Starts of k-means, of which the best is taken.
_NUM_STARTS: Final = 10

#: Which way the labels were found. "single": there was nothing to tell apart.
ClusteringPath = Literal["agglomerative", "k_means", "single"]


@dataclass(frozen=True, kw_only=True, slots=True)
class Clustering:
    """States of frames, and how they were found.

    Attributes:
        labels_T: int64, numbered from 0 by first appearance.
        path: "agglomerative"; "k_means" where no threshold gave an accepted number of states; "single" for
            one frame or equal vectors.
        num_iterations: Thresholds that were tried.
        threshold: The last of them, a cosine distance; None where none was needed.
    """

    labels_T: NDArray[np.int64]
    path: ClusteringPath
    num_iterations: int
    threshold: float | None

    @property
    def num_labels(self) -> int:
        """Different states."""
        return int(self.labels_T.max()) + 1


@dataclass(frozen=True, kw_only=True, slots=True)
class Segment:
    """A stretch of one state.

    Attributes:
        start_seconds: From the start of the file.
        stop_seconds: Where the next one starts, or the end.
        label: Number of the state, from 0; equal numbers are the same state.
    """

    start_seconds: float
    stop_seconds: float
    label: int

    def __post_init__(self) -> None:
        """Refuse what is no stretch of time."""
        if not (math.isfinite(self.start_seconds) and self.start_seconds <= self.stop_seconds < math.inf):
            raise ValueError(f"A segment cannot last from {self.start_seconds} to {self.stop_seconds} s.")
        if self.label < 0:
            raise ValueError(f"Labels count from 0, got {self.label}.")

    @property
    def name(self) -> str:
        """The label as a letter: A to Z, then AA, AB and so on."""
        return letters(self.label)


def letters(label: int) -> str:
    """A label as people read it.

    >>> letters(0), letters(25), letters(26)
    ('A', 'Z', 'AA')
    """
    before, last = divmod(label, 26)
    return (letters(before - 1) if before else "") + chr(ord("A") + last)


def state_vectors(audio_TD: Tensor, visual_TD: Tensor, *, modality: Modalities) -> Tensor:
    """What is compared: the vectors of one modality, or of both, one after the other, brought to length 1.

    Args:
        audio_TD: float32, unit rows.
        visual_TD: float32, unit rows.
        modality: "audio", "visual" or "both".

    Returns:
        float32 [T, D], or [T, 2 D] for both; unit rows.

    Source:
        Spec 4.6; paper Figure 6.
    """
    check_unit_rows(audio_TD, name="audio_TD", num_axes=2)
    check_unit_rows(visual_TD, name="visual_TD", num_axes=2)
    if modality == "both":
        return unit_rows(torch.cat([audio_TD, visual_TD], dim=1))
    return audio_TD if modality == "audio" else visual_TD


def cluster_states(vectors_TD: Tensor, *, max_states: int = MAX_STATES, seed: int = 0) -> Clustering:
    """Which frames are alike, by the published rule. It finds at least two states wherever vectors differ.

    The first threshold is the 75th percentile of all cosine distances between two frames. As long as
    clustering with it (agglomerative, complete linkage) gives more states than wanted, it grows by 1.2; fewer
    than two, it shrinks by 0.8. Once it leaves [0.1, 1], or after 100 trials, k-means with
    k = max(min(max_states, T // 2), 2) is taken instead.

    Args:
        vectors_TD: float32, unit rows. Memory grows with T squared: 8 bytes for each pair of frames.
        max_states: Most states, at least 2.
        seed: Of k-means.

    Raises:
        ValueError: Rows are not unit vectors (NaN is none), or `max_states` is below 2.

    Source:
        Spec 4.6.
    """
    check_unit_rows(vectors_TD, name="vectors_TD", num_axes=2)
    if max_states < 2:
        raise ValueError(f"max_states={max_states}: the rule tells at least two states apart.")
    if bool((vectors_TD == vectors_TD[0]).all()):
        labels_T = np.zeros(len(vectors_TD), dtype=np.int64)
        return Clustering(labels_T=labels_T, path="single", num_iterations=0, threshold=None)
    distance_TT = cosine_distances(vectors_TD)
    found = _find_threshold(distance_TT, max_states=max_states)
    if found.num_states is None:
        num_states = max(min(max_states, len(vectors_TD) // 2), 2)
        labels_T = _k_means(vectors_TD, num_states=num_states, seed=seed)
    else:
        labels_T = _agglomerative(found.num_states).fit_predict(distance_TT)
    return Clustering(
        labels_T=by_first_appearance(labels_T),
        path="k_means" if found.num_states is None else "agglomerative",
        num_iterations=found.num_iterations,
        threshold=found.threshold,
    )


def by_first_appearance(labels_T: NDArray[np.integer]) -> NDArray[np.int64]:
    """The same labels, numbered in the order in which they come.

    >>> by_first_appearance(np.array([7, 7, 2, 7])).tolist()
    [0, 0, 1, 0]
    """
    _, first, place_T = np.unique(labels_T, return_index=True, return_inverse=True)
    return np.argsort(np.argsort(first))[place_T].astype(np.int64)


def runs_of_labels(
    labels_T: NDArray[np.integer],
    seconds_T: NDArray[np.float64],
    *,
    start_seconds: float,
    stop_seconds: float,
) -> tuple[Segment, ...]:
    """Labels of moments as stretches without gaps, borders half-way between neighbours that differ.

    Args:
        labels_T: State of each moment.
        seconds_T: When they are, never decreasing.
        start_seconds: Where the first stretch starts.
        stop_seconds: Where the last one stops.

    Source:
        Spec 4.6, required; the development code draws one stretch from a label's first to its last moment.
    """
    if labels_T.shape != seconds_T.shape or labels_T.ndim != 1 or len(labels_T) == 0:
        raise ValueError(f"Each label needs a time, got {labels_T.shape} labels and {seconds_T.shape} times.")
    if not (
        start_seconds <= seconds_T[0] and seconds_T[-1] <= stop_seconds and (np.diff(seconds_T) >= 0).all()
    ):
        raise ValueError(f"Times must rise from {start_seconds} to {stop_seconds} s, got {seconds_T}.")
    changes = np.flatnonzero(labels_T[1:] != labels_T[:-1])
    middles = ((seconds_T[changes] + seconds_T[changes + 1]) / 2).tolist()
    starts = [start_seconds, *middles]
    stops = [*middles, stop_seconds]
    labels = labels_T[[0, *(changes + 1)]].tolist()
    return tuple(
        Segment(start_seconds=start, stop_seconds=stop, label=number)
        for start, stop, number in zip(starts, stops, labels, strict=True)
    )


def without_short(
    edges: NDArray[np.float64], labels_K: NDArray[np.integer], *, min_seconds: float
) -> tuple[NDArray[np.float64], NDArray[np.integer]]:
    """Stretches with the short ones given away, the shortest first, until none is left.

    Equal neighbours become one. A short stretch between two different ones is shared by halves; at an end its
    one neighbour takes it.

    Args:
        edges: float64 [K + 1], rising, seconds.
        labels_K: Labels of the stretches.
        min_seconds: What a stretch must last to stay.
    """
    edges, labels_K = _joined(edges, labels_K)
    while len(labels_K) > 1 and (lengths := np.diff(edges)).min() < min_seconds:
        k = int(lengths.argmin())
        middle = (edges[k] + edges[k + 1]) / 2
        if k == 0:
            edges = np.delete(edges, 1)
        elif k == len(labels_K) - 1:
            edges = np.delete(edges, k)
        else:
            edges = np.concatenate([edges[:k], [middle], edges[k + 2 :]])
        edges, labels_K = _joined(edges, np.delete(labels_K, k))
    return edges, labels_K


@dataclass(frozen=True, kw_only=True, slots=True)
class _Found:
    num_states: int | None
    num_iterations: int
    threshold: float


def _find_threshold(distance_TT: NDArray[np.float64], *, max_states: int) -> _Found:
    """The published search. The tree of merges is the same for every threshold, so it is built once."""
    low, high = STATE_THRESHOLD_LIMITS
    shrink, grow = STATE_THRESHOLD_FACTORS
    pairs = distance_TT[np.triu_indices(len(distance_TT), k=1)]
    threshold = float(np.percentile(pairs, STATE_DISTANCE_PERCENTILE))
    merges = _agglomerative(1).fit(distance_TT).distances_
    for tried in range(1, MAX_ITERATIONS + 1):
        num_states = int((merges >= threshold).sum()) + 1
        if 2 <= num_states <= max_states:
            return _Found(num_states=num_states, num_iterations=tried, threshold=threshold)
        threshold *= grow if num_states > max_states else shrink
        if not low <= threshold <= high:
            break
    return _Found(num_states=None, num_iterations=tried, threshold=threshold)


def linked(distance_TT: NDArray[np.float64], *, threshold: float) -> NDArray[np.integer]:
    """States of which no two frames are farther apart than a threshold (complete linkage)."""
    merges = _agglomerative(1).fit(distance_TT).distances_
    return _agglomerative(int((merges >= threshold).sum()) + 1).fit_predict(distance_TT)


def _agglomerative(num_states: int) -> AgglomerativeClustering:
    return AgglomerativeClustering(
        n_clusters=num_states, metric="precomputed", linkage="complete", compute_distances=True
    )


def cosine_distances(vectors_TD: Tensor) -> NDArray[np.float64]:
    """Of all pairs of frames, float64 [T, T] in [0, 2]."""
    vectors = vectors_TD.numpy().astype(np.float64)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    distance_TT = np.clip(1 - vectors @ vectors.T, 0, 2)
    np.fill_diagonal(distance_TT, 0)
    return distance_TT


def _k_means(vectors_TD: Tensor, *, num_states: int, seed: int) -> NDArray[np.integer]:
    num_distinct = len(np.unique(vectors_TD.numpy(), axis=0))
    means = KMeans(n_clusters=min(num_states, num_distinct), n_init=_NUM_STARTS, random_state=seed)
    return means.fit_predict(vectors_TD.numpy().astype(np.float64))


def _joined(
    edges: NDArray[np.float64], labels_K: NDArray[np.integer]
) -> tuple[NDArray[np.float64], NDArray[np.integer]]:
    """Without the edges between equal labels."""
    starts = np.concatenate([[True], labels_K[1:] != labels_K[:-1]])
    return np.concatenate([edges[:-1][starts], edges[-1:]]), labels_K[starts]
