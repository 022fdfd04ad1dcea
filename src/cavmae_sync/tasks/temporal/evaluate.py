"""Temporal segmentation on a stage: a model, clips and their truth in, a report out.

Letters: N clips, T frames, X resamples, S sums or means of one clip.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import torch
from matplotlib.figure import Figure
from numpy.typing import NDArray
from pydantic import Field

from cavmae_sync.choices import Modalities
from cavmae_sync.config import Config
from cavmae_sync.data import PreparedDataset
from cavmae_sync.embedding import DatasetEmbeddings, Embedder
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
from cavmae_sync.paper import MAX_STATES
from cavmae_sync.stage import StageTruth
from cavmae_sync.tasks.controls import untrained
from cavmae_sync.tasks.report import Report, Value
from cavmae_sync.tasks.temporal.baselines import loudness_states, one_state, uniform_states
from cavmae_sync.tasks.temporal.clustering import cluster_states, runs_of_labels, state_vectors
from cavmae_sync.tasks.temporal.figure import LETTERS_NOTE, Bar, Surroundings, states_figure
from cavmae_sync.tasks.temporal.truth import (
    MIN_STATE_SECONDS,
    Timeline,
    as_arrays,
    frame_times,
    states_at_frames,
    true_states,
)

#: Boundaries count as found when they are this close, in seconds.
TOLERANCES_SECONDS: Final = (0.5, 1.0)
_STATE_METRICS: Final = {"purity": purity, "coverage": coverage}


class TemporalTask(Config):
    """What is looked for, and where."""

    modality: Modalities
    """Whose vectors are clustered."""
    truth: Modalities | None = None
    """Which states should be found: of the objects that sound (audio), that are visible, or both; None takes
    those of the modality."""
    max_states: int = Field(MAX_STATES, ge=2)
    """Most states of a clip."""
    num_bootstrap: int = Field(1000, ge=0)
    """Resamples of the clips behind the 95 % intervals; 0 gives none."""
    seed: int = 0
    """Seed of k-means and of the resamples."""

    @property
    def states_of(self) -> Modalities:
        """Which states should be found."""
        return self.truth or self.modality


@dataclass(frozen=True, kw_only=True, eq=False)
class TemporalReport(Report):
    """Report of temporal segmentation, and what it was computed from.

    Attributes:
        config: What was looked for.
        predicted: States of each clip, as predicted.
        truth: States of each clip, as they are.
    """

    config: TemporalTask
    predicted: tuple[Timeline, ...]
    truth: tuple[Timeline, ...]

    def settings(self) -> dict[str, Any]:
        """Everything that was chosen; `max_states` is in `made_with` where states were predicted."""
        chosen = self.config.model_dump(mode="json", exclude={"max_states"})
        return {
            **chosen,
            "truth": self.config.states_of,
            "min_state_seconds": MIN_STATE_SECONDS,
            **self.made_with,
        }


@dataclass(frozen=True, kw_only=True, slots=True)
class StatePredictions:
    """States of clips, from a model, from the truth or from a baseline.

    Attributes:
        timelines: Of each clip.
        weights: Fingerprint of the weights; a name in angle brackets where there are none.
        made_with: How they were made, as JSON values.
        counts: Clips by the way that clustering took; empty where nothing was clustered.
    """

    timelines: tuple[Timeline, ...]
    weights: str
    made_with: Mapping[str, Any]
    counts: Mapping[str, int]


def evaluate_temporal(
    embedder: Embedder,
    clips: PreparedDataset,
    truth: StageTruth,
    *,
    task: TemporalTask,
    on_progress: OnProgress | None = None,
) -> TemporalReport:
    """How well the published clustering of a model's vectors finds the states of clips.

    Args:
        embedder: The model and how it computes.
        clips: Prepared clips of a stage.
        truth: Of that stage.
        task: What is looked for, and where.
        on_progress: Called with clips done and clips in all.

    Returns:
        Precision, recall and F1 of boundaries within 0.5 and 1 s, counts summed over clips; purity, coverage
        and adjusted Rand index of the states, means over clips.

    Source:
        Spec 4.6; paper Figure 6 (which gives no numbers).
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
    """As `evaluate_temporal` for several tasks, with controls, each clip embedded once per model.

    Returns:
        For each task, by what made the prediction: "model", and with controls also "untrained" and the names
        of `temporal_baselines`.
    """
    models = {"model": embedder}
    if with_controls:
        models["untrained"] = untrained(embedder)
    vectors = {name: model.embed_dataset(clips, on_progress=on_progress) for name, model in models.items()}
    reports = []
    for task in tasks:
        predictions = {name: predict_states(found, clips, task=task) for name, found in vectors.items()}
        states = states_of_clips(clips, truth, modality=task.states_of)
        if with_controls:
            num_segments = [len(timeline) for timeline in predictions["model"].timelines]
            predictions |= temporal_baselines(clips, states, num_segments=num_segments)
        reports.append(
            {
                name: temporal_report(found, states, clips, task=task, name=name)
                for name, found in predictions.items()
            }
        )
    return reports


