"""The configuration of a stage refuses contradictions and says what to change."""

import pytest
from pydantic import ValidationError

from cavmae_sync.stage import StageConfig


def test_training_may_not_see_the_unknown_classes():
    with pytest.raises(ValidationError, match='Use split="validation" or split="test"'):
        StageConfig(classes="unknown", split="train")


def test_fewest_objects_may_not_be_more_than_most_objects():
    with pytest.raises(ValidationError, match="min_objects=4 is more than max_objects=3"):
        StageConfig(min_objects=4)


def test_a_clip_has_a_whole_number_of_frames():
    with pytest.raises(ValidationError, match="number of frames"):
        StageConfig(clip_seconds=2.05, frames_per_second=10)
    assert StageConfig(clip_seconds=2.5, frames_per_second=10).num_frames == 25


def test_frames_have_an_even_side_as_the_codec_needs():
    with pytest.raises(ValidationError, match="multiple of 2"):
        StageConfig(frame_pixels=97)


def test_which_configurations_pulse():
    for changes, pulse in [
        ({}, "plate"),
        ({"variant": "easy"}, "loudness"),
        ({"variant": "no_pulse"}, "none"),
        ({"classes": "unknown", "split": "test"}, "plate"),
        ({"control": "silent"}, "plate"),
        ({"control": "both_silent_moving"}, "none"),
    ]:
        assert StageConfig(**changes).pulse == pulse


def test_a_spoilt_clip_keeps_the_name_of_the_clip_it_spoils():
    assert StageConfig(control="silent", seed=3, split="test").video_id(7) == "test-3-000007"
