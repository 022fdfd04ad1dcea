"""A model's shape refuses what cannot be built, and says which field and what would do."""

import pytest
from pydantic import ValidationError

from cavmae_sync.inputs import InputConfig
from cavmae_sync.model import DecoderConfig, ModelConfig
from cavmae_sync.paper import SEGMENT_LENGTHS


@pytest.mark.parametrize(("name", "length"), SEGMENT_LENGTHS.items())
def test_every_published_segment_length_has_a_grid(name: str, length: int):
    config = ModelConfig(inputs=InputConfig(segment_length=length))
    assert config.audio_grid == (8, length // 16)
    assert config.visual_grid == (14, 14)


@pytest.mark.parametrize(
    ("build", "says"),
    [
        (lambda: ModelConfig(width=100), "width=100 must be a multiple of heads=12"),
        (lambda: ModelConfig(width=30, heads=3), "width=30 must be a multiple of 4"),
        (lambda: ModelConfig(decoder=DecoderConfig(width=40)), "decoder.width=40 must be a multiple of"),
        (lambda: ModelConfig(registers=-1), "registers"),
        (lambda: ModelConfig(wdith=64), "wdith"),
        (lambda: ModelConfig(inputs=InputConfig(segment_length=100)), "segment_length"),
    ],
)
def test_a_shape_that_cannot_be_is_refused(build, says: str):
    with pytest.raises(ValidationError, match=says):
        build()
