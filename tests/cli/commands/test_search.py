"""`cavmae-sync search` from the command line: real files, a small model, a library of 24 clips."""

import json
import shutil
from pathlib import Path

import pytest
from PIL import Image

from cavmae_sync.media import read_clip

CLIPS = ("clips.clip_seconds=1", "clips.num_frames=4")


@pytest.fixture
def footage(stage_folder: Path, tmp_path: Path) -> Path:
    folder = tmp_path / "shoot"
    folder.mkdir()
    for path in sorted((stage_folder / "clips").iterdir())[:6]:
        shutil.copy(path, folder)
    return folder


@pytest.fixture
def library(cli, weights: Path, footage: Path, tmp_path: Path) -> Path:
    out = tmp_path / "library"
    made = cli("index", "add", out, footage, *CLIPS, "--model", weights, "--num-workers", 0)
    assert made.code == 0, made.err
    return out


def test_a_file_of_the_library_finds_itself(cli, library: Path, footage: Path, tmp_path: Path):
    clip = sorted(footage.iterdir())[2]
    Image.fromarray(read_clip(clip, start_seconds=0.5, num_frames=1).frames_THWC[0]).save(tmp_path / "at.png")
    for words in (
        ("--sound", clip, "--by", "sound"),
        ("--video", f"{clip}@0-0.8"),
        ("--picture", tmp_path / "at.png", "--by", "picture"),
        ("--like", f"shoot/{clip.name}@0-1", "--top", 3),
    ):
        ran = cli("search", library, *words, "--json")
        assert ran.code == 0, ran.err
        found = json.loads(ran.out)
        assert found["matches"] is None  # six files are too few to judge
        assert found["is_exact"]
        names = [hit["places"][0]["path"] for hit in found["hits"]]
        assert (names[0] == clip.name) == (words[0] != "--like")
        assert all(0 <= hit["start_seconds"] <= hit["stop_seconds"] <= 1.01 for hit in found["hits"])


def test_people_read_a_table(cli, library: Path, footage: Path):
    clip = sorted(footage.iterdir())[0]
    ran = cli("search", library, "--sound", clip, "--top", 2)
    assert "Ranked, not judged: 6 files" in ran.out
    assert f"shoot/{clip.name}"[:16] in ran.out.replace("\n", "")
    assert "every place was looked at" in ran.out


def test_what_cannot_be_asked_is_said(cli, library: Path, footage: Path, tmp_path: Path):
    def says(*words: object) -> str:
        ran = cli("search", library, *words)
        assert ran.code == 1
        return ran.err

    clip = sorted(footage.iterdir())[0]
    assert "Give one of --sound, --picture, --video, --like" in says()
    assert "Give one of" in says("--sound", clip, "--video", clip)
    assert "the span ends before it begins" in says("--sound", f"{clip}@3-1")
    assert "must be left,top,width,height" in says("--video", clip, "--box", "1,2")
    assert "in fractions of the picture" in says("--video", clip, "--box", "0.5,0.5,0.9,0.1")
    assert "goes with --picture and --video" in says("--sound", clip, "--box", "0,0,1,1")
    assert "the library has no such file" in says("--like", "shoot/nothing.mp4@0-1")
    assert "must be a day" in says("--sound", clip, "--after", "yesterday")
    assert "must be in [0, 1]" in says("--sound", clip, "--cutoff", 3)
    assert "is not there" in says("--picture", tmp_path / "missing.png")
    (tmp_path / "no.png").write_text("nothing")
    assert "is no picture that can be read" in says("--picture", tmp_path / "no.png")
    assert "knows no words" in says("--text", "a dog")
    assert "go together" in says("--class", "dog")
    assert "Give a probe.safetensors" in says("--class", "dog", "--probe", tmp_path / "no.png")


def test_filters_are_passed_on(cli, library: Path, footage: Path):
    clip = sorted(footage.iterdir())[1]
    ran = cli("search", library, "--sound", clip, "--folder", "elsewhere", "--json")
    assert json.loads(ran.out)["hits"] == []
    ran = cli("search", library, "--sound", clip, "--root", "shoot", "--before", "2000-01-01", "--json")
    assert json.loads(ran.out)["num_contents"] == 0
    ran = cli("search", library, "--sound", clip, "--has", "sound", "--has", "picture", "--json")
    assert json.loads(ran.out)["num_contents"] == 6
