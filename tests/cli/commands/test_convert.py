"""`cavmae-sync convert`, as typed."""

import json
from pathlib import Path

import pytest
import torch

from cavmae_sync.cli import run
from cavmae_sync.training import load_run_or_weights

from ...weights import official_files as files

HEADS = ("heads=1", "decoder.heads=1")
GOLDEN = Path(__file__).parents[2] / "golden"


@pytest.fixture
def official(tmp_path: Path) -> Path:
    torch.save(files.sync_file(), tmp_path / "sync.pth")
    return tmp_path / "sync.pth"


def test_there_and_back(official: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    ours, back = tmp_path / "ours.safetensors", tmp_path / "back.pth"
    assert run(["convert", str(official), *HEADS, "--out", str(ours)]) == 0
    assert "CAV-MAE Sync (authors)" in capsys.readouterr().out
    assert run(["convert", str(ours), "--layout", "official", "--out", str(back)]) == 0
    one, other = (torch.load(path, weights_only=True) for path in (official, back))
    assert list(one) == list(other)
    assert all(torch.equal(one[name], other[name]) for name in one)


def test_json_with_words(official: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    words = [
        "convert",
        str(official),
        *HEADS,
        "registers_in_joint=true",
        "--out",
        str(tmp_path / "a.safetensors"),
    ]
    assert run([*words, "--licence", "MIT", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["layout"] == "sync"
    assert found["config"]["registers_in_joint"] is True
    assert found["provenance"]["licence"] == "MIT"


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["--out", "{folder}/a.pth"], "must be a .safetensors file"),
        (["--out", "{folder}/nowhere/a.safetensors"], "in a folder that exists"),
        (["--out", "{folder}/a.txt", "--layout", "official"], ".pth"),
        (["--out", "{folder}/a.pth", "--layout", "official", "--licence", "MIT"], "writes no header"),
        (["--out", "{folder}/a.safetensors", "--loss", "bce"], "leave the options out"),
        (["--out", "{folder}/a.safetensors", "haeds=3"], 'Did you mean "heads"?'),
    ],
    ids=["ending", "folder", "official ending", "no header", "no head", "word"],
)
def test_what_does_not_fit_is_one_line(
    official: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], words: list[str], says: str
):
    assert run(["convert", str(official), *HEADS, *(word.format(folder=tmp_path) for word in words)]) == 1
    error = capsys.readouterr().err
    assert error.startswith("error: ")
    assert says in error
    assert [path.name for path in tmp_path.iterdir()] == ["sync.pth"]


def test_words_for_what_no_shape_shows_reach_every_command(cli, tmp_path: Path):
    """Heads of an unpublished width must be said, by the file or by a word; an unknown word is named."""
    golden = tmp_path / "sync_4s_8reg.pt"
    whole = torch.load(GOLDEN / golden.name, weights_only=True)
    assert load_run_or_weights(GOLDEN / golden.name).config.heads == whole["config"]["num_heads"] == 4
    torch.save(whole["state_dict"], golden)
    assert "Say how many: heads=N" in cli("doctor", golden).err
    assert cli("doctor", golden, "heads=4", "decoder.heads=4").code == 0
    assert load_run_or_weights(golden, ["heads=4", "decoder.heads=4"]).config.heads == 4
    ran = cli("convert", golden, "heds=4", "--out", tmp_path / "out.safetensors")
    assert 'There is no field "heds". Did you mean "heads"?' in ran.err
