"""Cells of retrieval on generated clips."""

import pytest

from cavmae_sync.recipes.tables.stage_cells import PERCENTILE_HEADING, knowledge_cells
from cavmae_sync.tasks.report import Value


@pytest.mark.parametrize(
    ("median_rank", "percentile"),
    [(1, 1.0), (2, 0.75), (3, 0.5), (5, 0.0)],
    ids=["first", "second", "chance", "last"],
)
def test_the_median_percentile_is_the_share_of_other_clips_that_are_further_behind(
    median_rank: float, percentile: float
):
    """Of five clips the second place is ahead of three of the four others."""
    metrics = {
        "audio_to_visual/recall_at_1": Value(value=0.2, chance=0.2, unit="fraction"),
        "visual_to_audio/median_rank": Value(value=median_rank, chance=3, unit="rank"),
    }
    found = knowledge_cells(metrics, num_clips=5)
    assert found == {"A>V R@1": 0.2, PERCENTILE_HEADING: percentile}
