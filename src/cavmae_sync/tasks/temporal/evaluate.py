"""Evaluation of temporal segmentation on a stage: a model, clips and their truth in, a report out.

Letters: N clips, X resamples, S values of one clip.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import torch
from numpy.typing import NDArray

from cavmae_sync.data import PreparedDataset
from cavmae_sync.embedding import Embedder
from cavmae_sync.embedding.embedder import OnProgress
from cavmae_sync.metrics import interval
from cavmae_sync.metrics.temporal import (
    BoundaryMatches,
    boundaries,
    coverage,
    match_boundaries,
    overlap_seconds,
    purity,
    rand_index,
)
from cavmae_sync.stage import StageTruth
from cavmae_sync.tasks.controls import untrained
from cavmae_sync.tasks.report import Report, Unit, Value
from cavmae_sync.tasks.temporal.config import TemporalTask
from cavmae_sync.tasks.temporal.predictions import (
    StatePredictions,
    predict_states,
    states_of_clips,
    temporal_baselines,
)
from cavmae_sync.tasks.temporal.spans import StateSpans, edges_and_labels
from cavmae_sync.tasks.temporal.truth import MIN_STATE_SECONDS

#: Boundaries count as found when they are this close, in seconds.
TOLERANCES_SECONDS: Final = (0.5, 1.0)
_STATE_METRICS: Final = ("purity", "coverage", "adjusted_rand_index")
_NO_MATCHES: Final = BoundaryMatches(num_matched=0, num_predicted=0, num_true=0)


@dataclass(frozen=True, kw_only=True, eq=False)
class TemporalReport(Report):
    """Report, and the states that it was computed from.

    Attributes:
        config: Which states were looked for, and in which vectors.
        predicted: Predicted states of each clip.
        true: True states of each clip.
    """

    config: TemporalTask
    predicted: tuple[StateSpans, ...]
    true: tuple[StateSpans, ...]

    def settings(self) -> dict[str, Any]:
        """Everything that was chosen; `max_states` is in `made_with` where states were predicted."""
        return {
            **self.config.model_dump(mode="json", exclude={"max_states"}),
            "truth": self.config.states_of,
            "min_state_seconds": MIN_STATE_SECONDS,
            **self.made_with,
        }


def evaluate_temporal(
    embedder: Embedder,
    clips: PreparedDataset,
    truth: StageTruth,
    *,
    task: TemporalTask,
    on_progress: OnProgress | None = None,
) -> TemporalReport:
    """Evaluate how well the published clustering of a model's vectors finds the states of clips.

    Args:
        embedder: The model and how it computes.
        clips: Prepared clips of a stage.
        truth: Of that stage.
        task: Which states are looked for, and in which vectors.
        on_progress: Called with clips done and clips in all.

    Returns:
        Precision, recall and F1 of boundaries within 0.5 and 1 s, counts summed over clips; purity, coverage
        and adjusted Rand index of the states, means over clips.

    Source:
        Paper Figure 6 (which gives no numbers); rule from the development code.
    """
    reports = measure_temporal(embedder, clips, truth, tasks=[task], on_progress=on_progress)
    return reports[0]["model"]


def measure_temporal(
    embedder: Embedder,
    clips: PreparedDataset,
    truth: StageTruth,
    *,
    tasks: Sequence[TemporalTask],
    with_controls: bool = False,
    on_progress: OnProgress | None = None,
) -> list[dict[str, TemporalReport]]:
    """Reports as from `evaluate_temporal` for several tasks, with controls; each model embeds a clip once.

    Returns:
        For each task, by what made the prediction: "model", and with controls also "untrained" and the names
        of `temporal_baselines`.
    """
    models = {"model": embedder}
    if with_controls:
        models["untrained"] = untrained(embedder)
    embeddings = {name: model.embed_dataset(clips, on_progress=on_progress) for name, model in models.items()}
    reports = []
    for task in tasks:
        predictions = {name: predict_states(found, clips, task=task) for name, found in embeddings.items()}
        true = states_of_clips(clips, truth, modality=task.states_of)
        if with_controls:
            num_spans = [len(spans) for spans in predictions["model"].states]
            predictions |= temporal_baselines(clips, true, num_spans=num_spans)
        reports.append(
            {
                name: temporal_report(found, true, clips, task=task, name=name, stage=truth.name)
                for name, found in predictions.items()
            }
        )
    return reports


def temporal_report(
    predictions: StatePredictions,
    true: Sequence[StateSpans],
    clips: PreparedDataset,
    *,
    task: TemporalTask,
    name: str = "model",
    stage: str | None = None,
) -> TemporalReport:
    """Compare predicted with true states of the same clips, whatever they were predicted from.

    `name` is what predicted, `stage` the name of the stage that is written into the report.
    """
    pairs = list(zip(predictions.states, true, strict=True))
    matches = {
        tolerance: [_matches(found, spans, tolerance) for found, spans in pairs]
        for tolerance in TOLERANCES_SECONDS
    }
    generator = np.random.default_rng(task.seed)
    draws_XN = generator.integers(len(true), size=(task.num_bootstrap, len(true)))
    metrics: dict[str, Value] = {}
    for tolerance, of_clips in matches.items():
        metrics |= _boundary_values(f"boundaries_within_{tolerance:g}_s", of_clips, draws_XN)
    metrics |= _state_values(np.array([_state_metrics(found, spans) for found, spans in pairs]), draws_XN)
    total = sum(matches[TOLERANCES_SECONDS[0]], start=_NO_MATCHES)
    return TemporalReport(
        name=f"temporal segmentation: {task.modality} vectors, {task.states_of} truth: {name}",
        metrics=metrics,
        counts={
            "clips": len(true),
            "clips_without_true_boundary": sum(len(spans) == 1 for spans in true),
            "boundaries_predicted": total.num_predicted,
            "boundaries_true": total.num_true,
            **predictions.counts,
        },
        config=task,
        made_with={**predictions.made_with, **({} if stage is None else {"stage": stage})},
        weights=predictions.weights,
        clip_list=clips.list_sha256,
        predicted=predictions.states,
        true=tuple(true),
    )


def _matches(found: StateSpans, true: StateSpans, tolerance_seconds: float) -> BoundaryMatches:
    return match_boundaries(
        boundaries(*edges_and_labels(found)),
        boundaries(*edges_and_labels(true)),
        tolerance_seconds=tolerance_seconds,
    )


def _state_metrics(found: StateSpans, true: StateSpans) -> tuple[float, ...]:
    """Values of one clip, in the order of `_STATE_METRICS`."""
    found_and_true = (*edges_and_labels(found), *edges_and_labels(true))
    overlap = overlap_seconds(*found_and_true)
    return purity(overlap), coverage(overlap), rand_index(*found_and_true)


def _boundary_values(
    group: str, of_clips: Sequence[BoundaryMatches], draws_XN: NDArray[np.int64]
) -> dict[str, Value]:
    """Values of the sums over clips. A share of nothing is left out; the counts say so."""
    total = sum(of_clips, start=_NO_MATCHES)
    counts_NS = np.array([[m.num_matched, m.num_predicted, m.num_true] for m in of_clips])
    matched_X, predicted_X, true_X = counts_NS[draws_XN].sum(axis=1).T
    values = {}
    for name, value, share_X, of_X in (
        ("precision", total.precision, matched_X, predicted_X),
        ("recall", total.recall, matched_X, true_X),
        ("f1", total.f1, 2 * matched_X, predicted_X + true_X),
    ):
        if value is not None:
            defined = of_X > 0
            values[f"{group}/{name}"] = _with_interval(value, share_X[defined] / of_X[defined])
    return values


def _state_values(values_NS: NDArray[np.float64], draws_XN: NDArray[np.int64]) -> dict[str, Value]:
    """Means over clips."""
    means_XS = values_NS[draws_XN].mean(axis=1)
    values = {}
    for name, values_N, means_X in zip(_STATE_METRICS, values_NS.T, means_XS.T, strict=True):
        mean = float(values_N.mean())
        if name == "adjusted_rand_index":  # below 0 where labels agree less than by chance
            values[f"states/{name}"] = _with_interval(mean, means_X, unit="score")
        else:
            values[f"states/{name}"] = _with_interval(min(mean, 1.0), means_X)  # a mean of ones may round up
    return values


def _with_interval(value: float, samples_X: NDArray[np.float64], *, unit: Unit = "fraction") -> Value:
    ends = interval(torch.from_numpy(samples_X)) if len(samples_X) else None
    return Value(
        value=value,
        low=None if ends is None else ends.low,
        high=None if ends is None else ends.high,
        unit=unit,
    )
