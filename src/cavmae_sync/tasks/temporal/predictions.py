"""Predicted states of prepared clips: from a model's vectors, or from baselines without a model."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from cavmae_sync.choices import Modalities
from cavmae_sync.data import PreparedDataset
from cavmae_sync.embedding import DatasetEmbeddings
from cavmae_sync.stage import StageTruth
from cavmae_sync.tasks.temporal.baselines import loudness_states, one_state, uniform_states
from cavmae_sync.tasks.temporal.clustering import cluster_states, state_vectors
from cavmae_sync.tasks.temporal.config import TemporalTask
from cavmae_sync.tasks.temporal.spans import StateSpans, spans_of_labels
from cavmae_sync.tasks.temporal.truth import MIN_STATE_SECONDS, frame_times, states_at_frames, true_states


@dataclass(frozen=True, kw_only=True, slots=True)
class StatePredictions:
    """States of clips, from a model, from the truth or from a baseline.

    Attributes:
        states: States of each clip.
        weights: Fingerprint of the weights; a name in angle brackets where there are none.
        made_with: How they were made, as JSON values.
        counts: Clips by the way that clustering took; empty where nothing was clustered.
    """

    states: tuple[StateSpans, ...]
    weights: str
    made_with: Mapping[str, Any]
    counts: Mapping[str, int]


def predict_states(
    embeddings: DatasetEmbeddings, clips: PreparedDataset, *, task: TemporalTask
) -> StatePredictions:
    """States of each clip from its vectors.

    Raises:
        ValueError: A vector is not finite.
    """
    states: list[StateSpans] = []
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
        states.append(
            spans_of_labels(
                found.labels_T,
                frame_times(clip),
                start_seconds=clip.start_seconds,
                stop_seconds=clip.stop_seconds,
            )
        )
    return StatePredictions(
        states=tuple(states),
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
) -> tuple[StateSpans, ...]:
    """True states of each clip; see `true_states`."""
    rows = (clips.row(index) for index in range(len(clips)))
    return tuple(
        true_states(truth.for_clip(row), row, modality=modality, min_state_seconds=min_state_seconds)
        for row in rows
    )


def temporal_baselines(
    clips: PreparedDataset, true: Sequence[StateSpans], *, num_spans: Sequence[int]
) -> dict[str, StatePredictions]:
    """Predictions that need no model, by name.

    Args:
        clips: Prepared clips.
        true: Their true states.
        num_spans: Spans of each clip that a model found, for spans of equal length.

    Returns:
        "oracle": the truth itself, which must be perfect; "oracle_at_frames": the truth seen only at the
        clip's frames, the best that can be reached; "loudness": loud and quiet; "uniform"; "one_state".
    """
    rows = [clips.row(index) for index in range(len(clips))]
    states = {
        "oracle": true,
        "oracle_at_frames": [states_at_frames(spans, row) for spans, row in zip(true, rows, strict=True)],
        "loudness": [loudness_states(clips, index) for index in range(len(clips))],
        "uniform": [
            uniform_states(row, num_spans=number) for row, number in zip(rows, num_spans, strict=True)
        ],
        "one_state": [one_state(row) for row in rows],
    }
    return {
        name: StatePredictions(
            states=tuple(of_clips), weights=f"<{name}>", made_with={"baseline": name}, counts={}
        )
        for name, of_clips in states.items()
    }
