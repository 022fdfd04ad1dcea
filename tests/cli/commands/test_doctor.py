"""`cavmae-sync doctor`, and what evaluate refuses."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

WEIGHTS = Path(__file__).parents[2] / "golden" / "doctor_tiny.safetensors"


def test_weights_alone_are_not_called_healthy(cli: Callable[..., Any]):
    ran = cli("doctor", WEIGHTS, "--device", "cpu")
    assert ran.code == 0
    assert "\nNOT FULLY CHECKED: 12 checks passed, 1 skipped, all of the weights." in ran.out
    assert "add --data DATASET" in ran.out


def test_too_few_clips_have_an_exit_code_of_their_own(cli: Callable[..., Any], tmp_path: Path):
    words = ("clip_seconds=2", "frame_pixels=32", "frames_per_second=4")
    assert cli("stage", tmp_path / "stage", "--num-clips", 3, *words).code == 0
    data = tmp_path / "data"
    cli("prepare", tmp_path / "stage" / "clips", "--out", data, "num_frames=8", "frame_pixels=32")
    ran = cli("doctor", WEIGHTS, "--data", data, "--device", "cpu")
    assert ran.code == 3
    assert "\nNOT FULLY CHECKED: matched pairs" in ran.out
    assert "3 clips; 20 allow a claim" in ran.out


def test_a_failure_exits_with_1_and_programs_can_read_it(cli: Callable[..., Any]):
    ran = cli("doctor", WEIGHTS, "inputs.spectrogram_std=8.9698", "--json", "--device", "cpu")
    report = json.loads(ran.out)
    assert (ran.code, report["healthy"]) == (1, False)
    failed = {finding["check"] for finding in report["findings"] if finding["status"] == "FAIL"}
    assert failed == {"constants", "proof"}


def test_a_wrong_file_is_one_line(cli: Callable[..., Any], tmp_path: Path):
    (tmp_path / "notes.pth").write_text("not weights")
    ran = cli("doctor", tmp_path / "notes.pth")
    assert ran.code == 1
    assert "NOT HEALTHY: the weights cannot be opened" in ran.err


def test_the_clip_is_handed_out(cli: Callable[..., Any], tmp_path: Path):
    assert cli("doctor", WEIGHTS, "--write-clip", tmp_path / "clip.mp4").code == 0
    assert (tmp_path / "clip.mp4").stat().st_size > 100_000


def test_no_score_with_a_failure(cli: Callable[..., Any], prepared_folder: Path):
    ran = cli("evaluate", "retrieval", WEIGHTS, "--data", prepared_folder, "--device", "cpu")
    assert ran.code == 1
    assert "no score, because a check fails. frame count: 4 frames (needed: 8 (the header))" in ran.err
    assert "cavmae-sync doctor" in ran.err
