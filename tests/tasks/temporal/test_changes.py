"""Whether anything changes: what is near is one state; a cut is told from noise, drift and alternation."""

from collections.abc import Callable

import numpy as np
import pytest
import torch
from torch import Tensor
from torch.nn import functional as F

from cavmae_sync.tasks.temporal.changes import LEAST_DISTANCE, has_sharp_border, join_near
from cavmae_sync.tasks.temporal.clustering import cluster_states

NUM_FRAMES, WIDTH = 16, 32


def noise(seed: int, *, size: float) -> Tensor:
    """Steady noise around one direction."""
    generator = torch.Generator().manual_seed(seed)
    vectors_TD = size * torch.randn(NUM_FRAMES, WIDTH, generator=generator)
    vectors_TD[:, 0] += 1
    return F.normalize(vectors_TD, dim=1)


def drift(seed: int) -> Tensor:
    """From one direction to another, evenly."""
    generator = torch.Generator().manual_seed(seed)
    first, last = torch.randn(2, WIDTH, generator=generator)
    part_T1 = torch.linspace(0, 1, NUM_FRAMES)[:, None]
    wobble_TD = 0.05 * torch.randn(NUM_FRAMES, WIDTH, generator=generator)
    return F.normalize((1 - part_T1) * first + part_T1 * last + wobble_TD, dim=1)


def cut(seed: int, *, at: int = 7) -> Tensor:
    """Two directions with a little noise."""
    vectors_TD = noise(seed, size=0.03)
    vectors_TD[at:] = vectors_TD[at:].roll(WIDTH // 2, dims=1)
    return vectors_TD


def alternation(seed: int) -> Tensor:
    """Two directions in turns, too fast to say what lasts."""
    vectors_TD = noise(seed, size=0.03)
    vectors_TD[::2] = vectors_TD[::2].roll(WIDTH // 2, dims=1)
    return vectors_TD


def test_what_hardly_differs_is_one_state():
    vectors_TD = noise(0, size=0.02)
    published = cluster_states(vectors_TD)
    assert published.num_labels > 1
    assert published.threshold is not None
    assert published.threshold < LEAST_DISTANCE
    joined = join_near(vectors_TD, published)
    assert joined.labels_T.tolist() == [0] * NUM_FRAMES
    assert (joined.path, joined.threshold) == (published.path, published.threshold)


def test_at_zero_it_is_the_published_rule():
    published = cluster_states(noise(0, size=0.02))
    assert join_near(noise(0, size=0.02), published, least_distance=0.0) is published


def test_a_real_change_stays_as_published():
    published = cluster_states(cut(0))
    assert join_near(cut(0), published) is published
    assert published.labels_T.tolist() == [0] * 7 + [1] * 9


def test_frames_of_a_joined_state_are_near():
    for seed in range(20):
        vectors_TD = noise(seed, size=0.05 + 0.01 * seed)
        found = join_near(vectors_TD, cluster_states(vectors_TD))
        distance_TT = 1 - vectors_TD @ vectors_TD.T
        if found.threshold is not None and found.threshold < LEAST_DISTANCE:
            same_TT = torch.from_numpy(found.labels_T[:, None] == found.labels_T)
            assert float(distance_TT[same_TT].max()) < LEAST_DISTANCE


@pytest.mark.parametrize(
    ("make", "least", "most"),
    [
        (cut, 18, 20),
        (drift, 0, 2),
        (alternation, 0, 0),
        (lambda seed: noise(seed, size=0.3), 0, 5),
    ],
    ids=["cut", "drift", "alternation", "noise"],
)
def test_only_a_cut_is_sharp(make: Callable[[int], Tensor], least: int, most: int):
    num_sharp = 0
    for seed in range(20):
        vectors_TD = make(seed)
        found = join_near(vectors_TD, cluster_states(vectors_TD))
        num_sharp += has_sharp_border(vectors_TD, found.labels_T)
    assert least <= num_sharp <= most


def test_without_a_border_nothing_is_sharp():
    assert not has_sharp_border(cut(0), np.zeros(NUM_FRAMES, dtype=np.int64))
