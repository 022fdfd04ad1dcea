"""Figure of a clip of a stage with its truth."""

import io

import numpy as np
import pytest
from PIL import Image

from cavmae_sync.stage import StageConfig, StageTruth, make_stage
from cavmae_sync.stage.figure import stage_clip_figure
from cavmae_sync.stage.key_figure import stage_key_figure

SMALL = {"frame_pixels": 64, "clip_seconds": 2, "frames_per_second": 4, "split": "test"}


@pytest.mark.parametrize("control", ["none", "silent"])
def test_a_sheet_has_a_column_for_each_frame_and_a_row_for_each_object(tmp_path, control):
    make_stage(tmp_path, config=StageConfig(control=control, **SMALL), num_clips=1, num_workers=1)
    figure = stage_clip_figure(tmp_path, "test-0-000000", num_frames=3)
    *frames, _, events = figure.axes
    assert [axes.get_title() for axes in frames] == ["0.33 s", "1.00 s", "1.67 s"]
    objects = StageTruth(tmp_path)["test-0-000000"].objects
    assert [label.get_text() for label in events.get_yticklabels()] == [
        f"{thing.number} {thing.class_name}" + ("" if thing.is_on_stage else " (off)") for thing in objects
    ]
    file = io.BytesIO()
    figure.savefig(file, format="png", dpi=50)
    assert np.asarray(Image.open(file)).std() > 10


def test_a_key_shows_clips_below_each_other(tmp_path):
    config = StageConfig(split="test", frame_pixels=32, clip_seconds=2, frames_per_second=4)
    make_stage(tmp_path, config=config, num_clips=2, num_workers=1)
    figure = stage_key_figure(tmp_path, ["test-0-000000", "test-0-000001"])
    assert len(figure.axes) == 2 * (4 + 2)
    names = [label.get_text() for label in figure.axes[5].get_yticklabels()]
    assert names == [thing.class_name for thing in StageTruth(tmp_path)["test-0-000000"].objects]
