"""ONNX files from the command line, and the page's examples of using them."""

import json
import re
import sys
from collections.abc import Callable
from contextlib import chdir
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

import cavmae_sync as cs
from cavmae_sync.cli import run
from cavmae_sync.inputs import InputConfig
from cavmae_sync.media import write_video
from cavmae_sync.model import CAVMAESync, DecoderConfig, ModelConfig
from cavmae_sync.weights import save_model

PAGE = Path(__file__).parents[3] / "docs" / "weights.md"


def block(marker: str) -> str:
    match = re.search(rf"<!-- {marker} -->\n```python\n(.*?)```", PAGE.read_text("utf-8"), flags=re.DOTALL)
    assert match is not None, f"the page has no block marked {marker}"
    return match[1]


@pytest.fixture(scope="module")
def exported(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder as the page has it: my-run, dog.mp4, and my-onnx made by the command, with patch means."""
    folder = tmp_path_factory.mktemp("export")
    config = ModelConfig(
        inputs=InputConfig(frame_pixels=32, segment_length=48), width=16, depth=1, heads=2, registers=2,
        registers_in_joint=True, decoder=DecoderConfig(width=8, depth=1, heads=2),
    )  # fmt: skip
    (folder / "my-run").mkdir()
    model = CAVMAESync(config, generator=torch.Generator().manual_seed(0))
    save_model(model, folder / "my-run" / "weights.safetensors")
    generator = np.random.default_rng(0)
    write_video(
        folder / "dog.mp4",
        generator.integers(0, 256, (100, 8, 8, 3), dtype=np.uint8).repeat(8, axis=1).repeat(8, axis=2),
        frames_per_second=10,
        waveform_S=generator.uniform(-0.3, 0.3, 160_000).astype(np.float32),
    )
    with chdir(folder):
        words = ["export", "my-run/weights.safetensors", "--out", "my-onnx", "--video", "dog.mp4"]
        assert run([*words, "--representation", "patch_mean", "--json"]) == 0
    return folder


def test_what_is_written_and_said(exported: Path):
    names = sorted(path.name for path in (exported / "my-onnx").iterdir())
    assert names == ["audio.onnx", "config.json", "visual.onnx"]
    config = json.loads((exported / "my-onnx" / "config.json").read_text())
    assert config["representation"] == "patch_mean"
    assert {each["inputs"] for each in config["parity"]} == {"random", "real"}
    assert not list(exported.glob(".*"))


def test_the_examples_of_the_page_give_what_the_package_gives(
    exported: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.chdir(exported)
    names: dict[str, Any] = {}
    exec(block("arrays"), names)  # our own page
    exec(block("onnx"), names)
    model = cs.load_model("my-run/weights.safetensors")
    clip = cs.read_clip("dog.mp4")
    expected = cs.Embedder(model, representation="patch_mean").embed(clip, with_patches=True)
    fit_T = (expected.audio_TD * expected.visual_TD).sum(dim=1)
    np.testing.assert_allclose(names["fit"], fit_T, atol=1e-5)
    np.testing.assert_allclose(names["patches"], expected.visual_patches_TND, atol=1e-4)
    assert names["where"].shape == (16, 4)


@pytest.mark.parametrize("library", ["onnx", "onnxscript", "onnxruntime"])
def test_without_the_libraries_it_says_how_to_install_them(
    cli: Callable, exported: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, library: str
):
    monkeypatch.setitem(sys.modules, library, None)  # what Python does for a module that must not be imported
    ran = cli("export", exported / "my-run" / "weights.safetensors", "--out", tmp_path / "out")
    assert ran.code == 1
    assert f"needs {library}" in ran.err
    assert "pip install 'cavmae-sync[onnx]'" in ran.err
    assert list(tmp_path.iterdir()) == []


def test_a_video_without_sound_is_refused_before_anything_is_written(
    cli: Callable, exported: Path, tmp_path: Path
):
    (tmp_path / "broken.mp4").write_bytes(b"no video")
    ran = cli(
        "export", exported / "my-run" / "weights.safetensors", "--out", tmp_path / "out",
        "--video", tmp_path / "broken.mp4",
    )  # fmt: skip
    assert ran.code == 1
    assert "broken.mp4" in ran.err
    assert not (tmp_path / "out").exists()
