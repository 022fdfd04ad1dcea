"""`cavmae-sync speed`, as people and as programs read it."""

import json

import pytest
import torch

from cavmae_sync.cli import run
from cavmae_sync.inputs import InputConfig
from cavmae_sync.model import CAVMAESync, ModelConfig
from cavmae_sync.weights import save_model


@pytest.fixture(scope="module")
def weights(tmp_path_factory):
    config = ModelConfig(
        inputs=InputConfig(frame_pixels=32, segment_length=32), width=32, depth=1, heads=2, decoder=None
    )
    path = tmp_path_factory.mktemp("weights") / "small.safetensors"
    save_model(CAVMAESync(config, generator=torch.Generator().manual_seed(0)), path)
    return path


@pytest.mark.slow
def test_a_table_with_the_choices_of_this_machine(weights, capsys):
    assert run(["speed", str(weights), "--device", "cpu"]) == 0
    told = capsys.readouterr().out
    for words in (
        "float32",
        "1-cosine",
        "float32 products:",
        "attention in float32:",
        "recommended: --precision",
    ):
        assert words in told


@pytest.mark.long
def test_the_same_for_programs(weights, capsys):
    assert run(["speed", str(weights), "--device", "cpu", "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert told["precisions"][0]["precision"] == "float32"
    assert told["operations"] > 0
    assert told["has_weights"]
