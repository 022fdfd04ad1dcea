"""`list`, and `prepare` with official labels, as a shell would call them."""

import json
from pathlib import Path

import pytest

from cavmae_sync.data import PreparedDataset, read_clip_list, read_weights
from cavmae_sync.data.lists import read_list_file
from cavmae_sync.tasks.localization.ade20k import TABLE_FILE

VGGSOUND = (
    "---g-f_I2yQ,1,people marching,test\n"
    "--0PQM4-hqg,30,waterfall burbling,train\n"
    '--5OkAjCI7g,40,"bird chirping, tweeting",test\n'
    "glLQrEijrKg,300,people marching,test\n"
)


@pytest.fixture
def vggsound(tmp_path: Path) -> Path:
    path = tmp_path / "vggsound.csv"
    path.write_text(VGGSOUND)
    return path


def test_a_list_is_shown_made_and_checked(cli, vggsound: Path, tmp_path: Path):
    out, weights = tmp_path / "list.json", tmp_path / "list_weight.csv"
    words = ("list", vggsound, "--split", "test", "--per-class", 1)
    ran = cli(*words, "--out", out, "--write-weights", weights, "--json")
    assert ran.code == 0, ran.err
    told = json.loads(ran.out)
    assert (told["num_clips"], told["num_classes"], told["source_audit"]["num_rows"]) == (2, 2, 3)
    assert read_clip_list(out).sha256 == told["sha256"]
    assert read_weights(weights, num_clips=2).tolist() == [1000 / 1.01] * 2
    assert json.loads((tmp_path / "list.about.json").read_text())["source_sha256"] == told["source_sha256"]
    shown = cli("list", out, "--weights", weights)
    assert shown.code == 0, shown.err
    assert told["sha256"][:30] in shown.out


@pytest.mark.parametrize(
    ("name", "words", "kind"),
    [
        ("a.csv", (), "labels_csv"),
        ("a.txt", (), "text"),
        ("a.json", (), "cavmae_json"),
        ("a.csv", ("--format", "json"), "cavmae_json"),
    ],
)
def test_a_list_has_the_format_that_its_ending_says(
    cli, vggsound: Path, tmp_path: Path, name: str, words: tuple[str, ...], kind: str
):
    ran = cli("list", vggsound, "--out", tmp_path / name, *words)
    assert ran.code == 0, ran.err
    assert read_list_file(tmp_path / name).kind == kind


def test_a_folder_that_is_no_dataset(cli, tmp_path: Path):
    ran = cli("list", tmp_path)
    assert ran.code == 1
    assert "has no dataset.json" in ran.err


def test_a_dataset_and_what_of_a_list_is_in_it(cli, prepared_folder: Path, tmp_path: Path):
    names = PreparedDataset.open(prepared_folder).clip_ids
    (tmp_path / "own.txt").write_text("\n".join([names[3], "gone", names[0]]) + "\n")
    ran = cli("list", tmp_path / "own.txt", "--available", prepared_folder, "--json")
    assert ran.code == 0, ran.err
    assert json.loads(ran.out)["available"]["missing"] == ["gone"]
    assert json.loads(cli("list", prepared_folder, "--json").out)["num_clips"] == 14


def test_a_folder_of_prompts_is_audited(cli, tmp_path: Path):
    table = "image_location,vggsound_file,ade_class_id\na.jpg,b.wav,7\n"
    (tmp_path / TABLE_FILE).write_text(table)
    shown = cli("list", tmp_path)
    assert shown.code == 0, shown.err
    assert f"{tmp_path / 'frames' / 'a.jpg'} is missing." in shown.out.replace("\n", "")
    counts = json.loads(cli("list", tmp_path, "--json").out)["num_problems"]
    assert (counts["picture_missing"], counts["annotation_missing"], counts["sound_missing"]) == (1, 1, 1)


def test_official_labels_reach_videos_by_their_names(cli, stage_folder: Path, vggsound: Path, tmp_path: Path):
    videos = tmp_path / "videos"
    videos.mkdir()
    for clip, name in zip(
        sorted((stage_folder / "clips").iterdir()), ("---g-f_I2yQ_1.000", "Y--5OkAjCI7g_40000"), strict=False
    ):
        (videos / name).with_name(name + clip.suffix).symlink_to(clip)
    ran = cli(
        "prepare", videos, "--out", tmp_path / "out", "--labels", vggsound, "--split", "test",
        "--num-workers", 0, "--json", "num_frames=4", "frame_pixels=32", "clip_seconds=1.0",
    )  # fmt: skip
    assert ran.code == 0, ran.err
    counts = json.loads(ran.out)
    assert (counts["num_unlabelled"], counts["num_unknown_labels"]) == (0, 1)
    assert counts["labels_by_rule"] == {"start in seconds": 1, "Y + start in milliseconds": 1}
    found = PreparedDataset.open(tmp_path / "out")
    assert dict(zip(found.clip_ids, found.labels, strict=True)) == {
        "---g-f_I2yQ_1.000": ("people marching",),
        "Y--5OkAjCI7g_40000": ("bird chirping_ tweeting",),
    }


@pytest.mark.parametrize(
    ("words", "saying"),
    [
        (("--names", "mid"), "give --classes"),
        (
            ("--weights", "{folder}/vggsound.csv"),
            "line 1: '---g-f_I2yQ,1,people marching,test' is not a weight",
        ),
        (("--available", "{folder}"), "is not a complete prepared dataset"),
    ],
)
def test_what_cannot_be_is_said(cli, vggsound: Path, tmp_path: Path, words: tuple[str, ...], saying: str):
    ran = cli("list", vggsound, *(word.format(folder=tmp_path) for word in words))
    assert ran.code == 1
    assert saying in ran.err


def test_a_malformed_row_names_its_line(cli, vggsound: Path):
    vggsound.write_text(VGGSOUND + "glLQrEijrKg,300,people marching,nowhere\n")
    ran = cli("list", vggsound)
    assert (ran.code, "line 5: the split is 'nowhere'" in ran.err) == (1, True)


def test_split_without_labels_is_refused(cli, tmp_path: Path):
    ran = cli("prepare", tmp_path, "--out", tmp_path / "out", "--split", "test")
    assert (ran.code, "Give --labels too" in ran.err) == (1, True)
