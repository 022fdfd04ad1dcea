"""`cavmae-sync embed --videos` from the command line; of datasets see test_outside."""

import json
from pathlib import Path

import pytest


@pytest.fixture
def videos(stage_folder: Path, tmp_path: Path) -> Path:
    """Two clips of a second, and a file that is none."""
    listed = tmp_path / "videos.txt"
    clips = sorted((stage_folder / "clips").iterdir())[:2]
    (tmp_path / "broken.mp4").write_text("no video")
    listed.write_text("".join(f"{path}\n" for path in (*clips, tmp_path / "broken.mp4")))
    return listed


def test_a_library_is_made_counted_and_measured(cli, weights: Path, videos: Path, tmp_path: Path):
    out = tmp_path / "library"
    clips = ("clips.num_frames=4", "clips.clip_seconds=1")
    words = ("embed", weights, *clips, "--videos", videos, "--out", out, "--num-workers", 0)
    ran = cli(*words, "--json")
    assert ran.code == 0, ran.err
    found = json.loads(ran.out)
    assert (found["num_clips"], found["failed_by_reason"]) == (2, {"unreadable": 1})
    assert found["this_run"]["footage_seconds"] == pytest.approx(2.0)
    assert 0 < found["this_run"]["waiting_fraction"] < 1
    assert "encoder waits" in ran.err
    again = cli(*words)
    assert "files failed" in again.out
    assert "this run" not in again.out  # nothing was left to do
    score = cli("evaluate", "retrieval", "--embeddings", out, "--json")
    assert score.code == 0, score.err
    assert json.loads(score.out)["counts"]["queries"] == 2


def test_shares_of_several_machines(cli, weights: Path, videos: Path, tmp_path: Path):
    words = ("embed", weights, "clips.num_frames=2", "--videos", videos, "--out", tmp_path / "library")
    share = ("--num-shards", 2, "--num-workers", 0, "--json")
    states = [json.loads(cli(*words, *share, "--shard-index", index).out)["is_complete"] for index in (1, 0)]
    assert states == [False, True]


def test_what_does_not_go_together_is_refused(cli, weights: Path, prepared_folder: Path, tmp_path: Path):
    def says(*words: object) -> str:
        return cli("embed", weights, *words).err

    out = ("--out", tmp_path / "out")
    data, videos = ("--data", prepared_folder), ("--videos", tmp_path)
    assert "Give either --data" in says(*out)
    assert "Give either --data" in says(*out, *data, *videos)
    assert "clips.num_frames=4 goes with --videos" in says("clips.num_frames=4", *out, *data)
    assert "--num-shards goes with --videos" in says(*out, *data, "--num-shards", 2)
    assert "--num-clips goes with --data" in says(*out, *videos, "--num-clips", 2)
    assert "--shard-index 2 must be at least 0" in says(*out, *videos, "--shard-index", 2)
    assert 'There is no field "num_frame"' in says("clips.num_frame=4", *out, *videos)
    assert 'There is no field "clip"' in says("clip.store=float16", *out, *videos)
    assert "has no media files" in says(*out, *videos)
    (tmp_path / "file").touch()
    assert "must be a folder" in says("--out", tmp_path / "file", *videos)


def test_too_many_rejected(cli, weights: Path, videos: Path, tmp_path: Path):
    ran = cli(
        "embed", weights, "--videos", videos, "--out", tmp_path / "library",
        "--num-workers", 0, "--max-rejected-percent", 10,
    )  # fmt: skip
    assert ran.code == 1
    assert "1 of 3 files cannot be used (limit 10%): unreadable." in ran.err
