"""Changes: whether the states of a video really differ, which the published rule does not ask.

The rule (`clustering`) always finds two states. Two questions come after it:

    do the states differ?    frames nearer than the rule's own least threshold are one state
    is a border sharp?       sharper than in surrogate vectors that vary as these do, but have no border

Letters: T frames, D width, F frequencies, K spans.
"""

from dataclasses import replace
from typing import Final

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from cavmae_sync.embedding.rows import unit_rows
from cavmae_sync.metrics.runs import run_edges
from cavmae_sync.paper import MAX_STATES, STATE_THRESHOLD_LIMITS
from cavmae_sync.tasks.temporal.clustering import (
    Clustering,
    cluster_states,
    cosine_distances,
    linked,
)
from cavmae_sync.tasks.temporal.spans import by_first_appearance

#: Frames nearer than this are one state: the least threshold of the published search. It is twice the
#: temperature of training, so that the model gives two such frames odds of at most e**2, 7 to 1.
LEAST_DISTANCE: Final = STATE_THRESHOLD_LIMITS[0]
#: Surrogate series. A border is sharp when at most one of them has a sharper one: 5 % by chance.
_NUM_SURROGATES: Final = 39
#: Sharpness is measured of up to so many frames, in about a second: each surrogate is clustered too.
MOST_FRAMES: Final = 128


def join_near(vectors_TD: Tensor, found: Clustering, *, least_distance: float = LEAST_DISTANCE) -> Clustering:
    """Clustering with the states joined that hardly differ.

    Where the published search ended below a distance, the same tree is cut there instead, so that all frames
    of a state may be that far apart. Where it ended above, nothing changes.

    Args:
        vectors_TD: float32, unit rows, as given to `cluster_states`.
        found: Its result.
        least_distance: Cosine distance, in [0, 1]; 0 leaves everything as published.
    """
    if found.threshold is None or found.threshold >= least_distance:
        return found
    labels_T = linked(cosine_distances(vectors_TD), threshold=least_distance)
    return replace(found, labels_T=by_first_appearance(labels_T))


def has_sharp_border(
    vectors_TD: Tensor,
    labels_T: NDArray[np.integer],
    *,
    max_states: int = MAX_STATES,
    least_distance: float = LEAST_DISTANCE,
    seed: int = 0,
) -> bool:
    """Whether a border is sharper than the borders found in surrogate vectors, which have no real one.

    The sharpness of a border is the distance of the mean vectors of the two spans beside it, in units of the
    spread within spans. Surrogates have the spectrum of the vectors and random phases: they lie as far apart,
    follow each other as closely and are divided by the same rule, but any sudden change is spread over time.
    A slow pan, steady noise and most alternations look like their surrogates; a cut does not.

    Args:
        vectors_TD: float32, unit rows, equally far apart in time.
        labels_T: Their states, by `cluster_states` and `join_near`.
        max_states: As for those.
        least_distance: As for those.
        seed: Of k-means and of the surrogates.

    Source:
        Phases: Theiler et al. 1992; the same ones for all coordinates: Prichard and Theiler 1994.
    """
    own = _sharpness(vectors_TD, labels_T)
    generator = np.random.default_rng(seed)
    num_sharper = 0
    for _ in range(_NUM_SURROGATES):
        surrogate_TD = _with_random_phases(vectors_TD, generator)
        found = cluster_states(surrogate_TD, max_states=max_states, seed=seed)
        found = join_near(surrogate_TD, found, least_distance=least_distance)
        num_sharper += _sharpness(surrogate_TD, found.labels_T) >= own
        if num_sharper > 1:
            return False
    return own > 0


def _sharpness(vectors_TD: Tensor, labels_T: NDArray[np.integer]) -> float:
    """Sharpness of the sharpest border: squared distance of the means beside it, by the variance in spans.

    0 without a border, and where every frame is a span of its own: there is no variance within spans then.
    """
    first_K = run_edges(labels_T)[:-1]
    if len(first_K) in (1, len(labels_T)):
        return 0.0
    vectors = vectors_TD.numpy().astype(np.float64)
    lengths_K = np.diff(run_edges(labels_T))
    means_KD = np.add.reduceat(vectors, first_K) / lengths_K[:, None]
    within = ((vectors - np.repeat(means_KD, lengths_K, axis=0)) ** 2).sum()
    variance = within / (len(vectors) - len(first_K))
    weights = 1 / (1 / lengths_K[1:] + 1 / lengths_K[:-1])
    between = weights * ((means_KD[1:] - means_KD[:-1]) ** 2).sum(axis=1)
    return float(between.max() / max(variance, np.finfo(np.float32).eps))


def _with_random_phases(vectors_TD: Tensor, generator: np.random.Generator) -> Tensor:
    """Unit rows with the spectrum over time of others; one phase for all coordinates keeps their relation."""
    vectors = vectors_TD.numpy().astype(np.float64)
    waves_FD = np.fft.rfft(vectors, axis=0)
    phases_F = np.exp(2j * np.pi * generator.random(len(waves_FD)))
    phases_F[0] = 1  # the mean stays
    if len(vectors) % 2 == 0:
        phases_F[-1] = generator.choice(
            [-1, 1]
        )  # the wave of half the frame rate is real: its phase is a sign
    surrogate = np.fft.irfft(waves_FD * phases_F[:, None], n=len(vectors), axis=0)
    return unit_rows(torch.from_numpy(surrogate).float())