def predict_states(
    embeddings: DatasetEmbeddings,
    clips: PreparedDataset,
    *,
    task: TemporalTask,
) -> StatePredictions:
    """States of each clip from its vectors.

    Raises:
        ValueError: A vector is not finite.
    """
    timelines: list[Timeline] = []
    paths = Counter[str]()
    for index, (audio_TD, visual_TD) in enumerate(
        zip(embeddings.audio_NTD, embeddings.visual_NTD, strict=True)
    ):
        clip = clips.row(index)
        found = cluster_states(
            state_vectors(audio_TD, visual_TD, modality=task.modality),
            max_states=task.max_states,
            seed=task.seed,
        )
        paths[found.path] += 1
        timelines.append(
            runs_of_labels(
                found.labels_T,
                frame_times(clip),
                start_seconds=clip.start_seconds,
                stop_seconds=clip.stop_seconds,
            )
        )
    return StatePredictions(
        timelines=tuple(timelines),
        weights=embeddings.weights,
        made_with={"max_states": task.max_states, **embeddings.made_with},
        counts={f"clips_by_{path}": count for path, count in sorted(paths.items())},
    )


def states_of_clips(
    clips: PreparedDataset,
    truth: StageTruth,
    *,
    modality: Modalities,
    min_state_seconds: float = MIN_STATE_SECONDS,
) -> tuple[Timeline, ...]:
    """True states of each clip; see `true_states`."""
    rows = (clips.row(index) for index in range(len(clips)))
    return tuple(
        true_states(truth.for_clip(row), row, modality=modality, min_state_seconds=min_state_seconds)
        for row in rows
    )


def temporal_baselines(
    clips: PreparedDataset, states: Sequence[Timeline], *, num_segments: Sequence[int]
) -> dict[str, StatePredictions]:
    """What needs no model, by name.

    Args:
        clips: Prepared clips.
        states: Their true states.
        num_segments: Segments of each clip that a model found, for stretches of equal length.

    Returns:
        "oracle": the truth itself, which must be perfect; "oracle_at_frames": the truth seen only at the
        clip's frames, the best that can be reached; "loudness": loud and quiet; "uniform"; "one_state".
    """
    rows = [clips.row(index) for index in range(len(clips))]
    pairs = list(zip(states, rows, strict=True))
    timelines = {
        "oracle": tuple(states),
        "oracle_at_frames": tuple(states_at_frames(timeline, row) for timeline, row in pairs),
        "loudness": tuple(loudness_states(clips, index) for index in range(len(clips))),
        "uniform": tuple(
            uniform_states(row, num_segments=number) for row, number in zip(rows, num_segments, strict=True)
        ),
        "one_state": tuple(one_state(row) for row in rows),
    }
    return {
        name: StatePredictions(timelines=found, weights=f"<{name}>", made_with={"baseline": name}, counts={})
        for name, found in timelines.items()
    }


