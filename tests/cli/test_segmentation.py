"""`evaluate segmentation` and `localize` as a shell would call them."""

import json
from pathlib import Path

import pytest

from cavmae_sync.media import probe


def test_help_shows_examples(cli):
    for command in (["evaluate", "segmentation"], ["localize"]):
        shown = " ".join(cli(*command, "--help").out.split())
        assert f"Example: cavmae-sync {' '.join(command)} my-run" in shown


def test_a_stage_with_controls(cli, weights, prepared_folder, stage_folder, tmp_path: Path):
    words = ("--data", prepared_folder, "--stage", stage_folder, "--num-clips", 5, "--device", "cpu")
    picture = tmp_path / "panel.png"
    ran = cli("evaluate", "segmentation", weights, *words, "--with-controls", "--picture", picture, "--json")
    assert ran.code == 0, ran.err
    report = json.loads(ran.out)
    assert report["counts"]["substitutions"] == 0
    assert report["controls"]["oracle"]["metrics"]["mean_iou"]["value"] == 1.0
    assert picture.stat().st_size > 10_000

    shown = cli("evaluate", "segmentation", weights, *words, "--prompt", "other", "--with-controls")
    assert shown.code == 0, shown.err
    assert "oracle" in shown.out


@pytest.mark.parametrize(
    ("words", "saying"),
    [
        ((), "Give either"),
        (("--data", "x"), "Give either"),
        (("--ade20k", "x", "--stage", "x"), "Give either"),
        (("--ade20k", "x", "--prompt", "other"), "are for a stage"),
        (("--ade20k", "/nothing"), "has no prompted_segmentation.csv"),
        (("--data", "x", "--stage", "x", "--prompt-window", "3"), "is for --ade20k"),
        (("--ade20k", "x", "--picture", "x.jpg"), "must be a .png"),
    ],
)
def test_what_is_wrong_with_the_words(cli, weights, words, saying: str):
    ran = cli("evaluate", "segmentation", weights, *words, "--device", "cpu")
    assert ran.code == 1
    assert saying in ran.err


def test_localize(cli, weights, stage_folder, tmp_path: Path):
    video = min((stage_folder / "clips").glob("*.mp4"))
    out, pictures = tmp_path / "out.mp4", tmp_path / "moments"
    ran = cli(
        "localize", weights, video, "--out", out, "--pictures", pictures, "--num-pictures", 1,
        "--sound", video, "--maps-per-second", 4, "--device", "cpu", "--json",
    )  # fmt: skip
    assert ran.code == 0, ran.err
    found = json.loads(ran.out)
    assert found["asked_by"] == video.name
    assert len(found["moments"]) == 4
    assert [Path(path).parent for path in found["pictures"]] == [pictures]
    info = probe(out)
    assert info.video is not None
    assert len(info.audio) == 1
    shown = cli("localize", weights, video, "--out", out, "--device", "cpu")
    assert "colours from cosine" in shown.out


def test_localize_refuses_to_write_over_its_video(cli, weights, stage_folder):
    video = min((stage_folder / "clips").glob("*.mp4"))
    ran = cli("localize", weights, video, "--out", video, "--device", "cpu")
    assert (ran.code, "is the video itself" in ran.err) == (1, True)
