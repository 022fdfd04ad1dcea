"""What runs on the CPU runs on an accelerator: no tensor is in the wrong place, none is float64."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from . import on_far_device
from .on_far_device import names


@pytest.fixture(scope="module")
def results(prepared_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, str | None]:
    """What went wrong in each exercise. In a process of its own: a device cannot be taken away again."""
    out = tmp_path_factory.mktemp("far") / "results.json"
    subprocess.run(
        [sys.executable, on_far_device.__file__, prepared_folder.parent / "stage", prepared_folder, out],
        check=True,
        timeout=300,
    )
    return json.loads(out.read_text())


@pytest.mark.parametrize("name", names())
def test_gives_the_same_numbers_as_on_the_cpu(results: dict[str, str | None], name: str):
    assert results[name] is None, results[name]
