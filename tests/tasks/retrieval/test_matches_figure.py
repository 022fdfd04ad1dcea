"""Figures of queries and their nearest clips."""

import pytest
import torch

from cavmae_sync.tasks.retrieval import RetrievalConfig, evaluate_retrieval
from cavmae_sync.tasks.retrieval.matches_figure import matches_figure, nearest


def test_nearest_items_come_first_and_broken_scores_last():
    assert nearest(torch.tensor([0.1, torch.nan, 0.9, 0.5]), num=4) == [2, 3, 0, 1]


@pytest.mark.parametrize("direction", ["audio_to_visual", "visual_to_audio"])
def test_matches_outline_the_own_clip_in_words_too(saved, embedder, two_clips, direction):
    report = evaluate_retrieval(embedder, two_clips, RetrievalConfig(num_bootstrap=2))
    texts = saved(matches_figure(report, two_clips, queries=[0, 1], direction=direction))
    assert sum(text.endswith("own clip") for text in texts) == 2
    assert sum("own clip at\nplace" in text for text in texts) == 2
    assert "clip0" in texts


def test_matches_refuse_other_clips_and_no_query(embedder, two_clips):
    report = evaluate_retrieval(embedder, two_clips, RetrievalConfig(num_bootstrap=2))
    with pytest.raises(ValueError, match="not those of the report"):
        matches_figure(report, two_clips.head(1), queries=[0])
    with pytest.raises(ValueError, match="at least one query"):
        matches_figure(report, two_clips, queries=[])
