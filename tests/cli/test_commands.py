"""Every command on real files: stage -> prepare -> pretrain -> evaluate, and what it says when it cannot."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from cyclopts import App

from cavmae_sync.cli import app

TINY_RUN = (
    "model.inputs.segment_length=32",
    "model.inputs.frame_pixels=32",
    "loop.num_steps=4",
    "loop.batch_size=4",
)


def every_command(group: App, *names: str) -> Iterator[tuple[str, ...]]:
    """Words of each command, `evaluate` among them."""
    for name in group:
        if not name.startswith("-"):
            yield (*names, name)
            yield from every_command(group[name], *names, name)


COMMANDS = list(every_command(app))


def test_help_of_each_command_shows_an_example_and_no_switch_with_no(cli):
    """Options that several commands have are named alike."""
    assert len(COMMANDS) > 20
    for command in COMMANDS:
        ran = cli(*command, "--help")
        words = ran.out.split()
        assert ran.code == 0, command
        assert command in (
            ("evaluate",),
            ("index",),
            ("teach",),
        ) or f"Example: cavmae-sync {' '.join(command)}" in " ".join(words)
        assert not any(word.startswith("--no-") for word in words), command
        # To `search` a picture is what is looked for.
        others = {"--plot", "--output", "--dataset"} | ({"--picture"} if command != ("search",) else set())
        assert not others & set(words), command


def test_help_loads_no_large_library():
    code = (
        "import sys; from cavmae_sync.cli import run; "
        f"[run([*command, '--help']) for command in {COMMANDS}]; "
        "assert not {'torch', 'numpy', 'pydantic', 'PIL'} & set(sys.modules), set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True, capture_output=True)


def test_the_whole_path(cli, tmp_path: Path):
    stage, data, out = tmp_path / "stage", tmp_path / "data", tmp_path / "run"
    words = ("clip_seconds=1", "frame_pixels=32", "frames_per_second=4")
    made = cli("stage", stage, *words, "--num-clips", 6, "--num-workers", 1, "--json")
    assert (made.code, json.loads(made.out)["num_clips"]) == (0, 6)

    prepared = cli(
        "prepare", stage / "clips", "frame_pixels=32", "num_frames=4", "clip_seconds=1",
        "--labels", stage / "labels.csv", "--out", data, "--num-workers", 0, "--json",
    )  # fmt: skip
    assert (prepared.code, json.loads(prepared.out)["num_clips"]) == (0, 6)

    trained = cli(
        "pretrain", "debug", *TINY_RUN, "--data", data, "--validation", data, "--out", out, "--json"
    )
    assert (trained.code, json.loads(trained.out)["is_complete"]) == (0, True), trained.err
    assert "6 clips of --validation are also clips of --data" in " ".join(trained.err.split())

    picture = tmp_path / "similarity.png"
    measured = cli("evaluate", "retrieval", out, "--data", data, "--figure", picture, "--json")
    report = json.loads(measured.out)
    assert measured.code == 0
    assert report["counts"]["queries"] == 6
    assert report["counts"]["substitutions"] == 0
    ranks = ("recall_at_1", "recall_at_5", "recall_at_10", "median_rank")
    measures = {"": ranks, "what/": ranks, "when/": ranks, "moment/": ("accuracy",)}
    assert set(report["metrics"]) == {
        f"{measure}{direction}/{metric}"
        for measure, metrics in measures.items()
        for direction in ("audio_to_visual", "visual_to_audio")
        for metric in metrics
    }
    assert picture.stat().st_size > 1000
    assert "6 of 6 clips were learned from in this run's pretraining" in " ".join(measured.err.split())

    all_four = json.loads(
        cli("evaluate", "retrieval", out, "--data", data, "--all-aggregations", "--json").out
    )
    assert list(all_four) == ["diagonal_mean", "diagonal_max", "block_mean", "block_max"]
    assert all_four["diagonal_mean"] == report

    other = cli(
        "evaluate", "retrieval", out, "registers_in_joint=true", "--data", data, "--num-clips", 3, "--json"
    )
    assert json.loads(other.out)["counts"]["queries"] == 3
    assert json.loads(other.out)["weights"] == report["weights"]

    table = cli("evaluate", "retrieval", out / "weights.safetensors", "--data", data)
    assert "chance" in table.out


def test_a_run_is_never_overwritten(cli, prepared_folder: Path, tmp_path: Path):
    words = ("pretrain", "debug", *TINY_RUN, "--data", prepared_folder, "--out", tmp_path / "run")
    assert cli(*words).code == 0
    again = cli(*words)
    assert again.code == 1
    assert f"--resume {tmp_path / 'run'}" in " ".join(again.err.split())


@pytest.mark.long
def test_a_run_for_each_seed(cli, prepared_folder: Path, tmp_path: Path):
    out = tmp_path / "runs"
    words = ("pretrain", "debug", *TINY_RUN, "--data", prepared_folder, "--out", out, "--seeds", "3,5")
    ran = cli(*words, "--jobs", 2, "--json")
    assert ran.code == 0, ran.err
    assert json.loads(ran.out)["runs"] == [
        {"run": str(out / f"seed-{seed}"), "steps": 4, "is_complete": True} for seed in (3, 5)
    ]
    assert json.loads((out / "seed-5" / "config.json").read_text())["seed"] == 5
    assert "seed-3" in ran.err and "GiB each" in ran.err  # noqa: PT018 -- one line


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("pretrain", "sync_bas"), "sync_base"),
        (("pretrain", "debug", "model.registrs=4"), 'Did you mean "model.registers"?'),
        (("pretrain", "debug"), "--data DATASET and --out RUN"),
        (("pretrain",), "Name a recipe"),
        (("reproduce", "table7", "--jobs", "0"), "--jobs '0' must be \"auto\" or a number"),
        (("pretrain", "--resume", "nowhere"), "holds no run"),
        (
            ("evaluate", "retrieval", "w.pth", "--data", "nowhere"),
            "nowhere is not a complete prepared dataset",
        ),
        (("doctor", "nothing.safetensors"), "does not exist"),
        (("prepare", "nowhere", "--out", "out"), "nowhere"),
        (("prepare", ".", "--out", "out", "--min-seconds", "-1"), "min_seconds"),
        (
            ("evaluate", "retrieval", "w.pth", "--data", ".", "--figure", "nowhere/x.png"),
            "folder that exists",
        ),
        (("segment", "w.pth", "v.mp4", "--figure", "a-folder.png"), "is a folder. Name a .png file"),
        (
            ("localize", "w.pth", "v.mp4", "--out", "o.mp4", "--figures", "a-file/moments"),
            "must be a folder, but",
        ),
        (("probe", "w.pth", "--train", ".", "--test", ".", "--out", "a-file"), "must be a folder, but"),
        (("reproduce", "table7", "--out", "a-file"), "must be a folder, but"),
        (("stage", "out", "--num-clips", "1", "frame_pixel=64"), 'Did you mean "frame_pixels"?'),
        (
            ("stage", "out", "--num-clips", "1", "--pack", "real", "--packages", "."),
            "apt install qabcs-data tuxpaint-stamps-default tuxpaint-data",
        ),
    ],
)
def test_errors_say_what_to_do_and_exit_with_1(cli, tmp_path, monkeypatch, words, message):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "a-folder.png").mkdir()
    (tmp_path / "a-file").touch()
    ran = cli(*words)
    assert ran.code == 1
    assert ran.out == ""
    assert message in " ".join(ran.err.split())


def test_a_file_that_cannot_be_written_goes_by_its_own_name(cli, tmp_path: Path):
    (tmp_path / "ids.txt").write_text("a\n")
    (tmp_path / "out.csv").mkdir()
    ran = cli("list", tmp_path / "ids.txt", "--out", tmp_path / "out.csv")
    assert ran.code == 1
    assert ran.err.endswith("out.csv: Is a directory.\n"), ran.err  # not out.csv.3f2a...part
    assert [path.name for path in sorted(tmp_path.iterdir())] == ["ids.txt", "out.csv"]


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_a_folder_without_rights_is_refused_before_any_work(cli, prepared_folder: Path, tmp_path: Path):
    tmp_path.chmod(0o555)
    ran = cli("embed", tmp_path / "nothing", "--data", prepared_folder, "--out", tmp_path / "x.npz")
    tmp_path.chmod(0o755)
    assert ran.code == 1
    assert "may not write into" in ran.err


def test_wrong_usage_exits_with_2(cli):
    assert cli("prepare").code == 2
    assert cli("pretend").code == 2


def test_show_config_prints_a_complete_configuration(cli):
    shown = cli("pretrain", "sync_base", "model.registers=4", "--show-config")
    config = json.loads(shown.out)
    assert config["model"]["registers"] == 4
    assert config["model"]["width"] == 768


def test_a_plan_leaves_no_trace(cli, tmp_path: Path):
    out = tmp_path / "tables"
    planned = cli("reproduce", "table7", "--plan", "--seeds", "0", "--out", out, "num_epochs=2")
    assert (planned.code, planned.out.count("seed 0: to do")) == (0, 2)
    assert not out.exists()
    shown = cli("reproduce", "table7", "--show", "--seeds", "0", "--out", out, "--json")
    assert (shown.code, json.loads(shown.out)["is_complete"]) == (0, False), shown.err
