import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from cavmae_sync.metrics import (
    chance_metrics,
    count_nan,
    median_rank,
    official_ranks,
    recall_at_k,
    retrieval_metrics,
    true_match_ranks,
)

NAN = math.nan


def seeded(seed=0):
    return torch.Generator().manual_seed(seed)


def test_ranks_worked_by_hand():
    similarity = torch.tensor(
        [
            [0.9, 0.1, 0.2],  # own item first
            [0.5, 0.4, 0.3],  # one closer
            [0.8, 0.7, 0.6],  # two closer
        ]
    )
    assert true_match_ranks(similarity).tolist() == [0, 1, 2]
    assert true_match_ranks(similarity).dtype == torch.float64


@pytest.mark.parametrize(
    ("ties", "ranks"), [("optimistic", [1, 0]), ("mean", [2, 0.5]), ("pessimistic", [3, 1])]
)
def test_ties_take_the_first_the_middle_or_the_last_shared_place(ties, ranks):
    similarity = torch.tensor([[0.5, 0.9, 0.5, 0.5], [0.2, 0.7, 0.7, 0.1]])
    assert true_match_ranks(similarity, ties=ties).tolist() == ranks


def test_a_score_that_is_not_a_number_ranks_last_and_is_counted():
    similarity = torch.tensor([[NAN, 0.1, 0.2], [NAN, 0.4, 0.3], [NAN, NAN, NAN]])
    for ties in ("mean", "optimistic", "pessimistic"):
        assert true_match_ranks(similarity, ties=ties).tolist() == [2, 0, 2]
    assert count_nan(similarity) == 5


def test_infinite_scores_are_ordinary_scores():
    assert true_match_ranks(torch.tensor([[-math.inf, 0.0], [-math.inf, math.inf]])).tolist() == [1, 0]


def test_gallery_items_without_a_query_only_distract():
    similarity = torch.tensor([[0.9, 0.1, 0.95], [0.2, 0.8, 0.3]])
    assert true_match_ranks(similarity).tolist() == [1, 0]


@pytest.mark.parametrize("shape", [(3, 2), (0, 4), (4,), (2, 2, 2)])
def test_shapes_that_are_no_similarity_matrix_are_refused(shape):
    with pytest.raises(ValueError, match="got"):
        true_match_ranks(torch.zeros(shape))


def test_unknown_tie_rule_and_integer_scores_are_refused():
    with pytest.raises(ValueError, match="mean, optimistic, pessimistic, got 'best'"):
        true_match_ranks(torch.eye(2), ties="best")
    with pytest.raises(ValueError, match=r"floats, got torch\.int64"):
        true_match_ranks(torch.eye(2, dtype=torch.int64))


def ranks_with_loops(similarity, ties):
    """Second implementation: place every other item by hand."""
    share = {"optimistic": 0.0, "mean": 0.5, "pessimistic": 1.0}[ties]
    ranks = []
    for i, row in enumerate(similarity):
        own = row[i]
        if np.isnan(own):
            ranks.append(len(row) - 1)
            continue
        others = [score for j, score in enumerate(row) if j != i and not np.isnan(score)]
        ranks.append(sum(score > own for score in others) + share * sum(score == own for score in others))
    return ranks


@given(
    st.integers(1, 7),
    st.integers(0, 3),
    st.sampled_from(["mean", "optimistic", "pessimistic"]),
    st.integers(0, 2**31),
)
@settings(max_examples=100, deadline=None)
def test_ranks_equal_a_second_implementation(num_queries, num_extra, ties, seed):
    generator = np.random.default_rng(seed)
    levels = np.array([0.0, 0.25, 0.5, 1.0, np.nan])
    similarity = generator.choice(levels, size=(num_queries, num_queries + num_extra))
    ranks = true_match_ranks(torch.from_numpy(similarity), ties=ties)
    assert ranks.tolist() == ranks_with_loops(similarity, ties)


