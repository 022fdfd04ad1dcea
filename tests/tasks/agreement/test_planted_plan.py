"""Plan of a test with planted faults: nothing is in both the reference and the videos."""

import pytest

from cavmae_sync.data import PreparedDataset
from cavmae_sync.errors import DatasetError
from cavmae_sync.tasks.agreement.config import PlantedConfig
from cavmae_sync.tasks.agreement.planted_plan import plan_test


def test_no_clip_is_both_reference_and_test(prepared: PreparedDataset):
    test = plan_test(prepared, PlantedConfig(num_videos=4, clips_per_video=2))
    used = {clip for row in test.videos for video in row for clip in video.clips}
    assert len(used) == 8
    assert not used & set(test.reference_clips)
    assert len(test.reference_clips) == 6


def test_no_file_is_both_reference_and_test(half_clips: PreparedDataset):
    """Files of 1 s give two clips each: what is left of a tested file is no reference."""
    test = plan_test(half_clips, PlantedConfig(num_videos=4, clips_per_video=1))
    tested = {half_clips.row(clip).source for row in test.videos for video in row for clip in video.clips}
    assert test.reference_clips
    assert not tested & {half_clips.row(clip).source for clip in test.reference_clips}
    with pytest.raises(DatasetError, match="none is left as reference"):
        plan_test(half_clips.subset([0, 1] * 6), PlantedConfig(num_videos=4, clips_per_video=2))


def test_too_few_clips_are_refused(prepared: PreparedDataset):
    with pytest.raises(DatasetError, match="14 clips"):
        plan_test(prepared, PlantedConfig(num_videos=4, clips_per_video=6))
