"""Average precision, AUC, d' and accuracy: by hand, by slow second implementations, and at their ends."""

import itertools
import math

import numpy as np
import pytest
import torch
from sklearn.metrics import average_precision_score, roc_auc_score

from cavmae_sync.metrics.classification import (
    chance_average_precision,
    classification_metrics,
    confusion_matrix,
    correct_shares,
    d_prime,
    resampled_means,
)


def seeded(seed=0):
    return torch.Generator().manual_seed(seed)


def column(*values):
    return torch.tensor(values)[:, None]


def slow_average_precision(scores, is_true):
    """From the definition: at every threshold, precision times the recall gained there."""
    num_positives = sum(is_true)
    total, recall_before = 0.0, 0.0
    for threshold in sorted(set(scores), reverse=True):
        kept = [truth for score, truth in zip(scores, is_true, strict=True) if score >= threshold]
        precision, recall = sum(kept) / len(kept), sum(kept) / num_positives
        total += precision * (recall - recall_before)
        recall_before = recall
    return total


def slow_auc(scores, is_true):
    """Pairs of a positive and a negative in the right order; a tie is half."""
    positives = [score for score, truth in zip(scores, is_true, strict=True) if truth]
    negatives = [score for score, truth in zip(scores, is_true, strict=True) if not truth]
    wins = [(p > n) + 0.5 * (p == n) for p in positives for n in negatives]
    return sum(wins) / len(wins)


def random_case(seed, *, num_clips=40, num_classes=5, num_levels=None):
    """Scores, with ties where there are few levels, and truths of different prevalence."""
    generator = seeded(seed)
    scores_NC = torch.randn(num_clips, num_classes, generator=generator)
    if num_levels is not None:
        scores_NC = torch.randint(num_levels, (num_clips, num_classes), generator=generator).float()
    shares = torch.linspace(0.1, 0.9, num_classes)
    is_true_NC = torch.rand(num_clips, num_classes, generator=generator) < shares
    is_true_NC[0], is_true_NC[1] = True, False
    return scores_NC, is_true_NC


def test_average_precision_and_auc_by_hand():
    # from the surest: right, wrong, right, wrong: precision 1 and 2/3 at the two; 3 of 4 pairs in order
    metrics = classification_metrics(column(0.9, 0.2, 0.8, 0.4), column(True, False, False, True))
    assert metrics.average_precision_C.item() == pytest.approx((1 + 2 / 3) / 2)
    assert metrics.auc_C.item() == pytest.approx(3 / 4)
    assert metrics.num_positives_C.tolist() == [2]


def test_clips_of_equal_score_are_one_step_whatever_their_order():
    # the first step takes three clips with one positive, the second the rest
    scores, is_true = [0.7, 0.7, 0.7, 0.1], [True, False, False, True]
    for order in itertools.permutations(range(4)):
        metrics = classification_metrics(
            column(*[scores[i] for i in order]), column(*[is_true[i] for i in order])
        )
        assert metrics.average_precision_C.item() == pytest.approx(1 / 2 * 1 / 3 + 1 / 2 * 2 / 4)
        assert metrics.auc_C.item() == pytest.approx((0.5 + 0.5 + 0 + 0) / 4)


@pytest.mark.parametrize("num_levels", [None, 2, 6])
def test_they_equal_slow_second_implementations(num_levels):
    for seed in range(5):
        scores_NC, is_true_NC = random_case(seed, num_levels=num_levels)
        metrics = classification_metrics(scores_NC, is_true_NC)
        for c in range(scores_NC.shape[1]):
            case = scores_NC[:, c].tolist(), is_true_NC[:, c].tolist()
            assert metrics.average_precision_C[c].item() == pytest.approx(slow_average_precision(*case))
            assert metrics.auc_C[c].item() == pytest.approx(slow_auc(*case))


def test_the_truth_scores_one_and_its_opposite_has_auc_zero():
    _, is_true_NC = random_case(0)
    best = classification_metrics(is_true_NC.float(), is_true_NC)
    worst = classification_metrics(-is_true_NC.float(), is_true_NC)
    assert (best.mean_average_precision, best.mean_auc) == (1.0, 1.0)
    assert worst.mean_auc == 0.0


