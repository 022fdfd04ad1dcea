"""Options of `python -m benchmarks`; wrong ones are refused before anything is measured."""

import sys
from pathlib import Path

import pytest
from benchmarks.__main__ import main


@pytest.mark.parametrize(
    ("words", "saying"),
    [
        (["nothing"], "there is no part nothing. There are: products, "),
        (["log-mel", "--device", "teapot"], "there is no device 'teapot'. Use cpu"),
        (["--from", "nowhere", "--write-docs"], "nowhere/results.json does not exist. Give --from"),
    ],
)
def test_wrong_options_are_refused(
    words: list[str], saying: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "argv", ["benchmarks", *words])
    with pytest.raises(SystemExit) as stop:
        main()
    assert saying in str(stop.value)


def test_parts_and_variants_are_listed(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]):
    monkeypatch.setattr(sys, "argv", ["benchmarks", "--list"])
    assert main() == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].startswith("products ")
    assert any(line.startswith("features ") and "textbook float32, float32, " in line for line in lines)
