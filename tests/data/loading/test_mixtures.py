"""Which clips are mixed, and what a classifier should say of them."""

import numpy as np
import torch

from cavmae_sync.data import Draw
from cavmae_sync.data.loading.mixtures import Mixing

DRAWS = [Draw(epoch, clip, occurrence) for epoch in range(5) for clip in range(100) for occurrence in (0, 1)]


def test_a_mixture_follows_from_the_draw_alone():
    mixing = Mixing(seed=3, num_clips=100, probability=0.5)
    assert [mixing.mixture_of(draw) for draw in DRAWS] == [
        mixing.mixture_of(draw) for draw in reversed(DRAWS)
    ][::-1]
    assert mixing.mixture_of(DRAWS[0]) != Mixing(seed=4, num_clips=100, probability=1.0).mixture_of(DRAWS[0])


def test_how_often_with_whom_and_how_much():
    mixtures = [Mixing(seed=0, num_clips=100, probability=0.5).mixture_of(draw) for draw in DRAWS]
    made = [mixture for mixture in mixtures if mixture is not None]
    assert 0.45 < len(made) / len(mixtures) < 0.55
    partners = np.bincount([mixture.partner for mixture in made], minlength=100)
    assert partners.min() >= 0
    assert (partners > 0).mean() > 0.9
    weights = np.array([mixture.weight for mixture in made])
    assert abs(weights.mean() - 0.5) < 0.02
    assert abs(weights.std() - (1 / (4 * 21)) ** 0.5) < 0.02  # Beta(10, 10)


def test_probability_zero_mixes_nothing_and_one_everything():
    assert all(Mixing(seed=0, num_clips=9, probability=0.0).mixture_of(draw) is None for draw in DRAWS)
    assert all(Mixing(seed=0, num_clips=9, probability=1.0).mixture_of(draw) is not None for draw in DRAWS)


def test_targets_by_hand():
    """Spec 1.13 for mixed clips: eps / C + (1 - eps) * share; spec 4.2 for clips that stay alone."""
    is_true_NC = torch.eye(4, dtype=torch.bool)
    mixing = Mixing(seed=0, num_clips=4, probability=0.5)
    draws = [Draw(0, clip % 4, clip) for clip in range(40)]
    targets_BC = mixing.targets(draws, is_true_NC, smoothing=0.1)
    alone = 0
    for draw, target_C in zip(draws, targets_BC, strict=True):
        mixture = mixing.mixture_of(draw)
        expected = [0.025] * 4
        if mixture is None:
            expected[draw.clip] = 0.9
            alone += 1
        else:
            expected[draw.clip] += 0.9 * mixture.weight
            expected[mixture.partner] += 0.9 * (1 - mixture.weight)
        torch.testing.assert_close(target_C, torch.tensor(expected))
    assert 0 < alone < 40
