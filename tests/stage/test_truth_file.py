"""Truth on disk: found for prepared clips, refused for clips of another stage."""

from pathlib import Path

import pytest

from cavmae_sync.data import PreparedDataset
from cavmae_sync.errors import DatasetError
from cavmae_sync.stage import StageConfig, StageTruth, make_stage


def test_a_prepared_clip_finds_what_is_true_about_it(prepared_folder: Path, stage_folder: Path):
    clips, truth = PreparedDataset.open(prepared_folder), StageTruth(stage_folder)
    for row in range(3):
        clip = clips.row(row)
        assert truth.for_clip(clip).video_id == clip.id
        assert truth.for_clip(clip).labels == clip.labels


def test_a_clip_of_another_stage_is_refused(prepared_folder: Path, tmp_path: Path):
    config = StageConfig(seed=9, clip_seconds=1.0, frame_pixels=32, frames_per_second=4)
    make_stage(tmp_path, config=config, num_clips=1, num_workers=1)
    with pytest.raises(DatasetError, match=r"prepared from .*\.mp4, which is not in the stage"):
        StageTruth(tmp_path).for_clip(PreparedDataset.open(prepared_folder).row(0))