def temporal_report(
    predictions: StatePredictions,
    states: Sequence[Timeline],
    clips: PreparedDataset,
    *,
    task: TemporalTask,
    name: str = "model",
) -> TemporalReport:
    """Compare predicted with true states of the same clips, whatever they were predicted from."""
    matches = {
        tolerance: [
            _matches(found, true, tolerance)
            for found, true in zip(predictions.timelines, states, strict=True)
        ]
        for tolerance in TOLERANCES_SECONDS
    }
    agreement_NS = np.array(
        [_agreement(found, true) for found, true in zip(predictions.timelines, states, strict=True)]
    )
    generator = np.random.default_rng(task.seed)
    draws_XN = generator.integers(len(states), size=(task.num_bootstrap, len(states)))
    metrics: dict[str, Value] = {}
    for tolerance, of_clips in matches.items():
        metrics |= _boundary_values(f"boundaries_within_{tolerance:g}_s", of_clips, draws_XN)
    metrics |= _agreement_values(agreement_NS, draws_XN)
    total = sum(matches[TOLERANCES_SECONDS[0]], start=_NONE)
    return TemporalReport(
        name=f"temporal segmentation: {task.modality} vectors, {task.states_of} truth: {name}",
        metrics=metrics,
        counts={
            "clips": len(states),
            "clips_without_true_boundary": sum(len(timeline) == 1 for timeline in states),
            "boundaries_predicted": total.num_predicted,
            "boundaries_true": total.num_true,
            **predictions.counts,
        },
        config=task,
        made_with=predictions.made_with,
        weights=predictions.weights,
        clip_list=clips.list_sha256,
        predicted=predictions.timelines,
        truth=tuple(states),
    )


_NONE: Final = BoundaryMatches(num_matched=0, num_predicted=0, num_true=0)


def _matches(found: Timeline, true: Timeline, tolerance_seconds: float) -> BoundaryMatches:
    return match_boundaries(
        boundaries(*as_arrays(found)), boundaries(*as_arrays(true)), tolerance_seconds=tolerance_seconds
    )


def _agreement(found: Timeline, true: Timeline) -> list[float]:
    overlap = overlap_seconds(*as_arrays(found), *as_arrays(true))
    return [
        *(metric(overlap) for metric in _STATE_METRICS.values()),
        rand_index(*as_arrays(found), *as_arrays(true)),
    ]


def _boundary_values(
    group: str, of_clips: Sequence[BoundaryMatches], draws_XN: NDArray[np.int64]
) -> dict[str, Value]:
    """Values of the sums over clips. A share of nothing is left out; the counts say so."""
    total = sum(of_clips, start=_NONE)
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
            values[f"{group}/{name}"] = _value(value, share_X[defined] / of_X[defined])
    return values


def _agreement_values(agreement_NS: NDArray[np.float64], draws_XN: NDArray[np.int64]) -> dict[str, Value]:
    means_XS = agreement_NS[draws_XN].mean(axis=1)
    names = (*_STATE_METRICS, "adjusted_rand_index")
    return {
        f"states/{name}": _value(
            float(agreement_NS[:, s].mean()), means_XS[:, s], is_index=s == len(names) - 1
        )
        for s, name in enumerate(names)
    }


def _value(value: float, samples_X: NDArray[np.float64], *, is_index: bool = False) -> Value:
    ends = interval(torch.from_numpy(samples_X)) if len(samples_X) else None
    low, high = (None, None) if ends is None else (ends.low, ends.high)
    if is_index:
        return Value(value=value, low=low, high=high, unit="score")
    return Value(value=min(value, 1.0), low=low, high=high)  # a mean of ones may round up


def figure_of_reports(clips: PreparedDataset, reports: Sequence[TemporalReport]) -> Figure:
    """Bars of one clip: the one whose agreement with the truth is the median of all clips.

    Args:
        clips: The clips that were evaluated.
        reports: One for each task; the last one decides on the clip.
    """
    last = reports[-1]
    indices = [
        rand_index(*as_arrays(found), *as_arrays(true))
        for found, true in zip(last.predicted, last.truth, strict=True)
    ]
    index = int(np.argsort(indices, kind="stable")[len(indices) // 2])
    clip = clips.row(index)
    bars = [
        bar
        for report in reports
        for bar in (
            Bar(name=f"{report.config.modality}:\nmodel", segments=report.predicted[index]),
            Bar(name=f"{report.config.states_of}:\ntruth", segments=report.truth[index]),
        )
    ]
    return states_figure(
        bars,
        around=Surroundings(
            frames_THWC=np.stack([clips.read_frame(index, frame) for frame in range(clips.num_frames)]),
            frame_seconds_T=frame_times(clip),
            log_mel_NM=clips.read_log_mel_rows(index, start=0, stop=clip.num_spectrogram_frames),
            start_seconds=clip.start_seconds,
            stop_seconds=clip.stop_seconds,
        ),
        title=f"When the state changes: {clip.id}, adjusted Rand index {indices[index]:.2f} (the median)\n"
        f"{LETTERS_NOTE}",
    )
