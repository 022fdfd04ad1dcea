"""Agreement of divisions of time with the true ones, by hand and by slow second implementations."""

from itertools import combinations

import numpy as np
import pytest
from scipy.optimize import linear_sum_assignment

from cavmae_sync.metrics import temporal
from cavmae_sync.metrics.temporal import BoundaryMatches, match_boundaries


def division(*spans: tuple[float, int]) -> tuple[np.ndarray, np.ndarray]:
    """Edges and labels of spans that follow each other from 0: (stop, label)."""
    return np.array([0.0, *(stop for stop, _ in spans)]), np.array([label for _, label in spans])


def random_division(generator: np.random.Generator, *, num_labels: int = 3) -> tuple[np.ndarray, np.ndarray]:
    inner = np.sort(generator.uniform(0, 10, generator.integers(0, 8)))
    return np.array([0.0, *inner, 10.0]), generator.integers(0, num_labels, len(inner) + 1)


def largest_matching(predicted: np.ndarray, true: np.ndarray, tolerance: float) -> int:
    """The same number as `match_boundaries`, as an assignment problem."""
    if 0 in (len(predicted), len(true)):
        return 0
    fits = np.abs(predicted[:, None] - true) <= tolerance
    rows, columns = linear_sum_assignment(~fits)
    return int(fits[rows, columns].sum())


def test_a_boundary_is_a_change_of_label():
    assert temporal.boundaries(*division((1, 0), (2, 0), (3, 1))).tolist() == [2.0]
    assert temporal.boundaries(*division((3, 0))).tolist() == []


def test_each_boundary_is_matched_once():
    found = match_boundaries(np.array([1.0, 1.1, 1.2]), np.array([1.1]), tolerance_seconds=0.5)
    assert (found.precision, found.recall, found.f1) == (1 / 3, 1, 0.5)


def test_the_tolerance_is_included():
    assert match_boundaries(np.array([1.5]), np.array([1.0]), tolerance_seconds=0.5).num_matched == 1
    assert match_boundaries(np.array([1.51]), np.array([1.0]), tolerance_seconds=0.5).num_matched == 0


def test_the_nearest_is_not_always_the_partner():
    """Pairing 1.4 with its nearest, 1.5, would leave 1.9 alone with 1.0."""
    found = match_boundaries(np.array([1.4, 1.9]), np.array([1.0, 1.5]), tolerance_seconds=0.4)
    assert found.num_matched == 2


def test_the_matching_is_the_largest():
    for seed in range(20):
        generator = np.random.default_rng(seed)
        predicted, true = (generator.uniform(0, 10, generator.integers(0, 9)).round(1) for _ in range(2))
        found = match_boundaries(predicted, true, tolerance_seconds=0.5)
        assert found.num_matched == largest_matching(predicted, true, 0.5), seed


def test_nothing_to_find_and_nothing_found_is_perfect():
    nothing = np.array([])
    found = match_boundaries(nothing, nothing, tolerance_seconds=0.5)
    assert (found.precision, found.recall, found.f1) == (None, None, 1.0)


def test_one_side_empty():
    nothing, two = np.array([]), np.array([1.0, 2.0])
    missed = match_boundaries(nothing, two, tolerance_seconds=0.5)
    assert (missed.precision, missed.recall, missed.f1) == (None, 0, 0)
    invented = match_boundaries(two, nothing, tolerance_seconds=0.5)
    assert (invented.precision, invented.recall, invented.f1) == (0, None, 0)


def test_counts_of_clips_add_up():
    one = BoundaryMatches(num_matched=1, num_predicted=2, num_true=1)
    assert one + one == BoundaryMatches(num_matched=2, num_predicted=4, num_true=2)


def test_impossible_counts_and_times_are_refused():
    with pytest.raises(ValueError, match="are impossible"):
        BoundaryMatches(num_matched=2, num_predicted=1, num_true=3)
    with pytest.raises(ValueError, match="finite"):
        match_boundaries(np.array([np.nan]), np.array([1.0]), tolerance_seconds=0.5)
    with pytest.raises(ValueError, match="tolerance"):
        match_boundaries(np.array([1.0]), np.array([1.0]), tolerance_seconds=-0.5)


def test_overlap_by_hand():
    """Predicted A until 6, then B; true A until 4, then B, and A again from 8."""
    overlap = temporal.overlap_seconds(*division((6, 0), (10, 1)), *division((4, 0), (8, 1), (10, 0)))
    assert overlap.tolist() == [[4, 2], [2, 2]]
    assert temporal.purity(overlap) == pytest.approx(0.6)
    assert temporal.coverage(overlap) == pytest.approx(0.6)


