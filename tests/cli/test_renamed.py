"""Old names of commands and options work as before, with a line of advice on standard error."""

import json
from pathlib import Path

import pytest

from cavmae_sync.cli import app
from cavmae_sync.cli.renamed import _OPTIONS, renamed


@pytest.mark.parametrize(
    ("old", "new", "num_advice"),
    [
        ("evaluate segmentation r --picture x.png", "evaluate localize r --figure x.png", 2),
        ("evaluate temporal r --picture=x.png --json", "evaluate segment r --figure=x.png --json", 2),
        ("localize r v --pictures p --num-pictures 2", "localize r v --figures p --num-figures 2", 2),
        ("agreement r v --picture x.png", "agreement r v --figure x.png", 1),
        ("agreement --smooth-seconds 2 r v", "agreement r v smooth_seconds=2", 1),
        (
            "segment r v --modality all --min_seconds=3 a=1",
            "segment r v a=1 modalities=audio,visual,both min_seconds=3",
            2,
        ),
        (
            "evaluate retrieval --aggregation all --ties mean",
            "evaluate retrieval --all-aggregations ties=mean",
            2,
        ),
        (
            "submit --num-jobs 2 -- prepare v --min-seconds 2",
            "submit --num-jobs 2 -- prepare v min_seconds=2",
            1,
        ),
        (
            "pretrain sync_base --data d model.inputs.align_length=valid",
            "pretrain sync_base --data d model.inputs.alignment=valid",
            1,
        ),
        ("doctor m inputs.align_length=padded", "doctor m inputs.alignment=padded", 1),
    ],
)
def test_each_old_name_becomes_the_new_one_with_a_line_of_advice(old: str, new: str, num_advice: int):
    words, advice = renamed(old.split())
    assert words == new.split()
    assert len(advice) == num_advice


def test_names_of_today_and_names_of_files_stay():
    for words in (["evaluate", "localize", "--figure", "x"], ["segment", "r", "--", "--picture"], []):
        assert renamed(words) == (words, [])


def test_what_old_options_became_is_there():
    for command, options in _OPTIONS.items():
        found = app[command.split()[0]] if " " not in command else app["evaluate"][command.split()[1]]
        names = {name for argument in found.assemble_argument_collection() for name in argument.names}
        for new in options.values():
            is_there = new in names if new.startswith("--") else f"`{new.partition('=')[0]}=" in found.help
            assert is_there, (command, new)
        assert not names & set(options), command


def test_an_old_command_does_what_the_new_one_does(
    cli, weights, prepared_folder, stage_folder, tmp_path: Path
):
    words = (weights, "--data", prepared_folder, "--stage", stage_folder, "--json")
    old = cli("evaluate", "temporal", *words, "--picture", tmp_path / "old.png")
    new = cli("evaluate", "segment", *words, "--figure", tmp_path / "new.png")
    assert (old.code, json.loads(old.out)) == (new.code, json.loads(new.out))
    assert old.err.startswith(
        "evaluate temporal is now called evaluate segment; the old name goes with version 0.2.\n"
        "--picture is now called --figure; the old name goes with version 0.2.\n"
    )
    assert "now called" not in new.err
    assert (tmp_path / "old.png").read_bytes() == (tmp_path / "new.png").read_bytes()


def test_help_shows_no_old_command(cli):
    shown = cli("evaluate", "--help").out
    assert "│ segment " in shown
    assert "│ temporal " not in shown
    assert "│ segmentation " not in shown
