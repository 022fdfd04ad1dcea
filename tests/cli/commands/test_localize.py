"""`evaluate localize` and `localize` as a shell would call them."""

import json
from pathlib import Path

import pytest

from cavmae_sync.media import probe


def test_a_stage_with_controls(cli, weights, prepared_folder, stage_folder, tmp_path: Path):
    words = ("--data", prepared_folder, "--stage", stage_folder, "--num-clips", 5, "--device", "cpu")
    picture = tmp_path / "panel.png"
    ran = cli("evaluate", "localize", weights, *words, "--with-controls", "--figure", picture, "--json")
    assert ran.code == 0, ran.err
    report = json.loads(ran.out)
    assert report["counts"]["substitutions"] == 0
    assert report["controls"]["oracle"]["metrics"]["mean_iou"]["value"] == 1.0
    assert picture.stat().st_size > 10_000

    shown = cli("evaluate", "localize", weights, *words, "--prompt", "other", "--with-controls")
    assert shown.code == 0, shown.err
    assert "oracle" in shown.out


def test_maps_of_any_model_and_the_rule_of_denseav(
    cli, weights, prepared, prepared_folder, stage_folder, tmp_path: Path
):
    import numpy as np

    from cavmae_sync.stage import StageTruth
    from cavmae_sync.tasks.localization.map_files import row_ids
    from cavmae_sync.tasks.localization.stage_examples import StageExamples

    examples = StageExamples(prepared, StageTruth(stage_folder))
    maps = np.random.default_rng(0).random((len(examples.targets), 7, 7))
    np.savez(tmp_path / "theirs.npz", maps=maps, ids=row_ids(examples), name="DenseAV")
    words = ("evaluate", "localize", "--data", prepared_folder, "--stage", stage_folder)
    of_file = (*words, "--maps", tmp_path / "theirs.npz")
    ran = cli(*of_file, "--with-controls", "--figure", tmp_path / "x.png", "--json")
    assert ran.code == 0, ran.err
    report = json.loads(ran.out)
    assert report["config"]["said_by"] == "DenseAV"
    assert list(report["controls"])[:3] == ["oracle", "swapped_map", "mirrored_map"]
    assert (tmp_path / "x.png").stat().st_size > 10_000
    some = json.loads(cli(*of_file, "--num-clips", 5, "--json").out)
    assert some["counts"]["maps_of_other_questions"] > 0
    for odd, says in (
        (("map=denseav",), "cannot be used with --maps"),
        (("--device", "cpu"), "cannot be used with --maps"),
        ((weights,), "Name either a run or weights, or --maps"),
    ):
        refused = cli("evaluate", "localize", *odd, *of_file[2:])
        assert (refused.code, refused.out) == (1, "")
        assert says in " ".join(refused.err.split())
    assert "or --maps FILE" in cli(*words).err

    ruled = cli("evaluate", "localize", weights, *words[2:], "map=denseav", "--json")
    assert ruled.code == 0, ruled.err
    assert json.loads(ruled.out)["config"]["rule"] == "denseav"
    usual = json.loads(cli("evaluate", "localize", weights, *words[2:], "--json").out)
    assert usual["config"]["rule"] == "cosine"
    assert usual["metrics"] != json.loads(ruled.out)["metrics"]


@pytest.mark.parametrize(
    ("words", "saying"),
    [
        ((), "Give either"),
        (("--data", "x"), "Give either"),
        (("--ade20k", "x", "--stage", "x"), "Give either"),
        (("--ade20k", "x", "--prompt", "other"), "are for a stage"),
        (("--ade20k", "/nothing"), "has no prompted_segmentation.csv"),
        (("--data", "x", "--stage", "x", "--prompt-window", "3"), "is for --ade20k"),
        (("--ade20k", "x", "--figure", "x.jpg"), "must be a .png"),
    ],
)
def test_what_is_wrong_with_the_words(cli, weights, words, saying: str):
    ran = cli("evaluate", "localize", weights, *words, "--device", "cpu")
    assert ran.code == 1
    assert saying in ran.err


def test_localize(cli, weights, stage_folder, tmp_path: Path):
    video = min((stage_folder / "clips").glob("*.mp4"))
    out, pictures = tmp_path / "out.mp4", tmp_path / "moments"
    ran = cli(
        "localize", weights, video, "--out", out, "--figures", pictures, "--num-figures", 1,
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
    shown = cli("localize", weights, video, "--out", out, "--device", "cpu", "--overwrite")
    assert "cosine of sound and patch" in " ".join(shown.out.split())


def test_parts_of_the_sound_and_the_map_by_attention(cli, weights, stage_folder, tmp_path: Path):
    video = min((stage_folder / "clips").glob("*.mp4"))
    words = ("localize", weights, video, "--out", tmp_path / "out.mp4", "map=attention", "--sound-parts")
    found = json.loads(cli(*words, "--device", "cpu", "--json").out)
    assert found["made_by"] == {"rule": "attention", "contrast": False}
    assert all(0 <= moment["sound_peak_seconds"] <= 10 for moment in found["moments"])
    for wrong, saying in ((("--sound", video), "Leave out --sound"), ((), "Add --figures")):
        ran = cli(*words, *wrong, "--device", "cpu", "--overwrite")
        assert (ran.code, saying in ran.err) == (1, True)


def test_localize_refuses_to_write_over_its_video(cli, weights, stage_folder):
    video = min((stage_folder / "clips").glob("*.mp4"))
    ran = cli("localize", weights, video, "--out", video, "--device", "cpu")
    assert (ran.code, "is the video itself" in ran.err) == (1, True)
