"""`cavmae-sync index` from the command line."""

import json
import shutil
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest

CLIPS = ("clips.clip_seconds=1", "clips.num_frames=4")


@pytest.fixture
def footage(stage_folder: Path, tmp_path: Path) -> Path:
    """Two clips of a second, and a file that is none."""
    folder = tmp_path / "footage"
    folder.mkdir()
    for path in sorted((stage_folder / "clips").iterdir())[:2]:
        shutil.copy(path, folder)
    (folder / "broken.mp4").write_text("no video")
    return folder


@pytest.fixture
def library(cli, weights: Path, footage: Path, tmp_path: Path) -> Path:
    out = tmp_path / "library"
    made = cli("index", "add", out, footage, *CLIPS, "--model", weights, "--num-workers", 0, "--json")
    assert made.code == 0, made.err
    assert json.loads(made.out)["num_clips"] == 2
    return out


def test_it_remembers_its_model_and_grows(cli, library: Path, footage: Path, stage_folder: Path):
    shutil.copy(sorted((stage_folder / "clips").iterdir())[2], footage)
    ran = cli("index", "update", library, "--num-workers", 0, "--json")
    found = json.loads(ran.out)
    assert (found["num_clips"], found["this_run"]["num_files"]) == (3, 1)
    again = cli("index", "add", library, footage, "--num-workers", 0)
    assert "this run" not in again.out
    other = cli("index", "add", library, footage, "clips.num_frames=5", "--num-workers", 0)
    assert (other.code, "it was made with num_frames=4, and now num_frames=5" in other.err) == (1, True)


def test_status_says_what_failed_and_where_roots_are(cli, library: Path, footage: Path, tmp_path: Path):
    ran = cli("index", "status", library, "--failures")
    assert "unreadable" in ran.out
    assert "broken.mp4 is not a media file" in ran.out
    footage.rename(tmp_path / "moved")
    assert "offline" in cli("index", "status", library).out
    found = json.loads(cli("index", "status", library, "--failures", "--json").out)
    assert [row["path"] for row in found["failures"]] == ["broken.mp4"]
    moved = cli("index", "root", library, "footage", tmp_path / "moved")
    assert "3 of 3 files are there" in moved.out
    assert cli("index", "root", library, "other", tmp_path).code == 1
    assert json.loads(cli("index", "status", library, "--json").out)["num_offline"] == 0


def test_files_are_taken_out(cli, library: Path, footage: Path):
    assert "Say what to remove" in cli("index", "remove", library).err
    next(path for path in footage.iterdir() if path.name != "broken.mp4").unlink()
    cli("index", "update", library, "--num-workers", 0)
    assert "removed 1 files; vectors of 1 contents" in cli("index", "remove", library, "--gone").out
    assert "removed 2 files" in cli("index", "remove", library, "--root", "footage").out
    assert json.loads(cli("index", "status", library, "--json").out)["num_files"] == 0


def test_other_programs_get_a_table(cli, library: Path, tmp_path: Path):
    ran = cli("index", "export", library, tmp_path / "clips.parquet")
    assert ran.out == f"2 clips are in {tmp_path / 'clips.parquet'}.\n"
    table = pq.read_table(tmp_path / "clips.parquet")
    assert {"id", "root", "source", "start_seconds", "audio", "visual"} < set(table.column_names)
    assert len(table["audio"][0].as_py()) == 4


@pytest.mark.parametrize("rows", ["windows", "moments"])
def test_engines_get_rows_of_their_own(cli, library: Path, tmp_path: Path, rows: str):
    ran = cli("index", "export", library, tmp_path / "rows.parquet", "--rows", rows)
    assert f" {rows} are in " in ran.out
    assert {"id", "content", "sense", "vector"} < set(pq.read_table(tmp_path / "rows.parquet").column_names)
    assert "must be a .parquet file" in cli("index", "export", library, tmp_path / "rows.lance").err


def test_vectors_of_another_encoder_are_added_and_searched(cli, footage: Path, tmp_path: Path):
    names = sorted(path.name for path in footage.iterdir() if path.name != "broken.mp4")
    rows = np.random.default_rng(0).normal(size=(len(names), 8)).astype(np.float32)
    about = {"name": np.array("perch"), "source": np.array(names)}
    times = {"start_seconds": np.zeros(len(names)), "stop_seconds": np.full(len(names), 5.0)}
    np.savez(tmp_path / "v.npz", audio=rows, **about, **times)
    birds = tmp_path / "birds"
    ran = cli("index", "add", birds, footage, "--vectors", tmp_path / "v.npz", "--json")
    told = json.loads(ran.out)
    assert (told["num_files"], told["failed_by_reason"]) == (len(names), {"no_vectors": 1})
    np.savez(tmp_path / "q.npz", audio=rows[:1], name=np.array("perch"))
    found = json.loads(cli("search", birds, "--vectors", tmp_path / "q.npz", "--json").out)
    assert found["hits"][0]["places"][0]["path"] == names[0]
    assert "is not here" in cli("search", birds, "--sound", footage / names[0]).err
    assert "is not here" in cli("index", "update", birds).err
    assert (
        "leave out --model" in cli("index", "add", birds, footage, "--vectors", "v.npz", "--model", "x").err
    )


def test_what_is_missing_is_said(cli, footage: Path, tmp_path: Path):
    assert "does not remember its model. Give --model" in cli("index", "add", tmp_path / "new", footage).err
    assert "is not a library" in cli("index", "status", tmp_path / "new").err
    assert "so it cannot print one JSON object" in cli("index", "update", tmp_path, "--watch", "--json").err
