"""Runs the real command line in this process, as a user's shell would."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest
import torch

from cavmae_sync.cli import run
from cavmae_sync.inputs import InputConfig
from cavmae_sync.model import CAVMAESync, DecoderConfig, ModelConfig
from cavmae_sync.weights import save_model


@dataclass(frozen=True, slots=True)
class Ran:
    code: int
    out: str
    err: str


@pytest.fixture
def cli(capsys: pytest.CaptureFixture[str]) -> Callable[..., Ran]:
    def call(*words: object) -> Ran:
        code = run([str(word) for word in words])
        captured = capsys.readouterr()
        return Ran(code, captured.out, captured.err)

    return call


@pytest.fixture(scope="session")
def weights(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model of 2 x 2 patches and windows of 0.32 s; random, not fresh, since fresh ones get no score."""
    config = ModelConfig(
        inputs=InputConfig(frame_pixels=32, segment_length=32, alignment="valid"),
        width=16, depth=1, heads=2, registers=1, decoder=DecoderConfig(width=8, depth=1, heads=2),
    )  # fmt: skip
    generator = torch.Generator().manual_seed(1)
    model = CAVMAESync(config, generator=generator)
    for norm in (model.joint.norm_a, model.joint.norm_v):
        torch.nn.init.uniform_(norm.weight, 0.9, 1.1, generator=generator)
    path = tmp_path_factory.mktemp("weights") / "model.safetensors"
    save_model(model, path)
    return path
