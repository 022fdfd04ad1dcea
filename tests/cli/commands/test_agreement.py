"""The command on real files: a run, a video of a stage, and files that cannot be judged."""

import json
from pathlib import Path


def test_verdict_table_curve_and_picture_of_a_file(cli, weights: Path, stage_folder: Path, tmp_path: Path):
    video = sorted((stage_folder / "clips").glob("*.mp4"))[0]
    words = ("agreement", weights, video, "--frames-per-second", 8)
    ran = cli(*words, "--csv", tmp_path / "a.csv", "--figure", tmp_path / "a.png")
    assert ran.code == 0, ran.err
    assert ran.out.startswith("Not enough to tell")
    assert (tmp_path / "a.csv").read_text().startswith("time_seconds,agreement")
    assert (tmp_path / "a.png").stat().st_size > 1000
    content = json.loads(cli(*words, "--json").out)
    assert content["reason"] == "too short"
    assert content["shares"]["cannot tell"] + content["shares"]["silent"] + content["shares"]["still"] == 1


def test_errors_say_what_to_do(cli, weights: Path, prepared_folder: Path, stage_folder: Path, tmp_path: Path):
    video = sorted((stage_folder / "clips").glob("*.mp4"))[0]
    for words in ((weights, video), ("no-weights", "no-video.mp4")):  # told before anything else is looked at
        ran = cli("agreement", *words, "--reference", prepared_folder)
        assert (ran.code, "a reference needs at least 20" in " ".join(ran.err.split())) == (1, True)
    assert cli("agreement", weights, tmp_path / "none.mp4").code == 1
    assert cli("agreement", weights, video, "--csv", tmp_path / "a.txt").code == 1


def test_planted_faults(cli, weights: Path, prepared_folder: Path, stage_folder: Path, tmp_path: Path):
    ran = cli(
        "evaluate", "agreement", weights, "--data", prepared_folder, "--stage", stage_folder, "--json",
        "num_videos=4", "clips_per_video=2", "--figure", tmp_path / "p.png",
    )  # fmt: skip
    assert ran.code == 0, ran.err
    assert json.loads(ran.out)["model"]["counts"]["videos"] == 4
