import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from cavmae_sync.metrics import PairedMatchCounter, count_nan, official_ranks, true_match_ranks


def spans(num_clips, size):
    return [slice(start, min(start + size, num_clips)) for start in range(0, num_clips, size)]


def counted(similarity, size):
    """All blocks of a matrix, those with own scores first."""
    counter = PairedMatchCounter(len(similarity))
    parts = spans(len(similarity), size)
    for rows, columns in sorted(
        ((r, c) for r in parts for c in parts), key=lambda pair: (pair[0] != pair[1], pair[0].start)
    ):
        counter.add(similarity[rows, columns], rows=rows, columns=columns)
    return counter


def test_one_pass_over_blocks_serves_both_directions():
    """Row 0 is beaten once (0.9); column 0 is beaten once (0.7), column 1 twice."""
    similarity = torch.tensor([[0.5, 0.9, 0.1], [0.4, 0.3, 0.2], [0.7, 0.6, 0.8]])
    forward, backward = counted(similarity, 2).counts()
    assert forward.closer_Q.tolist() == [1, 1, 0]
    assert backward.closer_Q.tolist() == [1, 2, 0]
    assert forward.equal_Q.tolist() == backward.equal_Q.tolist() == [1, 1, 1]


@given(st.integers(1, 9), st.integers(1, 9), st.integers(0, 2**31))
@settings(max_examples=80, deadline=None)
def test_blocks_give_the_ranks_of_the_whole_matrix(num_clips, size, seed):
    """Few levels, so that ties and scores that are not a number are common."""
    generator = np.random.default_rng(seed)
    levels = np.array([0.0, 0.25, 1.0, np.nan, np.inf], dtype=np.float32)
    similarity = torch.from_numpy(generator.choice(levels, size=(num_clips, num_clips)))
    counter = counted(similarity, size)
    for counts, matrix in zip(counter.counts(), (similarity, similarity.T), strict=True):
        for ties in ("mean", "optimistic", "pessimistic"):
            assert torch.equal(counts.ranks(ties), true_match_ranks(matrix, ties=ties))
        assert torch.equal(counts.ranks("official"), official_ranks(matrix))
    assert counter.num_nan == count_nan(similarity)


@given(st.integers(1, 6), st.integers(0, 3), st.integers(0, 2**31))
@settings(max_examples=80, deadline=None)
def test_official_places_equal_sorting_each_row(num_queries, num_extra, seed):
    """Second implementation: the published one, which sorts and looks for the own score."""
    generator = np.random.default_rng(seed)
    levels = np.array([0.0, 0.5, 1.0, np.nan])
    similarity = generator.choice(levels, size=(num_queries, num_queries + num_extra))
    places = []
    for query, row in enumerate(similarity):
        descending = np.sort(-row)  # what is not a number comes last
        places.extend(np.flatnonzero(-descending == row[query]).tolist())
    assert official_ranks(torch.from_numpy(similarity)).tolist() == places


def test_a_block_whose_own_scores_have_not_come_is_refused():
    counter = PairedMatchCounter(4)
    with pytest.raises(ValueError, match="Add the block with the own scores"):
        counter.add(torch.zeros(2, 2), rows=slice(0, 2), columns=slice(2, 4))


def test_infinite_scores_are_not_taken_for_missing_ones():
    counter = counted(torch.tensor([[math.inf, -math.inf], [0.0, math.inf]]), 1)
    assert counter.num_nan == 0
    assert [counts.ranks().tolist() for counts in counter.counts()] == [[0, 0], [0, 0]]
