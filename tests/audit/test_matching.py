"""Pairs found by products of matrices, against one comparison at a time."""

import numpy as np

from cavmae_sync.audit.matching import MatchRule, matches

KIND = MatchRule(least_likeness=0.5, least_places=20, least_windows=4, most_moved=2)


def random_codes(lengths, seed=0, num_signs=5):
    generator = np.random.default_rng(seed)
    return [generator.integers(-1, 2, (length, num_signs)).astype(np.int8) for length in lengths]


def slow_likeness(one, other, rule):
    """The largest over all moves of (agreeing - disagreeing) / sqrt(places * places)."""
    best = -1.0
    for moved in range(-rule.most_moved, rule.most_moved + 1):
        a, b = one[max(moved, 0) :], other[max(-moved, 0) :]
        length = min(len(a), len(b))
        a, b = a[:length].ravel().tolist(), b[:length].ravel().tolist()
        places = [sum(x != 0 for x in a), sum(x != 0 for x in b)]
        if length < rule.least_windows or min(places) < rule.least_places:
            continue
        score = sum((x == y) - (x == -y) for x, y in zip(a, b, strict=True) if x and y)
        best = max(best, score / (places[0] * places[1]) ** 0.5)
    return best


def test_every_pair_is_the_one_that_a_slow_comparison_finds():
    codes = random_codes([12, 12, 9, 12, 30, 3, 9])
    codes.append(np.concatenate([codes[0][2:], random_codes([2], seed=5)[0]]))  # begins two windows later
    codes.append(codes[4][:20])  # cut short
    expected = {
        (i, j): slow_likeness(codes[i], codes[j], KIND)
        for i in range(len(codes))
        for j in range(i + 1, len(codes))
    }
    found = {(pair.first, pair.second): pair.likeness for pair in matches(codes, KIND)}
    assert set(found) == {pair for pair, value in expected.items() if value >= KIND.least_likeness}
    assert {(0, 7), (4, 8)} <= set(found)
    for pair, value in found.items():
        np.testing.assert_allclose(value, expected[pair], rtol=1e-5)


def test_two_lists_are_compared_with_one_another_only():
    codes = random_codes([12, 12])
    others = [codes[1], codes[1]]
    found = [(pair.first, pair.second) for pair in matches([codes[0], codes[0]], KIND, others=others)]
    assert found == []
    found = [(pair.first, pair.second) for pair in matches(codes, KIND, others=others)]
    assert found == [(1, 0), (1, 1)]


def test_codes_without_signs_match_nothing():
    empty, blank = np.zeros((0, 5), dtype=np.int8), np.zeros((12, 5), dtype=np.int8)
    assert matches([empty, empty, blank, blank], KIND) == []
