"""Wrong words of `python -m benchmarks` are answered before anything is measured."""

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
def test_what_cannot_be_is_said(
    words: list[str], saying: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "argv", ["benchmarks", *words])
    with pytest.raises(SystemExit) as stop:
        main()
    assert saying in str(stop.value)
