"""The README's Python lines run as pasted beside a video; its blocks are what the checks run."""

import re
import tomllib
from pathlib import Path

from cavmae_sync.stage import StageConfig, make_stage

ROOT = Path(__file__).parents[2]


def block(marker: str) -> str:
    text = (ROOT / "README.md").read_text("utf-8")
    match = re.search(rf"<!-- {marker} -->\n```\w+\n(.*?)```", text, flags=re.DOTALL)
    assert match is not None, f"README.md has no block marked {marker}"
    return match[1]


def test_the_python_example_runs_as_written(tmp_path: Path, monkeypatch):
    """With the model of the package, which tells what fits better than what does not."""
    monkeypatch.chdir(tmp_path)
    stage = StageConfig(split="test", frame_pixels=96, frames_per_second=8)
    make_stage(tmp_path, config=stage, num_clips=1, num_workers=1)
    next((tmp_path / "clips").iterdir()).rename(tmp_path / "my-video.mp4")
    names = {}
    exec(block("python"), names)  # our own README
    assert names["clip"].frames_THWC.shape[0] == 16
    assert names["clip"].waveform_S.shape == (160_000,)
    width = names["model"].config.width
    assert names["found"].audio_TD.shape == (16, width)
    assert names["log_mel_NM"].shape == (998, 128)
    assert names["encoded"].audio.global_token_PD.shape == (16, width)
    assert names["losses"].total.isfinite()
    found = names["found"]
    cosines_TT = found.audio_TD @ found.visual_TD.T
    assert cosines_TT.diagonal().mean() > cosines_TT.mean()


def test_the_test_command_is_the_one_of_continuous_integration():
    assert "pytest" in block("tests")
    assert "block tests" in (ROOT / ".ci" / "run").read_text()


def test_the_demo_command_exists():
    assert "cavmae-sync demo" in block("demo")


def test_the_citation_names_this_version():
    cited = re.search(r"^version: (.+)$", (ROOT / "CITATION.cff").read_text("utf-8"), flags=re.MULTILINE)
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    assert cited is not None
    assert cited[1] == project["version"]
