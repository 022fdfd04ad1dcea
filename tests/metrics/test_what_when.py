"""Vectors without WHEN or without WHAT: worked by hand, by a second implementation, and at their ends."""

import numpy as np
import pytest
import torch
from torch.nn import functional as F

from cavmae_sync.metrics.what_when import frame_orders, with_permuted_frames, without_clip_means


def seeded(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def random_units(*shape: int) -> torch.Tensor:
    return F.normalize(torch.randn(*shape, generator=seeded()), dim=-1)


def test_orders_are_permutations_in_which_no_frame_stays():
    orders = frame_orders(500, 7, generator=seeded())
    assert torch.equal(orders.sort(dim=1).values, torch.arange(7).expand(500, -1))
    assert not (orders == torch.arange(7)).any()


def test_every_other_place_is_equally_likely():
    orders = frame_orders(30_000, 5, generator=seeded())
    for place in range(5):
        shares = torch.bincount(orders[:, place], minlength=5) / 30_000
        expected = torch.full((5,), 0.25).index_fill(0, torch.tensor(place), 0.0)
        torch.testing.assert_close(shares, expected, atol=0.012, rtol=0)


def test_two_frames_change_places_and_one_cannot():
    assert frame_orders(3, 2, generator=seeded()).tolist() == [[1, 0]] * 3
    with pytest.raises(ValueError, match="2 at least, got 1"):
        frame_orders(3, 1, generator=seeded())


def test_each_clip_keeps_its_own_frames_and_the_seed_gives_their_order():
    vectors = random_units(20, 6, 3)
    moved = with_permuted_frames(vectors, generator=seeded(3))
    assert torch.equal(moved, with_permuted_frames(vectors, generator=seeded(3)))
    assert not torch.equal(moved, with_permuted_frames(vectors, generator=seeded(4)))
    for before, after in zip(vectors, moved, strict=True):
        assert sorted(before.tolist()) == sorted(after.tolist())


def test_means_removed_worked_by_hand():
    """Of (1, 0) and (0, 1) the mean is (1/2, 1/2): what is left points away from it, one each way."""
    found = without_clip_means(torch.eye(2)[None])
    torch.testing.assert_close(found.vectors_NTD, torch.tensor([[[1.0, -1.0], [-1.0, 1.0]]]) / 2**0.5)
    assert found.num_zero == 0


def test_means_removed_equal_a_numpy_second_implementation():
    vectors = random_units(5, 4, 3)
    expected = np.empty((5, 4, 3))
    for clip in range(5):
        mean = vectors[clip].numpy().astype(float).mean(axis=0)
        for t in range(4):
            left = vectors[clip, t].numpy() - mean
            expected[clip, t] = left / np.sqrt((left**2).sum())
    np.testing.assert_allclose(without_clip_means(vectors).vectors_NTD, expected, atol=1e-5)


def test_a_clip_that_never_changes_is_zero_and_counted():
    vectors = random_units(3, 1, 64).repeat(1, 16, 1)
    found = without_clip_means(vectors)
    assert found.num_zero == 48
    assert not found.vectors_NTD.any()


def test_a_broken_row_breaks_no_other():
    vectors = random_units(2, 4, 3)
    vectors[0, 1] = torch.nan
    found = without_clip_means(vectors)
    assert found.vectors_NTD.isnan().any(dim=2).tolist() == [[False, True, False, False], [False] * 4]
    rest = without_clip_means(vectors[:1, [0, 2, 3]]).vectors_NTD
    torch.testing.assert_close(found.vectors_NTD[:1, [0, 2, 3]], rest)
    assert found.num_zero == 0
