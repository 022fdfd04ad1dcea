"""The README's Python lines run as pasted where a demo ran; its blocks are what the checks run."""

import re
import tomllib
from pathlib import Path

import cavmae_sync as cs
from cavmae_sync.inputs import InputConfig
from cavmae_sync.model import DecoderConfig
from cavmae_sync.stage import StageConfig, make_stage

ROOT = Path(__file__).parents[2]


def block(marker: str) -> str:
    text = (ROOT / "README.md").read_text("utf-8")
    match = re.search(rf"<!-- {marker} -->\n```\w+\n(.*?)```", text, flags=re.DOTALL)
    assert match is not None, f"README.md has no block marked {marker}"
    return match[1]


def test_the_python_example_runs_as_written(tmp_path: Path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    config = cs.ModelConfig(
        inputs=InputConfig(frame_pixels=32, segment_length=32),
        width=32, depth=1, heads=2, registers=2, decoder=DecoderConfig(width=16, depth=1, heads=2),
    )  # fmt: skip
    demo = Path("cavmae-sync-demo")
    (demo / "run").mkdir(parents=True)
    cs.save_model(cs.CAVMAESync(config), demo / "run" / "weights.safetensors")
    stage = StageConfig(split="test", frame_pixels=32, frames_per_second=4)
    make_stage(demo / "stage-test", config=stage, num_clips=1, num_workers=1)
    names = {}
    exec(block("python"), names)  # our own README
    assert names["clip"].frames_THWC.shape[0] == 16
    assert names["clip"].waveform_S.shape == (160_000,)
    assert names["found"].audio_TD.shape == (16, 32)
    assert names["log_mel_NM"].shape == (998, 128)
    assert names["encoded"].audio.global_token_PD.shape == (16, 32)
    assert names["losses"].total.isfinite()


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
