"""`cavmae-sync teach` from the command line: a library of 40 files of made-up vectors."""

import json
from pathlib import Path

import pytest

from ...teaching.made import planted


@pytest.fixture
def library(tmp_path: Path) -> Path:
    return planted(tmp_path / "library", num_files=40, places=24, share=0.3, seed=3)[0].folder


def test_the_whole_way(cli, library: Path, tmp_path: Path):
    new = ("--sense", "sound", "--moment-seconds", 1.5)
    first = ("--yes", "footage/0.mp4@0-1.5", "--no", "footage/1.mp4@3-4.5")
    ran = cli("teach", "mark", library, "bell", *new, *first)
    assert ran.code == 0, ran.err
    assert "1 yes and 1 no of 2 files are too few" in ran.out
    ran = cli("teach", "next", library, "bell", "--num", 8, "--csv", tmp_path / "next.csv")
    assert ran.code == 0, ran.err
    assert "answer by number" in ran.out
    assert len((tmp_path / "next.csv").read_text().splitlines()) == 9
    ran = cli("teach", "mark", library, "bell", "--yes", "1-4", "--no", "5,6-8", "--json")
    state = json.loads(ran.out)
    assert (state["counts"]["num_yes"], state["counts"]["num_no"]) == (5, 5)
    assert state["status"] == "unchecked"
    assert Path(state["probe"]).is_file()
    checks = cli("teach", "next", library, "bell", "--num", 12, "--checks", 12, "--json")
    reasons = [each["reason"] for each in json.loads(checks.out)["proposals"]]
    assert reasons.count("check") >= 10
    ran = cli("teach", "mark", library, "bell", "--yes", "1-10", "--unsure", 11, "--no", 12)
    assert "Right of the rest" in ran.out, ran.out
    told = cli("teach", "status", library, "bell", "--precision", 0.5)
    assert "From a probability of" in told.out
    assert "classify FILE --probe" in told.out
    assert "bell" in cli("teach", "status", library).out
    ran = cli("teach", "rank", library, "bell", "--top", 3, "--json")
    probabilities = [each["probability"] for each in json.loads(ran.out)["moments"]]
    assert probabilities == sorted(probabilities, reverse=True)
    assert cli("teach", "rank", library, "bell").code == 0
    assert "2 marks taken back" in cli("teach", "undo", library, "bell", "--last", 2).out
    for name in ("bell.csv", "bell.txt"):
        assert cli("teach", "export", library, "bell", tmp_path / name).code == 0
    ran = cli("teach", "mark", library, "copy", "--sense", "sound", "--from", tmp_path / "bell.csv")
    assert "20 marks added" in ran.out
    assert "checks are learned from" in cli("teach", "mark", library, "bell", "--learn-checks").out


def test_what_cannot_be_is_said(cli, library: Path, tmp_path: Path):
    def says(*words: object) -> str:
        ran = cli("teach", *words)
        assert ran.code == 1
        return ran.err

    assert "Say what to mark" in says("mark", library, "bell")
    assert "There is no taught class" in says("mark", library, "bell", "--yes", "footage/0.mp4@0-1")
    cli("teach", "mark", library, "bell", "--sense", "sound", "--yes", "footage/0.mp4@0-1")
    assert "is no moment of the library" in says("mark", library, "bell", "--yes", "footage/no.mp4@0-1")
    assert "is no moment of the library" in says("mark", library, "bell", "--yes", "footage/0.mp4")
    assert "There is no proposal 3" in says("mark", library, "bell", "--yes", 3)
    assert "needs a yes and a no" in says("rank", library, "bell")
    assert "must be in (0, 1]" in says("status", library, "bell", "--precision", 2)
    assert "There is no taught class 'bel'. Did you mean 'bell'?" in says("next", library, "bel")
    assert "cannot be taught" in says("mark", library, "../x", "--sense", "sound", "--yes", "1")
    assert "is not a library" in says("next", tmp_path / "nothing", "bell")
