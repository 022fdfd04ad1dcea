"""The newcomer's way to a first cut, as the page says it."""

import re
import shlex
from pathlib import Path

import opentimelineio as otio
import pytest

from cavmae_sync.cli import run
from cavmae_sync.media import probe

PAGE = Path(__file__).parents[2] / "docs" / "first-cut.md"


@pytest.mark.long
def test_every_command_of_the_first_cut_runs(tmp_path: Path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    blocks = re.findall(r"<!-- first cut -->\n```sh\n(.*?)```", PAGE.read_text("utf-8"), flags=re.DOTALL)
    lines = [line for block in blocks for line in block.splitlines()]
    assert len(lines) == 4
    for line in lines:
        words = shlex.split(line)
        assert words[0] == "cavmae-sync"
        assert run(words[1:]) == 0, (line, capsys.readouterr().err)
    clips = list(otio.adapters.read_from_file("cut.otio").find_clips())
    cuts = sorted(Path("my-cut").iterdir())
    assert {clip.media_reference.target_url.rsplit("/", 1)[-1] for clip in clips} >= {"train-0-000003.mp4"}
    assert len(cuts) == 1
    assert all(abs((probe(cut).duration_seconds or 0) - 5) < 0.3 for cut in cuts)
    assert "train-0-000003.mp4" in Path("cut.html").read_text("utf-8")
    assert "train-0-000003.mp4" in Path("cut.xml").read_text("utf-8")
