"""`cavmae-sync search --export` and `--cut` from the command line."""

import csv
import json
import shutil
from pathlib import Path

import pytest

from cavmae_sync.edit import file_hash, read_source

CLIPS = ("clips.clip_seconds=1", "clips.num_frames=4")


@pytest.fixture
def footage(stage_folder: Path, tmp_path: Path) -> Path:
    folder = tmp_path / "shoot"
    folder.mkdir()
    for path in sorted((stage_folder / "clips").iterdir())[:4]:
        shutil.copy(path, folder)
    return folder


@pytest.fixture
def library(cli, weights: Path, footage: Path, tmp_path: Path) -> Path:
    out = tmp_path / "library"
    made = cli("index", "add", out, footage, *CLIPS, "--model", weights, "--num-workers", 0)
    assert made.code == 0, made.err
    return out


def test_found_moments_go_to_the_edit(cli, library: Path, footage: Path, tmp_path: Path):
    clip = sorted(footage.iterdir())[1]
    names = ("a.otio", "a.xml", "a.fcpxml", "a.edl", "a.csv", "a.html")
    exports = [word for name in names for word in ("--export", tmp_path / name)]
    ran = cli(
        "search", library, "--sound", f"{clip}@0-0.8", "--top", 2, "--root", "shoot", *exports,
        "--export-format", "resolve-edl", "--export-rate", "29.97", "--cut", tmp_path / "clips", "--json",
    )  # fmt: skip
    assert ran.code == 0, ran.err
    said = json.loads(ran.out)
    assert said["exports"] == [str(tmp_path / name) for name in names]
    assert "|C:ResolveColorBlue" in (tmp_path / "a.edl").read_text()
    assert "<timebase>30</timebase>" in (tmp_path / "a.xml").read_text()
    with (tmp_path / "a.csv").open(encoding="utf-8-sig") as file:
        rows = list(csv.DictReader(file))
    assert [row["url"] for row in rows] == [
        (footage / hit["places"][0]["path"]).as_uri() for hit in said["hits"]
    ]
    page = (tmp_path / "a.html").read_text()
    for told in (
        file_hash(clip),
        said["hits"][0]["content"],
        "Agreement, not proof",
        "filter: root",
        "shoot",
    ):
        assert told in page
    for row, made in zip(rows, said["clips"], strict=True):
        cut = read_source(made["path"])
        assert cut.num_frames == int(row["duration_frames"])
        assert made["picture"] in ("copied", "encoded")
        assert made["picture_reason"]


def test_people_read_what_was_written(cli, library: Path, footage: Path, tmp_path: Path):
    clip = sorted(footage.iterdir())[0]
    words = ("search", library, "--sound", clip, "--top", 1, "--export", tmp_path / "a.edl")
    ran = cli(*words)
    assert ran.code == 0, ran.err
    assert f"written: {tmp_path / 'a.edl'}" in ran.out
    again = cli(*words)
    assert again.code == 1
    assert "Add --overwrite" in again.err
    assert cli(*words, "--overwrite").code == 0
    (footage / clip.name).unlink()
    gone = cli(
        "search", library, "--sound", sorted(footage.iterdir())[0], "--top", 4, *words[-2:], "--overwrite"
    )
    assert f"left out: shoot/{clip.name} is not there now" in gone.out


def test_what_cannot_be_exported_is_said_before_any_work(cli, library: Path, footage: Path, tmp_path: Path):
    def says(*words: object) -> str:
        ran = cli("search", library, "--sound", sorted(footage.iterdir())[0], *words)
        assert ran.code == 1
        return ran.err

    assert "the ending says the format" in says("--export", tmp_path / "a.aaf")
    assert "must end in .edl" in says("--export", tmp_path / "a.csv", "--export-format", "resolve-edl")
    assert "go with --export" in says("--export-rate", "25")
    assert "no timecode at 25/2" in says("--export", tmp_path / "a.edl", "--export-rate", "12.5")
    assert "in a folder that exists" in says("--export", tmp_path / "no" / "a.edl")
    (tmp_path / "file").touch()
    assert "must be a folder" in says("--cut", tmp_path / "file")
