"""Classification metrics: average precision, AUC, d' and accuracy of scores.

A larger score is surer. Average precision and AUC depend only on the order of the scores of a class, so that
logits and probabilities give the same. Accuracy depends only on the order of the scores of a clip.

Letters: N clips, C classes, X resamples, U distinct scores of a class's positives.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import torch
from sklearn.metrics import average_precision_score, roc_auc_score
from torch import Tensor
from torch.special import ndtri

#: Draws of one block of resamples; bounds memory, never changes a result.
_BLOCK_DRAWS: Final = 1 << 20


@dataclass(frozen=True, kw_only=True, slots=True)
class ClassificationMetrics:
    """Average precision and AUC of each class.

    Attributes:
        average_precision_C: float64 in [0, 1]; NaN for a class without positives.
        auc_C: float64 in [0, 1]; NaN for a class without positives or without negatives.
        num_positives_C: int64.
    """

    average_precision_C: Tensor
    auc_C: Tensor
    num_positives_C: Tensor

    @property
    def mean_average_precision(self) -> float | None:
        """Mean over the classes that have positives; None where none has."""
        return defined_mean(self.average_precision_C)

    @property
    def mean_auc(self) -> float | None:
        """Mean over the classes that have positives and negatives ("macro"); None where none has."""
        return defined_mean(self.auc_C)

    @property
    def without_positives(self) -> tuple[int, ...]:
        """Classes without positives: neither average precision nor AUC is defined for them."""
        return tuple(self.average_precision_C.isnan().nonzero().flatten().tolist())

    @property
    def without_negatives(self) -> tuple[int, ...]:
        """Classes of all clips: average precision is 1 for any scores, AUC is not defined."""
        return tuple((self.auc_C.isnan() & ~self.average_precision_C.isnan()).nonzero().flatten().tolist())


def defined_mean(values_C: Tensor) -> float | None:
    """Mean of the values that are not NaN, or None."""
    defined = values_C[~values_C.isnan()]
    return float(defined.mean()) if len(defined) else None


def check_predictions(scores_NC: Tensor, is_true_NC: Tensor, *, classes: Sequence[str] | None = None) -> None:
    """Refuse arrays that do not hold a score and a truth for every clip and class.

    Args:
        scores_NC: Floats.
        is_true_NC: Booleans.
        classes: Names, for the message.

    Raises:
        ValueError: Shapes or types disagree, there is no clip or no class, or a score is not finite.
    """
    shape = tuple(scores_NC.shape)
    if scores_NC.ndim != 2 or not scores_NC.is_floating_point() or scores_NC.numel() == 0:
        raise ValueError(
            f"scores_NC must be floats [clips, classes] of at least one each, got {scores_NC.dtype} {shape}."
        )
    if is_true_NC.dtype != torch.bool or is_true_NC.shape != scores_NC.shape:
        raise ValueError(
            f"is_true_NC must be bool {shape} like the scores, "
            f"got {is_true_NC.dtype} {tuple(is_true_NC.shape)}."
        )
    if classes is not None and len(classes) != shape[1]:
        raise ValueError(f"There are {len(classes)} names of classes but scores for {shape[1]}.")
    broken = (~scores_NC.isfinite()).nonzero()
    if len(broken):
        row, column = broken[0].tolist()
        name = f"class {column}" if classes is None else f"class {column} ({classes[column]!r})"
        raise ValueError(
            f"{len(broken)} of {scores_NC.numel()} scores are not finite; the first is row {row}, {name}: "
            f"{float(scores_NC[row, column])}. Check the model that computed them."
        )


def classification_metrics(scores_NC: Tensor, is_true_NC: Tensor) -> ClassificationMetrics:
    """Average precision and AUC of each class; larger is better.

    Clips with equal scores are one step of the curve, so that the order of rows does not matter: equal scores
    everywhere give the share of positives as average precision, and 0.5 as AUC.

    Args:
        scores_NC: Floats, larger = surer.
        is_true_NC: bool.

    Raises:
        ValueError: As `check_predictions`.

    Source:
        CAV-MAE src/utilities/stats.py: average precision is the step-wise area (scikit-learn), on raw scores;
        means over classes.

    >>> scores_NC, is_true_NC = torch.tensor([[0.9], [0.8], [0.1]]), torch.tensor([[True], [False], [True]])
    >>> round(classification_metrics(scores_NC, is_true_NC).average_precision_C.item(), 4)
    0.8333
    """
    check_predictions(scores_NC, is_true_NC)
    num_clips, num_classes = scores_NC.shape
    num_positives_C = is_true_NC.sum(dim=0).cpu()
    average_precision_C = torch.full((num_classes,), math.nan, dtype=torch.float64)
    auc_C = average_precision_C.clone()
    scores, is_true = scores_NC.detach().cpu().double().numpy(), is_true_NC.cpu().numpy()
    for c, num_positives in enumerate(num_positives_C.tolist()):
        if num_positives:
            average_precision_C[c] = float(average_precision_score(is_true[:, c], scores[:, c]))
        if 0 < num_positives < num_clips:
            auc_C[c] = float(roc_auc_score(is_true[:, c], scores[:, c]))
    return ClassificationMetrics(
        average_precision_C=average_precision_C, auc_C=auc_C, num_positives_C=num_positives_C
    )


def chance_average_precision(num_positives: int, num_clips: int) -> float:
    """Expected average precision of a random order of the clips, exactly.

    A little above the share of positives, which is what equal scores give: with 1 positive among 10 clips
    0.293 and not 0.1.

    Args:
        num_positives: At least 1.
        num_clips: At least as many.
    """
    if not 1 <= num_positives <= num_clips:
        raise ValueError(f"1 <= positives <= clips is needed, got {num_positives} and {num_clips}.")
    if num_clips == 1:
        return 1.0
    # The clip at place k is positive with probability P / N; given that, each clip before it is positive with
    # probability (P - 1) / (N - 1).
    harmonic = math.fsum(1 / k for k in range(1, num_clips + 1))
    return (harmonic + (num_positives - 1) / (num_clips - 1) * (num_clips - harmonic)) / num_clips


def d_prime(auc: float) -> float:
    """Distance d' of the means of two normal distributions of variance 1 with this AUC: sqrt(2) z(AUC).

    0 at 0.5, negative below, infinite at 0 and 1.

    Args:
        auc: In [0, 1]; usually the mean over classes, which is not the mean of their d'.

    Source:
        Paper Table 2; settings from the development code.
    """
    if not 0 <= auc <= 1:
        raise ValueError(f"An AUC lies in [0, 1], got {auc}.")
    return math.sqrt(2) * float(ndtri(torch.tensor(auc, dtype=torch.float64)))


def guess_shares(scores_NC: Tensor) -> Tensor:
    """Predicted class of each clip: float64 [N, C], rows of sum 1.

    The class with the largest score gets 1. If k classes share the largest score, each gets 1 / k, the mean
    of a random choice among them. So equal scores everywhere have an accuracy of 1 / C, whichever class is
    first.
    """
    is_best_NC = (scores_NC == scores_NC.max(dim=1, keepdim=True).values).double()
    return is_best_NC / is_best_NC.sum(dim=1, keepdim=True)


def correct_shares(scores_NC: Tensor, is_true_NC: Tensor) -> Tensor:
    """Accuracy of each clip: float64 [N], 1 or 0, between them for ties. The mean is the accuracy.

    Raises:
        ValueError: As `check_predictions`, or a clip has not exactly one class.

    Source:
        CAV-MAE src/utilities/stats.py: argmax of the output equals argmax of the label vector.
    """
    check_predictions(scores_NC, is_true_NC)
    _check_single_label(is_true_NC)
    return (guess_shares(scores_NC) * is_true_NC).sum(dim=1)


def confusion_matrix(scores_NC: Tensor, is_true_NC: Tensor) -> Tensor:
    """Number of clips by true class (rows) and predicted class (columns), ties shared: float64 [C, C].

    Raises:
        ValueError: As `correct_shares`.
    """
    check_predictions(scores_NC, is_true_NC)
    _check_single_label(is_true_NC)
    return is_true_NC.double().T @ guess_shares(scores_NC)


def _check_single_label(is_true_NC: Tensor) -> None:
    wrong = (is_true_NC.sum(dim=1) != 1).nonzero().flatten()
    if len(wrong):
        row = int(wrong[0])
        raise ValueError(
            f"Accuracy needs exactly one class for every clip, but row {row} has "
            f"{int(is_true_NC[row].sum())} ({len(wrong)} such rows of {len(is_true_NC)}). "
            "Use average precision for clips of several classes or none."
        )


@dataclass(frozen=True, kw_only=True, slots=True)
class ResampledMeans:
    """Means over classes of resampled clips.

    A class without positives in a resample (or, for AUC, without negatives) is left out of the mean. If that
    is so for all classes, the mean is NaN.

    Attributes:
        mean_average_precision_X: float64.
        mean_auc_X: float64.
    """

    mean_average_precision_X: Tensor
    mean_auc_X: Tensor


def resampled_means(
    scores_NC: Tensor, is_true_NC: Tensor, *, num_resamples: int, generator: torch.Generator
) -> ResampledMeans:
    """Mean average precision and mean AUC of resampled clips, for intervals.

    A resample is a weight for every clip: how often it was drawn. Scores are sorted once per class, and all
    resamples are computed together.

    Args:
        scores_NC: Floats, larger = surer.
        is_true_NC: bool.
        num_resamples: Draws, at least 1.
        generator: Source of the draws, on the CPU.
    """
    check_predictions(scores_NC, is_true_NC)
    if num_resamples < 1:
        raise ValueError(f"At least one resample is needed, got {num_resamples}.")
    num_clips = len(scores_NC)
    scores_NC, is_true_NC = scores_NC.detach().cpu(), is_true_NC.cpu()
    blocks: list[Tensor] = []
    size = max(1, _BLOCK_DRAWS // num_clips)
    for start in range(0, num_resamples, size):
        draws = (min(size, num_resamples - start), num_clips)
        drawn_XN = torch.randint(num_clips, draws, generator=generator)
        ones = torch.ones(draws)
        weights_NX = torch.zeros(draws).scatter_add_(1, drawn_XN, ones).T.contiguous()
        blocks.append(_weighted_means(scores_NC, is_true_NC, weights_NX))
    means = torch.cat(blocks, dim=1)
    return ResampledMeans(mean_average_precision_X=means[0], mean_auc_X=means[1])


def _weighted_means(scores_NC: Tensor, is_true_NC: Tensor, weights_NX: Tensor) -> Tensor:
    """Mean average precision and mean AUC [2, X] of weighted clips."""
    sums, counts = torch.zeros(2, 2, weights_NX.shape[1], dtype=torch.float64)
    for scores_N, is_true_N in zip(scores_NC.T.contiguous(), is_true_NC.T.contiguous(), strict=True):
        if not is_true_N.any():
            continue
        values = _weighted_class(scores_N, is_true_N, weights_NX)
        sums += values.nan_to_num(nan=0.0)
        counts += ~values.isnan()
    return sums / counts


def _weighted_class(scores_N: Tensor, is_true_N: Tensor, weights_NX: Tensor) -> Tensor:
    """Average precision and AUC [2, X] of one class, with weighted clips.

    Both change only at scores that a positive has. So clips are counted in 2 U + 1 bins of falling scores:
    odd bins hold the clips with exactly the score of a positive, even bins those between two such scores.
    """
    levels_U = scores_N[is_true_N].unique()  # ascending
    num_levels = len(levels_U)
    below, up_to = torch.searchsorted(levels_U, scores_N), torch.searchsorted(levels_U, scores_N, right=True)
    bins_N = 2 * num_levels - below - up_to
    empty = weights_NX.new_zeros(2 * num_levels + 1, weights_NX.shape[1])
    all_bins = empty.index_add(0, bins_N, weights_NX)
    positives_UX = empty.index_add(0, bins_N[is_true_N], weights_NX[is_true_N])[1::2]
    num_positives_X = positives_UX.sum(dim=0).double()
    precision_UX = positives_UX.cumsum(dim=0) / all_bins.cumsum(dim=0)[1::2]
    # 0 / 0 above the first clip that was drawn. There is no positive, so the value is not used.
    average_precision_X = (positives_UX * precision_UX.nan_to_num(nan=0.0)).sum(dim=0) / num_positives_X
    negatives = all_bins
    negatives[1::2] -= positives_UX
    num_negatives_X = negatives.sum(dim=0).double()
    behind_UX = num_negatives_X.float() - negatives.cumsum(dim=0)[1::2] + negatives[1::2] / 2
    auc_X = (positives_UX * behind_UX).double().sum(dim=0) / (num_positives_X * num_negatives_X)
    return torch.stack([average_precision_X, auc_X])
