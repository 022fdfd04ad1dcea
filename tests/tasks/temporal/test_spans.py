"""Spans of one state: from labels, and without the short ones, by hand."""

import numpy as np
import pytest

from cavmae_sync.tasks.temporal.spans import (
    StateSpan,
    by_first_appearance,
    label_letters,
    spans_of_edges,
    spans_of_labels,
    without_short_spans,
)

from .shorthand import text


def test_borders_lie_half_way_between_neighbours():
    found = spans_of_labels(
        np.array([0, 0, 1, 0]), np.array([0.0, 1.0, 2.0, 4.0]), start_seconds=0, stop_seconds=5
    )
    assert [(s.start_seconds, s.stop_seconds, s.name) for s in found] == [
        (0, 1.5, "A"),
        (1.5, 3, "B"),
        (3, 5, "A"),
    ]


def test_one_moment_fills_the_clip():
    (only,) = spans_of_labels(np.array([0]), np.array([0.3]), start_seconds=0, stop_seconds=1)
    assert (only.start_seconds, only.stop_seconds) == (0, 1)


@pytest.mark.parametrize("seconds", [[1.0, 0.5], [0.0, 9.0], [-1.0, 1.0], [0.0]])
def test_times_that_do_not_fit_are_refused(seconds: list[float]):
    with pytest.raises(ValueError, match=r"[Tt]ime"):
        spans_of_labels(np.array([0, 1]), np.array(seconds), start_seconds=0, stop_seconds=2)


@pytest.mark.parametrize(("start", "stop", "label"), [(2, 1, 0), (0, np.inf, 0), (np.nan, 1, 0), (0, 1, -1)])
def test_what_is_no_span_is_refused(start: float, stop: float, label: int):
    with pytest.raises(ValueError, match=r"span|Labels"):
        StateSpan(start_seconds=start, stop_seconds=stop, label=label)


def test_letters_go_on_after_z():
    assert [label_letters(n) for n in (0, 25, 26, 51, 52, 701, 702)] == [
        "A", "Z", "AA", "AZ", "BA", "ZZ", "AAA",
    ]  # fmt: skip


def short_gone(edges: list[float], labels: list[int], min_seconds: float = 0.5) -> str:
    edges, labels = without_short_spans(np.array(edges), np.array(labels), min_seconds=min_seconds)
    return text(spans_of_edges(edges, by_first_appearance(labels)))


def test_a_short_gap_between_equal_states_is_filled():
    assert short_gone([0, 2, 2.3, 5], [0, 1, 0]) == "0-5A"


def test_a_short_state_between_different_ones_is_shared():
    assert short_gone([0, 2, 2.4, 5], [0, 1, 2]) == "0-2.2A 2.2-5B"


def test_short_ends_go_to_their_neighbour():
    assert short_gone([0, 0.2, 3, 3.1], [1, 0, 2]) == "0-3.1A"


def test_what_lasts_long_enough_stays():
    assert short_gone([0, 2, 2.5, 5], [0, 1, 0]) == "0-2A 2-2.5B 2.5-5A"


def test_the_shortest_goes_first_and_one_always_stays():
    assert short_gone([0, 0.1, 0.3], [0, 1]) == "0-0.3A"
    assert short_gone([0, 1, 1.3, 1.7, 3], [0, 1, 0, 1]) == "0-1.7A 1.7-3B"