def test_ranks_do_not_depend_on_the_block_size(monkeypatch):
    similarity = torch.rand(50, 60, generator=seeded())
    whole = true_match_ranks(similarity)
    monkeypatch.setattr("cavmae_sync.metrics.retrieval._BLOCK_ELEMENTS", 130)
    assert torch.equal(true_match_ranks(similarity), whole)


# ---- the published way of counting --------------------------------------------------------------------


def test_official_counting_of_ties_has_six_entries_for_four_queries():
    """Spec 4.1 and 7.16: diagonal 0.5, two rows with one more 0.5."""
    similarity = torch.full((4, 4), 0.1).fill_diagonal_(0.5)
    similarity[0, 1] = similarity[2, 3] = 0.5
    entries = official_ranks(similarity)
    assert entries.tolist() == [0, 1, 0, 0, 1, 0]
    assert recall_at_k(entries, k=1) == 4 / 6


def test_official_counting_equals_numpy_sort_and_loses_nan_rows():
    generator = np.random.default_rng(3)
    similarity = generator.choice([0.1, 0.2, 0.3, 0.4, np.nan], p=[0.3, 0.3, 0.2, 0.15, 0.05], size=(20, 20))
    ascending = np.sort(-similarity, axis=1)
    positions = np.where(ascending - np.diag(-similarity)[:, None] == 0)[1]
    assert official_ranks(torch.from_numpy(similarity)).tolist() == positions.tolist()
    assert np.isnan(np.diag(similarity)).any()


def test_official_counting_is_ours_without_ties():
    similarity = torch.rand(30, 30, generator=seeded())
    assert torch.equal(official_ranks(similarity), true_match_ranks(similarity))


# ---- metrics -------------------------------------------------------------------------------------------


def test_recall_and_median_worked_by_hand():
    ranks = torch.tensor([0, 0, 4, 5, 10, 200], dtype=torch.float64)
    metrics = retrieval_metrics(ranks, num_gallery=201)
    assert dict(metrics.recall_at) == {1: 2 / 6, 5: 3 / 6, 10: 4 / 6}
    assert metrics.median_rank == 5.5  # between places 5 and 6
    assert list(metrics.named()) == ["recall_at_1", "recall_at_5", "recall_at_10", "median_rank"]
    assert (metrics.num_queries, metrics.num_gallery) == (6, 201)
    assert median_rank(torch.tensor([7.0, 1.0, 2.0])) == 3


def test_metrics_refuse_no_ranks_and_a_cut_off_of_zero():
    with pytest.raises(ValueError, match="at least one rank"):
        recall_at_k(torch.tensor([]), k=1)
    with pytest.raises(ValueError, match="at least 1, got 0"):
        recall_at_k(torch.tensor([1.0]), k=0)


def test_perfect_scores_give_one_everywhere():
    metrics = retrieval_metrics(true_match_ranks(torch.eye(12)), num_gallery=12)
    assert list(metrics.named().values()) == [1, 1, 1, 1]


def test_identical_scores():
    """Spec 7.15: official k / N, optimistic 1, mean rank (N - 1) / 2 and so nothing among the first 10."""
    similarity = torch.full((21, 21), 0.3)
    assert recall_at_k(official_ranks(similarity), k=5) == pytest.approx(5 / 21)
    assert recall_at_k(true_match_ranks(similarity, ties="optimistic"), k=1) == 1
    assert true_match_ranks(similarity).tolist() == [10.0] * 21
    assert recall_at_k(true_match_ranks(similarity), k=10) == 0


def test_chance_is_analytic_and_random_scores_reach_it():
    """Spec 7.15: 0.065 % at rank 1 for 1,545 clips."""
    chance = chance_metrics(1545)
    assert chance.recall_at[1] == pytest.approx(0.000647, abs=5e-7)
    assert (chance.recall_at[10], chance.median_rank) == (10 / 1545, 773)
    found = retrieval_metrics(true_match_ranks(torch.rand(1545, 1545, generator=seeded())), num_gallery=1545)
    assert found.recall_at[10] == pytest.approx(chance.recall_at[10], abs=0.007)
    assert found.median_rank == pytest.approx(773, rel=0.08)
    assert chance_metrics(4).recall_at[10] == 1
