"""True states over time, from the truth of a stage; and what a perfect model could find of them.

A state is which objects are heard, which are visible, or both together. Spans too short for the frames of a
clip are given to their neighbours, in the truth and nowhere else.

Letters: T frames, K spans.
"""

from typing import Final

import numpy as np
from numpy.typing import NDArray

from cavmae_sync.choices import Modalities
from cavmae_sync.data import ClipRow
from cavmae_sync.metrics.temporal import labels_at
from cavmae_sync.stage import ClipTruth
from cavmae_sync.tasks.temporal.spans import (
    StateSpans,
    by_first_appearance,
    edges_and_labels,
    spans_of_edges,
    spans_of_labels,
    without_short_spans,
)

#: Shorter states are no part of the truth: frames of a clip of 10 s lie about 0.64 s apart, so that a model
#: with 16 frames cannot show them.
MIN_STATE_SECONDS: Final = 0.64


def true_states(
    truth: ClipTruth,
    clip: ClipRow,
    *,
    modality: Modalities,
    min_state_seconds: float = MIN_STATE_SECONDS,
) -> StateSpans:
    """True states of a clip.

    Args:
        truth: Of the file the clip comes from.
        clip: Its place in the file.
        modality: "audio": which objects sound; "visual": which are visible; "both": the two together.
        min_state_seconds: Shorter spans are given to their neighbours; 0 keeps all.

    Returns:
        Spans from the start to the end of the clip, seconds from the start of the file.
    """
    start, stop = clip.start_seconds, clip.stop_seconds
    changes = {
        "audio": [second for e in truth.events for second in (e.start_seconds, e.stop_seconds)],
        "visual": truth.frame_seconds_T.tolist(),
    }
    chosen = [*changes["audio"], *changes["visual"]] if modality == "both" else changes[modality]
    edges = np.unique([start, *(second for second in chosen if start < second < stop), stop])
    states = [_state_at(truth, second, modality) for second in ((edges[1:] + edges[:-1]) / 2).tolist()]
    numbers = {state: number for number, state in enumerate(dict.fromkeys(states))}
    labels_K = np.array([numbers[state] for state in states])
    edges, labels_K = without_short_spans(edges, labels_K, min_seconds=min_state_seconds)
    return spans_of_edges(edges, by_first_appearance(labels_K))


def states_at_frames(spans_K: StateSpans, clip: ClipRow) -> StateSpans:
    """States seen at the clip's frames only: the best that can be reached."""
    edges, labels_K = edges_and_labels(spans_K)
    seconds_T = frame_times(clip)
    return spans_of_labels(
        by_first_appearance(labels_at(seconds_T, edges, labels_K)),
        seconds_T,
        start_seconds=clip.start_seconds,
        stop_seconds=clip.stop_seconds,
    )


def frame_times(clip: ClipRow) -> NDArray[np.float64]:
    """Times of a clip's frames, from the start of the file."""
    return clip.start_seconds + np.array(clip.frame_seconds, dtype=np.float64)


def _state_at(truth: ClipTruth, second: float, modality: Modalities) -> tuple[tuple[int, ...], ...]:
    frame = truth.frame_index(second)
    visible = tuple(thing.number for thing in truth.objects if thing.is_visible_T[frame])
    parts = {"audio": (truth.sounding(second),), "visual": (visible,)}
    return (*parts["audio"], *parts["visual"]) if modality == "both" else parts[modality]
