"""Spans of one state: what temporal segmentation finds, and what it should find.

    frames   0  1  2  3  4  5          labels   0  0  1  1  0  0
    spans    [0  1] [2  3] [4  5]      borders half-way between the neighbours 1, 2 and 3, 4

Letters: T frames, K spans.
"""

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from cavmae_sync.metrics.runs import run_edges


@dataclass(frozen=True, kw_only=True, slots=True)
class StateSpan:
    """Span of time in one state.

    Attributes:
        start_seconds: From the start of the file.
        stop_seconds: Where the next one starts, or the end.
        label: Number of the state, from 0; equal numbers are the same state.

    Raises:
        ValueError: The span ends before it starts, a time is not finite, or the label is negative.
    """

    start_seconds: float
    stop_seconds: float
    label: int

    def __post_init__(self) -> None:
        if not (math.isfinite(self.start_seconds) and self.start_seconds <= self.stop_seconds < math.inf):
            raise ValueError(f"A span cannot last from {self.start_seconds} to {self.stop_seconds} s.")
        if self.label < 0:
            raise ValueError(f"Labels count from 0, got {self.label}.")

    @property
    def name(self) -> str:
        """The label as a letter: A to Z, then AA, AB and so on."""
        return label_letters(self.label)


#: Spans by time, without gaps.
StateSpans = tuple[StateSpan, ...]


def label_letters(label: int) -> str:
    """A label as people read it.

    >>> label_letters(0), label_letters(25), label_letters(26)
    ('A', 'Z', 'AA')
    """
    before, last = divmod(label, 26)
    return (label_letters(before - 1) if before else "") + chr(ord("A") + last)


def by_first_appearance(labels_T: NDArray[np.integer]) -> NDArray[np.int64]:
    """The same labels, numbered from 0 in the order in which they first appear.

    >>> by_first_appearance(np.array([7, 7, 2, 7])).tolist()
    [0, 0, 1, 0]
    """
    _, first, place_T = np.unique(labels_T, return_index=True, return_inverse=True)
    return np.argsort(np.argsort(first))[place_T].astype(np.int64)


def spans_of_labels(
    labels_T: NDArray[np.integer],
    seconds_T: NDArray[np.float64],
    *,
    start_seconds: float,
    stop_seconds: float,
) -> StateSpans:
    """Spans of equal neighbouring labels, borders half-way between neighbours that differ.

    Args:
        labels_T: State of each frame.
        seconds_T: Times of the frames, never decreasing.
        start_seconds: Where the first span starts.
        stop_seconds: Where the last one stops.

    Raises:
        ValueError: Labels and times do not belong together.

    Source:
        Ours; the development code draws one bar from a label's first to its last frame.
    """
    if labels_T.shape != seconds_T.shape or labels_T.ndim != 1 or len(labels_T) == 0:
        raise ValueError(f"Each label needs a time, got {labels_T.shape} labels and {seconds_T.shape} times.")
    if not (
        start_seconds <= seconds_T[0] and seconds_T[-1] <= stop_seconds and (np.diff(seconds_T) >= 0).all()
    ):
        raise ValueError(f"Times must rise from {start_seconds} to {stop_seconds} s, got {seconds_T}.")
    first_K = run_edges(labels_T)[:-1]
    borders = (seconds_T[first_K[1:] - 1] + seconds_T[first_K[1:]]) / 2
    return spans_of_edges(np.concatenate([[start_seconds], borders, [stop_seconds]]), labels_T[first_K])


def spans_of_edges(edges: NDArray[np.float64], labels_K: NDArray[np.integer]) -> StateSpans:
    """Spans between K + 1 rising edges."""
    return tuple(
        StateSpan(start_seconds=start, stop_seconds=stop, label=label)
        for start, stop, label in zip(edges[:-1].tolist(), edges[1:].tolist(), labels_K.tolist(), strict=True)
    )


def edges_and_labels(spans_K: StateSpans) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    """Edges [K + 1] and labels [K] of spans without gaps."""
    edges = [spans_K[0].start_seconds, *(span.stop_seconds for span in spans_K)]
    return np.array(edges), np.array([span.label for span in spans_K])


def without_short_spans(
    edges: NDArray[np.float64], labels_K: NDArray[np.integer], *, min_seconds: float
) -> tuple[NDArray[np.float64], NDArray[np.integer]]:
    """Edges and labels with the short spans given away, the shortest first, until none is left.

    Equal neighbours become one. A short span between two different ones is shared by halves; at an end its
    one neighbour takes it.

    Args:
        edges: float64 [K + 1], rising, seconds.
        labels_K: Labels of the spans.
        min_seconds: What a span must last to stay.
    """
    edges, labels_K = _joined(edges, labels_K)
    while len(labels_K) > 1 and (lengths := np.diff(edges)).min() < min_seconds:
        k = int(lengths.argmin())
        middle = (edges[k] + edges[k + 1]) / 2
        if k == 0:
            edges = np.delete(edges, 1)
        elif k == len(labels_K) - 1:
            edges = np.delete(edges, k)
        else:
            edges = np.concatenate([edges[:k], [middle], edges[k + 2 :]])
        edges, labels_K = _joined(edges, np.delete(labels_K, k))
    return edges, labels_K


def _joined(
    edges: NDArray[np.float64], labels_K: NDArray[np.integer]
) -> tuple[NDArray[np.float64], NDArray[np.integer]]:
    """Edges and labels without the edges between equal labels."""
    first_K = run_edges(labels_K)[:-1]
    return np.concatenate([edges[first_K], edges[-1:]]), labels_K[first_K]
