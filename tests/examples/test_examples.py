"""The scripts of `examples/` run as they stand, on small clips."""

import subprocess
import sys
from pathlib import Path

import pytest

import cavmae_sync as cs
from cavmae_sync.inputs import InputConfig
from cavmae_sync.model import DecoderConfig
from cavmae_sync.stage import StageConfig, make_stage

EXAMPLES = Path(__file__).parents[2] / "examples"
#: Smaller than any recipe, so that each example takes seconds.
SMALL_MODEL = cs.ModelConfig(
    inputs=InputConfig(frame_pixels=32, segment_length=32),
    width=32,
    depth=1,
    heads=2,
    registers=2,
    decoder=DecoderConfig(width=16, depth=1, heads=2),
)


@pytest.fixture(scope="module")
def videos(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("videos")
    make_stage(folder, config=StageConfig(frame_pixels=32, frames_per_second=4), num_clips=10, num_workers=1)
    (folder / "clips" / "notes.txt").write_text("not a video")
    return folder / "clips"


def run(name: str, *words: str | Path, folder: Path) -> str:
    done = subprocess.run(
        [sys.executable, "-W", "error", EXAMPLES / name, *words],
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_find_matches(videos: Path, tmp_path: Path):
    cs.save_model(cs.CAVMAESync(SMALL_MODEL), tmp_path / "weights.safetensors")
    lines = run("find_matches.py", tmp_path / "weights.safetensors", videos, folder=tmp_path).splitlines()
    assert lines[-1].startswith("left out: ") or "notes.txt" in lines[0]
    assert sum(": " in line and ".mp4" in line for line in lines) >= 10


@pytest.mark.long
def test_train_on_own_videos_and_again(videos: Path, tmp_path: Path):
    words = ("--out", tmp_path / "first", "--recipe", "debug", "loop.num_epochs=1", "loop.batch_size=4")
    said = run("train_on_own_videos.py", videos, *words, folder=tmp_path)
    assert "train: 8 clips" in said
    assert "untrained" in said
    assert (tmp_path / "first" / "run" / "weights.safetensors").is_file()


def test_vectors_of_another_encoder(prepared_folder: Path, tmp_path: Path):
    said = run("vectors_of_another_encoder.py", prepared_folder, "--out", "energy.npz", folder=tmp_path)
    assert (tmp_path / "energy.npz").is_file()
    assert "energy against brightness" in said
