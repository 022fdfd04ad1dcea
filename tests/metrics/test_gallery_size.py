"""Recall expected at another gallery size: by hand, by every subset, by brute-force resampling."""

import itertools
import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from cavmae_sync.metrics import (
    expected_recall,
    expected_recall_samples,
    interval,
    recall_at_k,
    true_match_ranks,
)


def seeded(seed=0):
    return torch.Generator().manual_seed(seed)


def matrix(num_clips, *, strength, seed=0):
    return torch.randn(num_clips, num_clips, generator=seeded(seed)) + strength * torch.eye(num_clips)


def every_subset(similarity, *, size, k):
    """R@k over all galleries of `size` items that keep the query's own, counted one by one."""
    closer = (similarity > similarity.diagonal()[:, None]).int().tolist()
    hits = []
    for query, row in enumerate(closer):
        others = row[:query] + row[query + 1 :]
        hits += [sum(part) < k for part in itertools.combinations(others, size - 1)]
    return float(np.mean(hits))


def test_three_clips_worked_by_hand():
    # Ranks 0, 1, 2. With one foreign item: always found; found if the one closer item of two is not drawn
    # (1/2); never. With none: always.
    ranks = torch.tensor([0.0, 1.0, 2.0])
    assert expected_recall(ranks, num_gallery=3, size=2)["recall_at_1"] == pytest.approx((1 + 0.5 + 0) / 3)
    assert expected_recall(ranks, num_gallery=3, size=1)["recall_at_1"] == 1
    assert expected_recall(ranks, num_gallery=3, size=3)["recall_at_1"] == pytest.approx(1 / 3)


def test_a_gallery_of_the_own_item_alone():
    assert expected_recall(torch.zeros(1), num_gallery=1, size=1) == dict.fromkeys(
        ("recall_at_1", "recall_at_5", "recall_at_10"), 1.0
    )


@pytest.mark.parametrize("size", range(1, 11))
def test_smaller_galleries_equal_the_mean_over_every_subset(size):
    similarity = matrix(10, strength=1.0)
    found = expected_recall(true_match_ranks(similarity), num_gallery=10, size=size)
    for k in (1, 5):
        assert found[f"recall_at_{k}"] == pytest.approx(every_subset(similarity, size=size, k=k))


def test_smaller_galleries_equal_random_subsets_of_a_matrix():
    similarity = matrix(60, strength=1.5)
    generator = np.random.default_rng(0)
    drawn = []
    for _ in range(1000):
        part = torch.from_numpy(generator.permutation(60)[:25].copy())
        drawn.append(recall_at_k(true_match_ranks(similarity[part][:, part]), k=1))
    found = expected_recall(true_match_ranks(similarity), num_gallery=60, size=25)["recall_at_1"]
    assert found == pytest.approx(np.mean(drawn), abs=4 * np.std(drawn) / math.sqrt(len(drawn)))


@given(st.lists(st.integers(0, 39), min_size=1, max_size=40), st.integers(0, 39))
@settings(max_examples=10)
def test_the_same_size_gives_the_recall_itself(whole, half):
    ranks = torch.tensor([*whole, min(half + 0.5, 39)], dtype=torch.float64)
    found = expected_recall(ranks, num_gallery=40, size=40)
    assert found == {f"recall_at_{k}": pytest.approx(recall_at_k(ranks, k=k)) for k in (1, 5, 10)}


@given(st.lists(st.integers(0, 39), min_size=2, max_size=40))
@settings(max_examples=10)
def test_recall_never_rises_with_the_gallery(whole):
    ranks = torch.tensor(whole, dtype=torch.float64)
    found = [expected_recall(ranks, num_gallery=40, size=size) for size in (1, 10, 39, 40, 41, 80, 160)]
    for smaller, larger in itertools.pairwise(found):
        assert all(larger[name] <= smaller[name] + 1e-9 for name in smaller)
        assert larger["recall_at_1"] <= larger["recall_at_5"] + 1e-9 <= larger["recall_at_10"] + 2e-9


def test_all_found_stay_found_and_the_last_stay_last():
    num_clips = 200
    first, last = torch.zeros(num_clips), torch.full((num_clips,), num_clips - 1.0)
    assert expected_recall(first, num_gallery=num_clips, size=400)["recall_at_1"] > 0.97
    assert expected_recall(last, num_gallery=num_clips, size=400)["recall_at_10"] == 0
    # A score that is not a number: the worst rank, in a part of the gallery as well.
    assert expected_recall(last, num_gallery=num_clips, size=11)["recall_at_10"] == 0
    assert expected_recall(last, num_gallery=num_clips, size=10)["recall_at_10"] == 1


@pytest.mark.parametrize("strength", [0.0, 1.5, 3.0])
def test_a_larger_gallery_is_predicted_from_random_survivors(strength):
    similarity = matrix(400, strength=strength)
    truth = recall_at_k(true_match_ranks(similarity), k=1)
    generator = np.random.default_rng(1)
    predicted = []
    for _ in range(8):
        kept = torch.from_numpy(generator.permutation(400)[:280].copy())
        ranks = true_match_ranks(similarity[kept][:, kept])
        predicted.append(expected_recall(ranks, num_gallery=280, size=400)["recall_at_1"])
    assert np.mean(predicted) == pytest.approx(truth, abs=0.02)


def test_intervals_over_clips_are_wider_than_over_what_is_missing():
    ranks = torch.stack([true_match_ranks(matrix(300, strength=2.0, seed=seed)) for seed in (0, 1)])

    def width(size, over):
        samples = expected_recall_samples(
            ranks, num_gallery=300, size=size, num_resamples=200, generator=seeded(), over=over
        )
        found = interval(samples["recall_at_5"][1])
        return found.high - found.low

    assert 0 == width(300, "missing") < width(330, "missing") < width(450, "missing") < width(450, "clips")


def test_samples_at_the_same_size_are_those_of_the_recall():
    ranks = true_match_ranks(matrix(300, strength=2.0))[None]
    samples = expected_recall_samples(
        ranks, num_gallery=300, size=300, num_resamples=1000, generator=seeded()
    )["recall_at_1"][0]
    value = recall_at_k(ranks[0], k=1)
    assert samples.mean() == pytest.approx(value, abs=0.005)
    assert samples.std() == pytest.approx(math.sqrt(value * (1 - value) / 300), rel=0.1)


def test_the_generator_alone_decides_the_samples():
    ranks = true_match_ranks(matrix(50, strength=1.0))[None]

    def draw(seed):
        return expected_recall_samples(
            ranks, num_gallery=50, size=80, num_resamples=5, generator=seeded(seed), over="missing"
        )["recall_at_1"]

    assert draw(1).equal(draw(1))
    assert not draw(1).equal(draw(2))


def test_what_makes_no_sense_is_refused():
    ranks = torch.tensor([0.0, 2.0])
    with pytest.raises(ValueError, match=r"lie in \[0, 1\]"):
        expected_recall(ranks, num_gallery=2, size=2)
    with pytest.raises(ValueError, match="ask for 1 to 40"):
        expected_recall(ranks, num_gallery=10, size=41)
    with pytest.raises(ValueError, match="at least one rank"):
        expected_recall(ranks[:0], num_gallery=10, size=10)
    with pytest.raises(ValueError, match="cannot lack some"):
        expected_recall_samples(
            ranks[None], num_gallery=10, size=9, num_resamples=1, generator=seeded(), over="missing"
        )
