"""States of frames: vectors of a video's frames in, a label for each frame out.

The clustering does not know about time, so that a state that comes back gets its label back.

Letters: T frames, D width.
"""

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
from cavmae_sync.tasks.temporal.spans import by_first_appearance

#: Growing by 1.2 and shrinking by 0.8 can alternate for ever around a threshold at which the number of
#: clusters jumps; this ends it.
MAX_ITERATIONS: Final = 100
#: Random starts of k-means; the best one counts.
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


def state_vectors(audio_TD: Tensor, visual_TD: Tensor, *, modality: Modalities) -> Tensor:
    """Vectors to cluster: those of one modality, or of both one after the other, brought to length 1.

    Args:
        audio_TD: float32, unit rows.
        visual_TD: float32, unit rows.
        modality: "audio", "visual" or "both".

    Returns:
        float32 [T, D], or [T, 2 D] for both; unit rows.

    Source:
        Paper Figure 6; rule from the development code.
    """
    check_unit_rows(audio_TD, name="audio_TD", num_axes=2)
    check_unit_rows(visual_TD, name="visual_TD", num_axes=2)
    if modality == "both":
        return unit_rows(torch.cat([audio_TD, visual_TD], dim=1))
    return audio_TD if modality == "audio" else visual_TD


def cluster_states(vectors_TD: Tensor, *, max_states: int = MAX_STATES, seed: int = 0) -> Clustering:
    """States of frames by the published rule, which finds at least two wherever vectors differ.

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
        Paper Figure 6; rule from the development code.
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
    """Cosine distances of all pairs of frames, float64 [T, T] in [0, 2]."""
    vectors = vectors_TD.numpy().astype(np.float64)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    distance_TT = np.clip(1 - vectors @ vectors.T, 0, 2)
    np.fill_diagonal(distance_TT, 0)
    return distance_TT


def _k_means(vectors_TD: Tensor, *, num_states: int, seed: int) -> NDArray[np.integer]:
    # k-means warns where there are more clusters than distinct vectors.
    num_distinct = len(np.unique(vectors_TD.numpy(), axis=0))
    means = KMeans(n_clusters=min(num_states, num_distinct), n_init=_NUM_STARTS, random_state=seed)
    return means.fit_predict(vectors_TD.numpy().astype(np.float64))
