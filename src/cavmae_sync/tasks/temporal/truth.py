"""What should be found: states over time, from the truth of a stage; and what a perfect model could find.

A state is which objects are heard, which are visible, or both together. Stretches too short for the frames of
a clip are given to their neighbours, in the truth and nowhere else.

Letters: T frames, K stretches.
"""

from typing import Final

import numpy as np
from numpy.typing import NDArray

from cavmae_sync.choices import Modalities
from cavmae_sync.data import ClipRow
from cavmae_sync.stage import ClipTruth
from cavmae_sync.tasks.temporal.clustering import Segment, by_first_appearance, runs_of_labels, without_short

#: Shorter states are no part of the truth: frames of a clip of 10 s lie about 0.64 s apart, so that a model
#: with 16 frames cannot show them.
MIN_STATE_SECONDS: Final = 0.64

Timeline = tuple[Segment, ...]


def true_states(
    truth: ClipTruth,
    clip: ClipRow,
    *,
    modality: Modalities,
    min_state_seconds: float = MIN_STATE_SECONDS,
) -> Timeline:
    """The states of a clip and when they change.

    Args:
        truth: Of the file the clip comes from.
        clip: Its place in the file.
        modality: "audio": which objects sound; "visual": which are visible; "both": the two together.
        min_state_seconds: Shorter stretches are given to their neighbours; 0 keeps all.

    Returns:
        Segments from the start to the end of the clip, seconds from the start of the file.
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
    return timeline(*without_short(edges, labels_K, min_seconds=min_state_seconds))


def states_at_frames(timeline_K: Timeline, clip: ClipRow) -> Timeline:
    """What is left of states that are looked at only at the clip's frames: the best that can be reached."""
    edges, labels_K = as_arrays(timeline_K)
    seconds_T = frame_times(clip)
    place_T = np.clip(np.searchsorted(edges, seconds_T, side="right") - 1, 0, len(labels_K) - 1)
    return runs_of_labels(
        by_first_appearance(labels_K[place_T]),
        seconds_T,
        start_seconds=clip.start_seconds,
        stop_seconds=clip.stop_seconds,
    )


def timeline(edges: NDArray[np.float64], labels_K: NDArray[np.integer]) -> Timeline:
    """Segments of edges and labels, labels numbered by first appearance."""
    numbers = by_first_appearance(labels_K).tolist()
    return tuple(
        Segment(start_seconds=start, stop_seconds=stop, label=number)
        for start, stop, number in zip(edges[:-1].tolist(), edges[1:].tolist(), numbers, strict=True)
    )


def as_arrays(timeline_K: Timeline) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    """Edges [K + 1] and labels [K] of segments without gaps."""
    edges = [timeline_K[0].start_seconds, *(segment.stop_seconds for segment in timeline_K)]
    return np.array(edges), np.array([segment.label for segment in timeline_K])


def frame_times(clip: ClipRow) -> NDArray[np.float64]:
    """Times of a clip's frames, from the start of the file."""
    return clip.start_seconds + np.array(clip.frame_seconds, dtype=np.float64)


def _state_at(truth: ClipTruth, second: float, modality: Modalities) -> tuple[tuple[int, ...], ...]:
    frame = truth.frame_index(second)
    visible = tuple(thing.number for thing in truth.objects if thing.is_visible_T[frame])
    parts = {"audio": (truth.sounding(second),), "visual": (visible,)}
    return (*parts["audio"], *parts["visual"]) if modality == "both" else parts[modality]