def test_equal_scores_give_the_share_of_positives_and_one_half():
    is_true = column(True, False, False, False, True)
    metrics = classification_metrics(torch.full((5, 1), -3.0), is_true)
    assert metrics.average_precision_C.item() == pytest.approx(2 / 5)
    assert metrics.auc_C.item() == 0.5


def test_only_the_order_of_scores_matters():
    scores_NC, is_true_NC = random_case(1)
    logits, probabilities = (
        classification_metrics(x, is_true_NC) for x in (scores_NC.double(), scores_NC.double().sigmoid())
    )
    assert torch.equal(logits.average_precision_C, probabilities.average_precision_C)
    assert torch.equal(logits.auc_C, probabilities.auc_C)


def test_classes_without_positives_or_negatives_are_named_and_left_out_of_the_means():
    is_true_NC = torch.tensor([[True, False, True], [True, False, False]])
    metrics = classification_metrics(torch.tensor([[0.3, 0.1, 0.2], [0.1, 0.2, 0.9]]), is_true_NC)
    assert (metrics.without_positives, metrics.without_negatives) == ((1,), (0,))
    assert metrics.average_precision_C.isnan().tolist() == [False, True, False]
    assert metrics.mean_average_precision == pytest.approx((1 + 0.5) / 2)
    assert metrics.mean_auc == 0.0


def test_without_any_positive_nothing_is_defined():
    metrics = classification_metrics(torch.rand(3, 2), torch.zeros(3, 2, dtype=torch.bool))
    assert (metrics.mean_average_precision, metrics.mean_auc) == (None, None)
    assert metrics.without_positives == (0, 1)


@pytest.mark.parametrize(("num_positives", "num_clips"), [(1, 1), (1, 4), (2, 5), (3, 5), (4, 4)])
def test_chance_is_the_mean_over_all_orders(num_positives, num_clips):
    precisions = [
        slow_average_precision(range(num_clips), [i in chosen for i in range(num_clips)])
        for chosen in itertools.combinations(range(num_clips), num_positives)
    ]
    assert chance_average_precision(num_positives, num_clips) == pytest.approx(np.mean(precisions))


def test_chance_comes_near_the_share_of_positives_in_long_lists():
    assert chance_average_precision(1, 10) == pytest.approx(0.2929, abs=1e-4)
    assert chance_average_precision(500, 5000) == pytest.approx(0.1, abs=0.002)


def test_d_prime_of_published_values():
    # an AUC of 0.9 is 1.2816 standard deviations of the difference, whose variance is 2
    assert d_prime(0.9) == pytest.approx(1.2815516 * math.sqrt(2))
    assert d_prime(0.5) == 0.0
    assert d_prime(0.1) == pytest.approx(-d_prime(0.9))
    assert (d_prime(1.0), d_prime(0.0)) == (math.inf, -math.inf)
    with pytest.raises(ValueError, match=r"\[0, 1\], got 1.5"):
        d_prime(1.5)


def test_d_prime_is_the_distance_of_two_normal_distributions():
    generator = np.random.default_rng(0)
    positives, negatives = generator.normal(1.5, 1, 20_000), generator.normal(0, 1, 20_000)
    scores = torch.from_numpy(np.concatenate([positives, negatives]))[:, None]
    auc = classification_metrics(scores, torch.arange(40_000)[:, None] < 20_000).mean_auc
    assert auc is not None
    assert d_prime(auc) == pytest.approx(1.5, abs=0.03)


def test_accuracy_by_hand_with_ties_shared():
    scores_NC = torch.tensor([[0.9, 0.1, 0.0], [0.5, 0.5, 0.0], [0.2, 0.3, 0.1], [1.0, 1.0, 1.0]])
    is_true_NC = torch.eye(3, dtype=torch.bool)[[0, 1, 2, 0]]
    assert correct_shares(scores_NC, is_true_NC).tolist() == pytest.approx([1, 1 / 2, 0, 1 / 3])
    assert confusion_matrix(scores_NC, is_true_NC).numpy() == pytest.approx(
        np.array([[1 + 1 / 3, 1 / 3, 1 / 3], [0.5, 0.5, 0], [0, 1, 0]])
    )


