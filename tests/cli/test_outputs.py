"""What may not be made again is not written over without a word; what a command reads, never."""

import shutil
from pathlib import Path

import pytest


@pytest.fixture
def video(stage_folder: Path, tmp_path: Path) -> Path:
    return Path(shutil.copy(sorted((stage_folder / "clips").glob("*.mp4"))[0], tmp_path / "video.mp4"))


@pytest.mark.parametrize(
    ("words", "there"),
    [
        (("convert", "WEIGHTS", "--out", "there.safetensors"), "there.safetensors"),
        (("export", "WEIGHTS", "--out", "folder"), "folder/audio.onnx"),
        (("push", "WEIGHTS", "org/name", "--dry-run", "folder"), "folder/README.md"),
        (("localize", "WEIGHTS", "video.mp4", "--out", "there.mp4"), "there.mp4"),
        (("reconstruct", "WEIGHTS", "video.mp4", "--sound", "there.wav"), "there.wav"),
        (("doctor", "WEIGHTS", "--write-clip", "there.mp4"), "there.mp4"),
        (("list", "list.csv", "--out", "list.csv"), "list.csv"),
        (("list", "list.csv", "--write-weights", "there.txt"), "there.txt"),
    ],
    ids=lambda words: words if isinstance(words, str) else words[0],
)
def test_what_is_there_stays(cli, weights: Path, video: Path, monkeypatch, words, there: str):
    monkeypatch.chdir(video.parent)
    Path("folder").mkdir()
    Path("list.csv").write_text("video_id,labels\na,x\nb,y\n")
    file = Path(there)
    if not file.exists():
        file.write_text("mine")
    before = file.read_bytes()
    ran = cli(*(weights if word == "WEIGHTS" else word for word in words))
    assert ran.code == 1
    assert f"{there} is there already. Add --overwrite to replace it" in " ".join(ran.err.split())
    assert file.read_bytes() == before


def test_with_the_word_it_is_replaced(cli, weights: Path, tmp_path: Path):
    out = tmp_path / "out.safetensors"
    assert cli("convert", weights, "--out", out).code == 0
    first = out.read_bytes()
    out.write_text("mine")
    assert cli("convert", weights, "--out", out).code == 1
    assert out.read_text() == "mine"
    assert cli("convert", weights, "--out", out, "--overwrite").code == 0
    assert out.read_bytes() == first


def test_results_are_replaced(cli, weights: Path, video: Path):
    table = video.with_suffix(".csv")
    for _ in range(2):
        assert cli("segment", weights, video, "--csv", table).code == 0
    assert table.read_text().startswith("modality,start,stop,label")


@pytest.mark.parametrize(
    "words",
    [
        ("localize", "WEIGHTS", "video.mp4", "--out", "video.mp4", "--overwrite"),
        ("localize", "WEIGHTS", "video.mp4", "--sound", "other.mp4", "--out", "other.mp4", "--overwrite"),
        ("segment", "WEIGHTS", "video.mp4", "--truth", "truth.csv", "--csv", "truth.csv"),
    ],
)
def test_what_is_read_is_never_written_over(cli, weights: Path, video: Path, monkeypatch, words):
    monkeypatch.chdir(video.parent)
    shutil.copy(video, "other.mp4")
    Path("truth.csv").write_text("start,stop,label\n0,1,a\n")
    ran = cli(*(weights if word == "WEIGHTS" else word for word in words))
    said = " ".join(ran.err.split())
    assert ran.code == 1
    assert "is read by this command" in said or "is the video itself" in said
