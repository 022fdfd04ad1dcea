"""Average precision and IoU of pools of pixels: by hand, by sklearn, by loops, and at their ends."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import average_precision_score

from cavmae_sync.metrics import Pixels, pooled_scores, resampled_pools
from cavmae_sync.metrics import localization as module


def pixels(scores, truth, unit=0) -> Pixels:
    return Pixels(scores_N=np.asarray(scores, np.float32), truth_N=np.asarray(truth, np.bool_), unit=unit)


def random_pool(
    seed: int, *, num_images: int = 6, size: int = 200, levels: int | None = None
) -> list[Pixels]:
    """Scores that know a little of the truth; with `levels`, many are equal."""
    generator = np.random.default_rng(seed)
    pool = []
    for unit in range(num_images):
        truth_N = generator.random(size) < 0.2
        scores_N = generator.normal(size=size) + truth_N
        if levels is not None:
            scores_N = np.round(scores_N * levels) / levels
        pool.append(pixels(scores_N, truth_N, unit))
    return pool


def slow_iou(pool: list[Pixels], num_thresholds: int) -> float:
    scores = np.concatenate([part.scores_N for part in pool])
    truth = np.concatenate([part.truth_N for part in pool])
    best = 0.0
    for threshold in np.linspace(scores.min(), scores.max(), num_thresholds, dtype=np.float32):
        called = scores > threshold
        best = max(best, (called & truth).sum() / (called | truth).sum())
    return best


def test_by_hand():
    # From the top: true, false, true, false. Precision where recall rises: 1/1 and 2/3, each for half of it.
    scores = pooled_scores([pixels([4, 3, 2, 1], [1, 0, 1, 0])], num_thresholds=4)
    assert scores.average_precision == pytest.approx((1 + 2 / 3) / 2)
    # Thresholds 1, 2, 3, 4: above 1 are three pixels, of which two are true, and no true one is missed.
    assert scores.best_iou == pytest.approx(2 / 3)
    assert scores.threshold == 1
    assert (scores.positive_share, scores.num_pixels) == (0.5, 4)


def test_equal_scores_are_taken_together():
    # At 2: one of two is true. At 1: two of four.
    scores = pooled_scores([pixels([2, 2, 1, 1], [1, 0, 1, 0])])
    assert scores.average_precision == pytest.approx(0.5)


@pytest.mark.parametrize("levels", [None, 1, 4])
def test_agrees_with_sklearn_and_with_loops(levels: int | None):
    for seed in range(5):
        pool = random_pool(seed, levels=levels)
        scores = pooled_scores(pool)
        expected = average_precision_score(
            np.concatenate([part.truth_N for part in pool]), np.concatenate([part.scores_N for part in pool])
        )
        assert scores.average_precision == pytest.approx(expected, abs=1e-12), seed
        assert scores.best_iou == pytest.approx(slow_iou(pool, 20), abs=1e-12), seed


def test_blocks_do_not_change_a_result(monkeypatch: pytest.MonkeyPatch):
    pool = random_pool(0)
    whole = pooled_scores(pool)
    monkeypatch.setattr(module, "_BLOCK_PIXELS", 64)
    parts = pooled_scores(pool)
    assert (parts.average_precision, parts.best_iou) == (whole.average_precision, whole.best_iou)


def test_masks_as_scores_are_perfect():
    pool = [pixels(part.truth_N, part.truth_N) for part in random_pool(1)]
    scores = pooled_scores(pool)
    assert (scores.average_precision, scores.best_iou) == (1.0, 1.0)


def test_turned_around_is_the_worst():
    pool = [pixels(~part.truth_N, part.truth_N) for part in random_pool(1)]
    scores = pooled_scores(pool)
    assert scores.average_precision == pytest.approx(scores.positive_share)


def test_constant_scores_guess_and_call_nothing():
    scores = pooled_scores([pixels([3, 3, 3, 3], [1, 0, 0, 0])])
    assert (scores.average_precision, scores.best_iou) == (0.25, 0.0)


def test_random_scores_have_the_share_of_the_class():
    generator = np.random.default_rng(0)
    scores = pooled_scores([pixels(generator.random(200_000), generator.random(200_000) < 0.1)])
    assert scores.average_precision == pytest.approx(0.1, abs=0.005)


def test_nothing_positive_is_undefined():
    assert pooled_scores([pixels([1, 2], [0, 0])]) is None


def test_only_positives():
    scores = pooled_scores([pixels([1, 2], [1, 1])])
    assert (scores.average_precision, scores.best_iou) == (1.0, 0.5)  # the least score is above no threshold


@settings(max_examples=40)
@given(st.integers(0, 1000), st.floats(0.1, 10), st.floats(-5, 5))
def test_a_rising_line_changes_nothing_but_rounding(seed: int, scale: float, shift: float):
    pool = random_pool(seed, levels=8)
    moved = [pixels(part.scores_N * np.float32(scale) + np.float32(shift), part.truth_N) for part in pool]
    before, after = pooled_scores(pool), pooled_scores(moved)
    assert after.average_precision == pytest.approx(before.average_precision, abs=1e-9)


def test_a_generator_is_refused():
    with pytest.raises(TypeError, match="twice"):
        pooled_scores(iter(random_pool(0)))


@pytest.mark.parametrize(
    ("scores", "truth", "saying"),
    [([np.nan], [1], "finite"), ([1, 2], [1], "one score"), ([], [], "one score")],
)
def test_what_is_no_pixel_is_refused(scores, truth, saying):
    with pytest.raises(ValueError, match=saying):
        pixels(scores, truth)


def slow_means(classes: list[list[Pixels]], weight_U, num_thresholds: int) -> tuple[float, float]:
    """Metrics of drawn units, by repeating their pixels. Thresholds stay those of the whole pool."""
    precisions, ious = [], []
    for pool in classes:
        drawn = [part for part in pool for _ in range(weight_U[part.unit])]
        if not drawn:
            continue
        scores = np.concatenate([part.scores_N for part in drawn])
        truth = np.concatenate([part.truth_N for part in drawn])
        every = np.concatenate([part.scores_N for part in pool])
        thresholds = np.linspace(every.min(), every.max(), num_thresholds, dtype=np.float32)
        precisions.append(average_precision_score(truth, scores))
        ious.append(max(((scores > t) & truth).sum() / ((scores > t) | truth).sum() for t in thresholds))
    return float(np.mean(precisions)), float(np.mean(ious))


def test_resamples_agree_with_repeating_the_pixels_of_drawn_units():
    classes = [random_pool(0, num_images=8), random_pool(1, num_images=8)[:5]]
    precision_X, iou_X = resampled_pools(
        [pooled_scores(pool) for pool in classes], num_resamples=20, generator=np.random.default_rng(3)
    )
    weight_XU = np.random.default_rng(3).multinomial(8, np.full(8, 1 / 8), size=20)
    expected = [slow_means(classes, weight_U, 20) for weight_U in weight_XU]
    np.testing.assert_allclose(precision_X, [p for p, _ in expected], atol=0.003)  # quantiles, not each score
    np.testing.assert_allclose(iou_X, [iou for _, iou in expected], atol=1e-12)


def test_resamples_of_a_perfect_map_are_perfect():
    pool = [pixels(part.truth_N, part.truth_N, part.unit) for part in random_pool(1)]
    precision_X, iou_X = resampled_pools(
        [pooled_scores(pool)], num_resamples=50, generator=np.random.default_rng(0)
    )
    assert precision_X.min() == iou_X.min() == 1.0
