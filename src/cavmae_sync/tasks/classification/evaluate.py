"""Measurement of classification: scores and truth of clips in, a report out.

Letters: N clips, C classes.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Final

import torch
from rich.table import Table
from torch import Tensor

from cavmae_sync.metrics import Interval, interval
from cavmae_sync.metrics.classification import (
    ClassificationMetrics,
    chance_average_precision,
    check_predictions,
    classification_metrics,
    correct_shares,
    d_prime,
    resampled_means,
)
from cavmae_sync.safe_text import cell_text, table_title
from cavmae_sync.tasks.report import BootstrapConfig, Report, Value


class ClassificationConfig(BootstrapConfig):
    """Choices of a measurement of classification."""


_DEFAULT: Final = ClassificationConfig()


@dataclass(frozen=True, kw_only=True, slots=True)
class MajorityClass:
    """The commonest class, as the answer for every clip.

    Attributes:
        name: Name of the class.
        accuracy: Share of the clips that belong to it.
    """

    name: str
    accuracy: float


@dataclass(frozen=True, kw_only=True, slots=True)
class ClassScore:
    """Scores of one class.

    Attributes:
        name: Name of the class.
        average_precision: In [0, 1]; None without positives.
        auc: In [0, 1]; None without positives or without negatives.
        num_positives: Clips of this class.
    """

    name: str
    average_precision: float | None
    auc: float | None
    num_positives: int


@dataclass(frozen=True, kw_only=True, eq=False)
class ClassificationReport(Report):
    """Report of classification, with the scores of each class, and what they were computed from.

    Attributes:
        config: Choices of the measurement.
        class_scores: One for each class, in the order of the scores' columns.
        scores_NC: Larger = surer.
        is_true_NC: bool.
        classes_excluded: Names of classes without positives, which no mean counts.
        classes_without_negatives: Names of classes without negatives, which have no AUC.
        undefined: Names of metrics that are not defined for these clips.
        majority: What guessing the commonest class gives; None where clips have any number of classes.
    """

    config: ClassificationConfig
    class_scores: tuple[ClassScore, ...]
    scores_NC: Tensor
    is_true_NC: Tensor
    classes_excluded: tuple[str, ...]
    classes_without_negatives: tuple[str, ...]
    undefined: tuple[str, ...]
    majority: MajorityClass | None

    def to_dict(self) -> dict[str, Any]:
        """JSON values, with the scores of each class under `class_scores`."""
        return {**Report.to_dict(self), "class_scores": [asdict(score) for score in self.class_scores]}

    def settings(self) -> dict[str, Any]:
        """Everything that was chosen, and which classes and metrics are left out: JSON values."""
        left_out: dict[str, Any] = {
            "classes_excluded": list(self.classes_excluded),
            "classes_without_negatives": list(self.classes_without_negatives),
            "undefined": list(self.undefined),
        }
        if self.majority is not None:
            left_out["majority"] = {"class": self.majority.name, "accuracy": self.majority.accuracy}
        return {**Report.settings(self), **left_out}

    def to_class_table(self) -> Table:
        """Table with one row per class, the best first, classes without positives last."""
        table = Table(title=table_title(f"{self.name} by class"), title_justify="left")
        table.add_column("class")
        for heading in ("average precision", "AUC", "clips"):
            table.add_column(heading, justify="right")
        for score in sorted(self.class_scores, key=_best_first):
            table.add_row(
                cell_text(score.name),
                _percent(score.average_precision),
                _percent(score.auc),
                str(score.num_positives),
            )
        return table

    def _caption(self) -> list[str]:
        lines = Report._caption(self)
        for classes, reason in (
            (self.classes_excluded, "no clip belongs to, left out"),
            (self.classes_without_negatives, "every clip belongs to, left out of AUC"),
        ):
            if classes:
                lines.append(f"classes that {reason}: {', '.join(classes)}")
        if self.undefined:
            lines.append(f"not defined for these clips: {', '.join(self.undefined)}")
        if self.majority is not None:
            lines.append(
                f"always {self.majority.name!r} is right in {self.majority.accuracy * 100:.1f} % "
                "(chance is one in as many as there are classes)"
            )
        return lines


def classification_report(
    scores_NC: Tensor,
    is_true_NC: Tensor,
    config: ClassificationConfig = _DEFAULT,
    *,
    classes: Sequence[str],
    is_single_label: bool,
    made_with: Mapping[str, Any],
    weights: str,
    clip_list: str,
) -> ClassificationReport:
    """Mean average precision, AUC and d' (any number of classes per clip), or accuracy (exactly one).

    Chance is a random order of the clips for mean average precision (its exact expected value), 0.5 for AUC,
    0 for d', and one in C for accuracy; the caption says what always guessing the commonest class gives.

    Args:
        scores_NC: Floats, larger = surer: logits, probabilities, or the truth for an oracle.
        is_true_NC: bool.
        config: Resamples.
        classes: Name of each column.
        is_single_label: Whether every clip has exactly one class.
        made_with: How the scores were made, as JSON values.
        weights: Fingerprint of the weights.
        clip_list: Fingerprint of which clips were scored.

    Returns:
        Metrics `accuracy` and `mean_average_precision` for a single label, otherwise
        `mean_average_precision`, `auc` and `d_prime`. What is not defined is left out and named in
        `undefined`: means where no class has positives, d' where AUC is 0 or 1 (it is infinite).

    Raises:
        ValueError: Scores and truth do not fit, a score is not finite, or a clip has not exactly one class.

    Source:
        Paper Table 2; settings from the development code.
    """
    check_predictions(scores_NC, is_true_NC, classes=classes)
    metrics = classification_metrics(scores_NC, is_true_NC)
    values = _ranking_values(scores_NC, is_true_NC, metrics, config)
    if is_single_label:
        accuracy = {"accuracy": _accuracy(scores_NC, is_true_NC, config)}
        values = accuracy | {"mean_average_precision": values["mean_average_precision"]}
    names = tuple(classes)
    return ClassificationReport(
        name="classification",
        metrics={key: value for key, value in values.items() if value is not None},
        counts={
            "clips": len(scores_NC),
            "classes": len(names),
            "classes_excluded": len(metrics.without_positives),
            # Where these are few, a classifier tells sets apart and need not know one class.
            "different_label_sets": len(is_true_NC.unique(dim=0)),
        },
        config=config,
        made_with=made_with,
        weights=weights,
        clip_list=clip_list,
        class_scores=_class_scores(metrics, names),
        scores_NC=scores_NC,
        is_true_NC=is_true_NC,
        classes_excluded=tuple(names[c] for c in metrics.without_positives),
        classes_without_negatives=tuple(names[c] for c in metrics.without_negatives),
        undefined=tuple(key for key, value in values.items() if value is None),
        majority=_majority(metrics, names, len(scores_NC)) if is_single_label else None,
    )


def _ranking_values(
    scores_NC: Tensor, is_true_NC: Tensor, metrics: ClassificationMetrics, config: ClassificationConfig
) -> dict[str, Value | None]:
    precision, auc = metrics.mean_average_precision, metrics.mean_auc
    precision_ends = auc_ends = None
    if config.num_bootstrap:
        means = resampled_means(
            scores_NC,
            is_true_NC,
            num_resamples=config.num_bootstrap,
            generator=torch.Generator().manual_seed(config.seed),
        )
        precision_ends = _interval(means.mean_average_precision_X, precision)
        auc_ends = _interval(means.mean_auc_X, auc)
    chances = [
        chance_average_precision(count, len(scores_NC)) for count in metrics.num_positives_C.tolist() if count
    ]
    return {
        "mean_average_precision": None
        if precision is None
        else _value(precision, precision_ends, chance=sum(chances) / len(chances)),
        "auc": None if auc is None else _value(auc, auc_ends, chance=0.5),
        "d_prime": None if auc is None else _d_prime(auc, auc_ends),
    }


def _d_prime(auc: float, auc_ends: Interval | None) -> Value | None:
    """Value of d'. It grows with AUC, so that its interval is that of AUC; infinite ends are left out."""
    if auc in (0, 1):
        return None
    ends = None
    if auc_ends is not None and 0 < auc_ends.low <= auc_ends.high < 1:
        ends = Interval(low=d_prime(auc_ends.low), high=d_prime(auc_ends.high))
    return Value(
        value=d_prime(auc),
        low=None if ends is None else ends.low,
        high=None if ends is None else ends.high,
        chance=0.0,
        unit="score",
    )


