"""Views: which patches they show, how often, and in blocks."""

from itertools import pairwise

import pytest
import torch

from cavmae_sync.maps.views import Views, draw_views


def views(grid=(6, 6), block=(1, 1), num_views=36, ratio=0.9, seed=0) -> Views:
    return draw_views(grid, block=block, num_views=num_views, ratio=ratio, seed=seed)


def test_each_patch_is_shown_once_before_one_is_shown_again():
    found = views(num_views=27)  # 4 patches of 36 in each, so 9 views show all
    assert found.shown_VK.shape == (27, 4)
    assert (found.is_shown().view(3, 9, 36).sum(dim=1) == 1).all()


def test_a_rest_that_fills_no_view_waits_for_the_next_order():
    found = views(ratio=0.6, num_views=4)  # 14 patches in each view, 8 of 36 left over
    assert found.shown_VK.shape == (4, 14)
    assert [int(part.sum(dim=0).max()) for part in found.is_shown().view(2, 2, 36)] == [1, 1]


@pytest.mark.parametrize(("ratio", "shown"), [(0.001, 35), (0.5, 18), (0.9, 4), (0.999, 1)])
def test_at_least_one_is_shown_and_at_least_one_hidden(ratio: float, shown: int):
    assert views(ratio=ratio).shown_VK.shape == (36, shown)


def test_blocks_are_squares_that_go_on_at_the_opposite_border():
    starts = set()
    for row in views(block=(2, 2), ratio=0.85, num_views=180).is_shown().view(180, 6, 6):
        down, right = min((d, r) for d in range(6) for r in range(6) if row[[d, d - 5]][:, [r, r - 5]].all())
        assert int(row.sum()) == 4
        starts.add((down % 2, right % 2))
    assert starts == {(0, 0), (0, 1), (1, 0), (1, 1)}, "blocks begin at every place"


def test_columns_of_a_spectrogram_are_hidden_whole():
    is_shown = views(grid=(8, 6), block=(8, 1), ratio=0.5, num_views=10).is_shown().view(10, 8, 6)
    assert (is_shown == is_shown[:, :1]).all()
    assert (is_shown[:, 0].sum(dim=1) == 3).all()


def test_a_seed_gives_the_same_views_and_more_of_them_begin_alike():
    assert torch.equal(views(seed=3).shown_VK, views(seed=3).shown_VK)
    assert torch.equal(views(num_views=50).shown_VK[:36], views().shown_VK)
    drawn = [views(seed=seed).shown_VK for seed in range(3)]
    assert not any(torch.equal(one, other) for one, other in pairwise(drawn))


@pytest.mark.parametrize(("grid", "block"), [((6, 6), (4, 4)), ((6, 6), (6, 6)), ((1, 1), (1, 1))])
def test_blocks_must_fill_the_grid_and_be_two(grid, block):
    with pytest.raises(ValueError, match="at least two blocks"):
        views(grid=grid, block=block)
