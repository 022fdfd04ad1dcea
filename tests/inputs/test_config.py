"""Configuration of the inputs: published values, published names, what is refused."""

import pytest
from pydantic import ValidationError

from cavmae_sync import paper
from cavmae_sync.errors import ConfigError
from cavmae_sync.inputs import InputConfig


def test_the_defaults_are_those_of_the_published_model():
    assert InputConfig().model_dump() == {
        "frame_pixels": 224,
        "segment_length": 416,
        "alignment": "padded",
        "spectrogram_mean": -5.081,
        "spectrogram_std": 4.4849,
    }


def test_every_published_segment_length_is_allowed():
    for length in paper.SEGMENT_LENGTHS.values():
        assert InputConfig(segment_length=length).segment_length == length


def test_published_names_of_segment_lengths_are_understood():
    description = InputConfig.model_fields["segment_length"].description
    for name, length in [*paper.SEGMENT_LENGTHS.items(), ("416", 416)]:
        assert InputConfig().with_overrides([f"segment_length={name}"]).segment_length == length
        assert str(length) in (description or "")


def test_a_segment_length_without_a_published_name_is_refused():
    with pytest.raises(ConfigError, match=r"segment_length: .*valid integer.*'11s'"):
        InputConfig().with_overrides(["segment_length=11s"])


def test_impossible_inputs_are_refused():
    for bad in (
        {"segment_length": 410},
        {"frame_pixels": 225},
        {"spectrogram_std": 0},
        {"alignment": "real"},
    ):
        with pytest.raises(ValidationError):
            InputConfig.model_validate(bad)