def test_equal_scores_are_right_in_one_of_c_whatever_the_common_class():
    is_true_NC = torch.eye(4, dtype=torch.bool)[[0, 0, 0, 0, 1, 2]]
    assert correct_shares(torch.zeros(6, 4), is_true_NC).mean() == 1 / 4


def test_a_single_class_is_always_right():
    assert correct_shares(torch.randn(5, 1), torch.ones(5, 1, dtype=torch.bool)).tolist() == [1.0] * 5


def test_what_is_not_a_score_is_refused_by_row_and_class():
    scores_NC = torch.zeros(3, 2)
    is_true_NC = torch.zeros(3, 2, dtype=torch.bool)
    scores_NC[2, 1] = math.nan
    with pytest.raises(ValueError, match=r"1 of 6 scores are not finite; the first is row 2, class 1: nan"):
        classification_metrics(scores_NC, is_true_NC)
    with pytest.raises(ValueError, match="bool"):
        classification_metrics(torch.zeros(3, 2), torch.zeros(3, 2))
    with pytest.raises(ValueError, match="at least one each"):
        classification_metrics(torch.zeros(0, 2), torch.zeros(0, 2, dtype=torch.bool))
    with pytest.raises(ValueError, match=r"row 1 has 2 \(1 such rows of 2\)"):
        correct_shares(torch.zeros(2, 2), torch.tensor([[True, False], [True, True]]))


@pytest.mark.parametrize("num_levels", [None, 3])
def test_resamples_equal_scikit_learn_with_weights(num_levels):
    scores_NC, is_true_NC = random_case(3, num_clips=12, num_classes=3, num_levels=num_levels)
    means = resampled_means(scores_NC, is_true_NC, num_resamples=30, generator=seeded(5))
    draws_XN = torch.randint(12, (30, 12), generator=seeded(5)).numpy()
    for x, draw_N in enumerate(draws_XN):
        precisions, aucs = [], []
        for c in range(3):
            truth, scores = is_true_NC[draw_N, c].numpy(), scores_NC[draw_N, c].numpy()
            if truth.any():
                precisions.append(average_precision_score(truth, scores))
            if truth.any() and not truth.all():
                aucs.append(roc_auc_score(truth, scores))
        assert means.mean_average_precision_X[x].item() == pytest.approx(np.mean(precisions), abs=1e-6)
        assert means.mean_auc_X[x].item() == pytest.approx(np.mean(aucs), abs=1e-6)


def test_a_draw_that_lost_all_positives_is_not_a_number():
    means = resampled_means(
        column(0.1, 0.2, 0.3), column(True, False, False), num_resamples=200, generator=seeded()
    )
    share = means.mean_average_precision_X.isnan().double().mean().item()
    assert share == pytest.approx((2 / 3) ** 3, abs=0.1)


def test_resamples_depend_on_the_seed_only_not_on_blocks(monkeypatch):
    scores_NC, is_true_NC = random_case(4)
    whole = resampled_means(scores_NC, is_true_NC, num_resamples=20, generator=seeded(1))
    monkeypatch.setattr("cavmae_sync.metrics.classification._BLOCK_DRAWS", 40 * 7)
    blocks = resampled_means(scores_NC, is_true_NC, num_resamples=20, generator=seeded(1))
    torch.testing.assert_close(whole.mean_auc_X, blocks.mean_auc_X)
    torch.testing.assert_close(
        whole.mean_average_precision_X, blocks.mean_average_precision_X, rtol=1e-6, atol=0
    )
    with pytest.raises(ValueError, match="At least one resample"):
        resampled_means(scores_NC, is_true_NC, num_resamples=0, generator=seeded())
