"""Scores of placements equal those of two loops."""

from pathlib import Path

import numpy as np
import pytest

from cavmae_sync.search.contents import HeldContents
from cavmae_sync.search.derive import derive_timelines
from cavmae_sync.search.placements import (
    Placements,
    all_placements,
    placement_scores,
    scanned_scores,
    separate,
)
from cavmae_sync.search.timeline import Timelines

from .made import make_library, wander


@pytest.fixture
def timelines(tmp_path: Path) -> Timelines:
    contents = {
        "a": (wander(9, 8, seed=1), wander(9, 8, seed=2)),
        "b": (wander(3, 8, seed=3), None),
        "c": (None, wander(6, 8, seed=4)),
        "d": (wander(16, 8, seed=5), wander(16, 8, seed=6)),
    }
    library = make_library(tmp_path / "library", contents, silent={"a": {1}})
    with library.catalogue() as catalogue:
        held = HeldContents(catalogue)
    return derive_timelines(library, held, None)


def by_hand(timelines: Timelines, sense, query, content: int, offset: int) -> float:
    rows = np.asarray(timelines.mapped(sense), np.float32)
    first, count = int(timelines.first_C[content]), int(timelines.count_C[content])
    cosines = [
        float(rows[first + offset + moment] @ query[moment])
        for moment in range(len(query))
        if 0 <= offset + moment < count and rows[first + offset + moment].any() and query[moment].any()
    ]
    return np.mean(cosines) if len(cosines) >= max(1, np.ceil(min(count, len(query)) / 2)) else -np.inf


@pytest.mark.parametrize("length", [1, 2, 5, 20])
@pytest.mark.parametrize("sense", ["audio", "visual"])
def test_scores_are_those_of_two_loops(timelines: Timelines, length: int, sense: str):
    query = wander(length, 8, seed=9)
    if length == 5:
        query[1] = 0  # silent there
    allowed = np.ones(4, bool)
    placements = all_placements(timelines, [length], allowed_C=allowed)
    counts = timelines.count_C
    assert len(placements) == sum(abs(int(count) - length) + 1 for count in counts)
    expected = [
        by_hand(timelines, sense, query, int(content), int(offset))
        for content, offset in zip(placements.content_P, placements.offset_P, strict=True)
    ]
    for scores in (placement_scores, scanned_scores):
        np.testing.assert_allclose(scores(timelines, sense, [query], placements)[0], expected, atol=2e-6)


@pytest.mark.parametrize("score", [placement_scores, scanned_scores])
def test_phases_are_scored_as_if_each_came_alone(timelines: Timelines, score):
    phases = [wander(length, 8, seed=length) for length in (4, 4, 3)]
    both = all_placements(timelines, [4, 3], allowed_C=np.ones(4, bool))
    together = score(timelines, "visual", phases, both)
    for number, rows in enumerate(phases):
        own = all_placements(timelines, [len(rows)], allowed_C=np.ones(4, bool))
        alone = dict(
            zip(
                zip(own.content_P.tolist(), own.offset_P.tolist(), strict=True),
                placement_scores(timelines, "visual", [rows], own)[0],
                strict=True,
            )
        )
        expected = [
            alone.get(key, -np.inf)
            for key in zip(both.content_P.tolist(), both.offset_P.tolist(), strict=True)
        ]
        np.testing.assert_allclose(together[number], expected, atol=2e-6)


def test_only_contents_that_are_allowed(timelines: Timelines):
    placements = all_placements(timelines, [2], allowed_C=np.array([False, True, False, False]))
    assert set(placements.content_P.tolist()) == {1}


def test_near_repeats_are_left_out(timelines: Timelines):
    placements = Placements(content_P=np.array([0, 0, 0, 3, 3]), offset_P=np.array([2, 3, 7, 2, 5]))
    scores = np.array([0.9, 0.8, 0.7, 0.6, -np.inf], np.float32)
    assert separate(timelines, placements, scores, length=4, most=10).tolist() == [0, 2, 3]
    assert separate(timelines, placements, scores, length=4, most=1).tolist() == [0]
