"""Whether anything changes at all: what the published rule for states does not ask.

The rule (`segments`) always finds two states. Two questions come after it:

    do the states differ?    frames nearer than the rule's own least threshold are one state
    is a border sharp?       sharper than in made-up vectors that come and go as these do, but have no border

Letters: T frames, D width, F frequencies.
"""

from dataclasses import replace
from typing import Final

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from cavmae_sync.embedding.rows import unit_rows
from cavmae_sync.paper import MAX_STATES, STATE_THRESHOLD_LIMITS
from cavmae_sync.tasks.temporal.clustering import (
    Clustering,
    by_first_appearance,
    cluster_states,
    cosine_distances,
    linked,
)

#: Frames nearer than this are one state: the least threshold of the published search. It is twice the
#: temperature of training, so that the model gives two such frames odds of at most e**2, 7 to 1.
LEAST_DISTANCE: Final = STATE_THRESHOLD_LIMITS[0]
#: Made-up series. A border is sharp when at most one of these has a sharper one: 5 % by chance.
_NUM_SERIES: Final = 39
#: More frames are not asked about: each series is clustered as the real one was.
MOST_FRAMES: Final = 128


def join_near(vectors_TD: Tensor, found: Clustering, *, least_distance: float = LEAST_DISTANCE) -> Clustering:
    """The same states, but for those that hardly differ.

    Where the published search ended below a distance, the same tree is cut there instead, so that all frames
    of a state may be that far apart. Where it ended above, nothing changes.

    Args:
        vectors_TD: float32, unit rows, as `cluster_states` had them.
        found: What it found.
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
    """Whether a border is sharper than vectors without borders have them, that fluctuate and drift alike.

    A border is as sharp as the means of the two stretches beside it are apart, measured by how much vectors
    vary within stretches. Compared are series with the same spectrum and shuffled phases: their vectors lie
    as far apart and follow each other as closely, and are divided by the same rule, but any sudden change is
    spread over time. A slow pan, a steady noise and mostly a coming and going look like them; a cut does not.

    Args:
        vectors_TD: float32, unit rows, equally far apart in time.
        labels_T: Their states, by `cluster_states` and `join_near`.
        max_states: As for those.
        least_distance: As for those.
        seed: Of the made-up series.

    Source:
        Phases: Theiler et al. 1992; the same ones for all coordinates: Prichard and Theiler 1994.
    """
    own = _sharpest(vectors_TD, labels_T)
    generator = np.random.default_rng(seed)
    num_sharper = 0
    for _ in range(_NUM_SERIES):
        series_TD = _with_other_phases(vectors_TD, generator)
        found = cluster_states(series_TD, max_states=max_states, seed=seed)
        found = join_near(series_TD, found, least_distance=least_distance)
        num_sharper += _sharpest(series_TD, found.labels_T) >= own
        if num_sharper > 1:
            return False
    return own > 0


def _sharpest(vectors_TD: Tensor, labels_T: NDArray[np.integer]) -> float:
    """Squared distance of the means beside a border, by the variance within stretches.

    0 without a border, and where every frame is a stretch, so that nothing is known of what is within.
    """
    starts = np.flatnonzero(np.concatenate([[True], labels_T[1:] != labels_T[:-1]]))
    if len(starts) in (1, len(labels_T)):
        return 0.0
    vectors = vectors_TD.numpy().astype(np.float64)
    lengths_K = np.diff(np.append(starts, len(vectors)))
    means_KD = np.add.reduceat(vectors, starts) / lengths_K[:, None]
    within = ((vectors - np.repeat(means_KD, lengths_K, axis=0)) ** 2).sum()
    variance = within / (len(vectors) - len(starts))
    weights = 1 / (1 / lengths_K[1:] + 1 / lengths_K[:-1])
    between = weights * ((means_KD[1:] - means_KD[:-1]) ** 2).sum(axis=1)
    return float(between.max() / max(variance, np.finfo(np.float32).eps))


def _with_other_phases(vectors_TD: Tensor, generator: np.random.Generator) -> Tensor:
    vectors = vectors_TD.numpy().astype(np.float64)
    waves_FD = np.fft.rfft(vectors, axis=0)
    phases_F = np.exp(2j * np.pi * generator.random(len(waves_FD)))
    phases_F[0] = 1  # the mean stays
    if len(vectors) % 2 == 0:
        phases_F[-1] = generator.choice([-1, 1])  # half the rate has no other phase
    made = np.fft.irfft(waves_FD * phases_F[:, None], n=len(vectors), axis=0)
    return unit_rows(torch.from_numpy(made).float())
