"""What is added to a refusal of the command line."""

from pathlib import Path

import pytest


@pytest.mark.parametrize(
    ("words", "name"),
    [
        (["segment", "run", "-clip.mp4"], "-clip.mp4"),
        (["prepare", "-my-videos", "--out", "x"], "-my-videos"),
        (["segment", "run", "video.mp4", "--csv", "-x.csv"], "-x.csv"),
        (["segment", "run", "--double.mp4"], "--double.mp4"),
    ],
)
def test_names_that_begin_with_a_dash_are_hinted_at(cli, words: list[str], name: str):
    ran = cli(*words)
    assert ran.code == 2
    assert f"{name} begins with -, like an option." in ran.err
    assert f"write ./{name};" in ran.err


def test_a_wrong_option_is_no_name(cli):
    ran = cli("segment", "run", "video.mp4", "--trut", "file")
    assert ran.code == 2
    assert "--trut" in ran.err.replace("--truth", "")
    assert "--truth" in ran.err
    assert "begins with" not in ran.err


@pytest.mark.parametrize("way", [["./-clip.mp4"], ["--", "-clip.mp4"]])
def test_both_ways_round_it_reach_the_file(cli, tmp_path: Path, monkeypatch, weights: Path, way: list[str]):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "-clip.mp4").write_text("no video")
    ran = cli("segment", weights, *way)
    assert ran.code == 1
    assert "-clip.mp4" in ran.err
    assert "begins with" not in ran.err