def _accuracy(scores_NC: Tensor, is_true_NC: Tensor, config: ClassificationConfig) -> Value:
    correct_N = correct_shares(scores_NC, is_true_NC)
    value = float(correct_N.mean())
    ends = None
    if config.num_bootstrap:
        generator = torch.Generator().manual_seed(config.seed)
        num_clips = len(correct_N)
        draws = (
            torch.randint(num_clips, (num_clips,), generator=generator) for _ in range(config.num_bootstrap)
        )
        ends = _interval(torch.stack([correct_N[draw_N].mean() for draw_N in draws]), value)
    return _value(value, ends, chance=1 / scores_NC.shape[1])


def _interval(samples_X: Tensor, value: float | None) -> Interval | None:
    """Percentiles of the resamples, shifted so that their mean is the value.

    A positive that is drawn twice counts as two at one place, which raises average precision: with few
    positives all resamples may lie above the value. Only their spread is used.
    """
    defined = samples_X[~samples_X.isnan()].double()
    if value is None or len(defined) == 0:
        return None
    ends = interval(defined - defined.mean() + value)
    return Interval(low=min(max(ends.low, 0.0), 1.0), high=min(max(ends.high, 0.0), 1.0))


def _value(value: float, ends: Interval | None, *, chance: float) -> Value:
    return Value(
        value=min(value, 1.0),  # a mean of ones may round up
        low=None if ends is None else ends.low,
        high=None if ends is None else ends.high,
        chance=chance,
    )


def _majority(metrics: ClassificationMetrics, names: Sequence[str], num_clips: int) -> MajorityClass:
    best = int(metrics.num_positives_C.argmax())
    return MajorityClass(name=names[best], accuracy=int(metrics.num_positives_C[best]) / num_clips)


def _class_scores(metrics: ClassificationMetrics, names: Sequence[str]) -> tuple[ClassScore, ...]:
    columns = zip(
        names,
        metrics.average_precision_C.tolist(),
        metrics.auc_C.tolist(),
        metrics.num_positives_C.tolist(),
        strict=True,
    )
    return tuple(
        ClassScore(
            name=name,
            average_precision=_defined(precision),
            auc=_defined(auc),
            num_positives=count,
        )
        for name, precision, auc, count in columns
    )


def _defined(value: float) -> float | None:
    return None if math.isnan(value) else value


def _best_first(score: ClassScore) -> tuple[float, str]:
    return (2.0 if score.average_precision is None else -score.average_precision, score.name)


def _percent(value: float | None) -> str:
    return "-" if value is None else f"{value * 100:.1f} %"