def test_overlap_agrees_with_counting_moments():
    moments = (np.arange(100_000) + 0.5) / 10_000
    for seed in range(20):
        generator = np.random.default_rng(seed)
        predicted, true = random_division(generator), random_division(generator)
        overlap = temporal.overlap_seconds(*predicted, *true)
        is_a, is_b = (temporal.labels_at(moments, *division) for division in (predicted, true))
        for a, b in np.ndindex(*overlap.shape):
            share = ((is_a == a) & (is_b == b)).mean()
            assert overlap[a, b] == pytest.approx(10 * share, abs=2e-3), seed
        assert overlap.sum() == pytest.approx(10), seed


def test_one_single_stretch_covers_everything_and_is_not_pure():
    truth = division((5, 0), (10, 1))
    overlap = temporal.overlap_seconds(*division((10, 0)), *truth)
    assert temporal.purity(overlap) == 0.5
    assert temporal.coverage(overlap) == 1
    assert temporal.rand_index(*division((10, 0)), *truth) == 0


def test_a_label_for_every_moment_is_pure_and_covers_little():
    truth = division((5, 0), (10, 1))
    each = np.linspace(0, 10, 11), np.arange(10)
    overlap = temporal.overlap_seconds(*each, *truth)
    assert temporal.purity(overlap) == 1
    assert temporal.coverage(overlap) == pytest.approx(0.2)


def test_names_of_labels_do_not_matter():
    truth = division((2, 0), (5, 1), (10, 0))
    renamed = division((2, 4), (5, 2), (10, 4))
    assert temporal.rand_index(*renamed, *truth) == 1
    assert temporal.purity(temporal.overlap_seconds(*renamed, *truth)) == 1


def test_one_single_stretch_against_itself_is_perfect():
    assert temporal.rand_index(*division((10, 0)), *division((10, 0))) == 1


def pair_counting_index(predicted: np.ndarray, true: np.ndarray) -> float:
    """Adjusted Rand index by looking at every pair of moments."""
    same = [(predicted[i] == predicted[j], true[i] == true[j]) for i, j in combinations(range(len(true)), 2)]
    both = sum(a and b for a, b in same)
    in_predicted, in_true = sum(a for a, _ in same), sum(b for _, b in same)
    by_chance = in_predicted * in_true / len(same)
    return (both - by_chance) / ((in_predicted + in_true) / 2 - by_chance)


def test_the_rand_index_agrees_with_counting_pairs():
    moments = (np.arange(200) + 0.5) * 0.05
    for seed in range(5):
        generator = np.random.default_rng(seed)
        edges = np.array([0.0, *np.sort(generator.uniform(0, 10, 4)), 10.0])
        predicted, true = (
            (edges, np.array([0, 1, 0, 2, 1])),
            (edges + np.array([0, 0.2, 0.1, -0.1, 0, 0]), np.arange(5)),
        )
        expected = pair_counting_index(
            temporal.labels_at(moments, *predicted), temporal.labels_at(moments, *true)
        )
        assert temporal.rand_index(*predicted, *true) == pytest.approx(expected), seed


def test_random_labels_agree_as_chance_does():
    generator = np.random.default_rng(0)
    edges = np.linspace(0, 10, 201)  # a stretch for each moment that is compared

    def labels() -> np.ndarray:
        return generator.integers(0, 3, 200)

    indices = [temporal.rand_index(edges, labels(), edges, labels()) for _ in range(100)]
    assert np.mean(indices) == pytest.approx(0, abs=0.01)


def test_spans_of_equal_length_agree_with_many_truths_better_than_chance():
    """Moments of one stretch go together, which the adjustment for chance does not know."""
    generator = np.random.default_rng(0)
    edges = np.linspace(0, 10, 9)
    indices = [temporal.rand_index(edges, np.arange(8), *random_division(generator)) for _ in range(100)]
    assert np.mean(indices) > 0.1


def test_other_times_are_refused():
    with pytest.raises(ValueError, match="same time"):
        temporal.overlap_seconds(*division((9, 0)), *division((10, 0)))


@pytest.mark.parametrize(
    ("edges", "labels"),
    [([0.0], []), ([0.0, 1.0], [0, 1]), ([1.0, 0.0], [0]), ([0.0, np.nan], [0]), ([0.0, 1.0], [-1])],
)
def test_what_is_no_division_is_refused(edges: list[float], labels: list[int]):
    with pytest.raises(ValueError, match=r"spans|Edges|Labels"):
        temporal.boundaries(np.array(edges), np.array(labels, dtype=np.int64))
