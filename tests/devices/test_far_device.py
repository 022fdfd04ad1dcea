"""What runs on the CPU runs on an accelerator: no tensor is in the wrong place, none is float64."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from ..kills import run_apart
from .on_far_device import names, write_results

pytestmark = pytest.mark.long


@pytest.fixture(scope="module")
def results(
    prepared_folder: Path, made_once: Callable[[str, Callable[[Path], None]], Path]
) -> dict[str, str | None]:
    """Errors of each exercise, or None. In a process of its own: a device cannot be taken away again."""

    def make(folder: Path) -> None:
        run_apart(write_results, prepared_folder.parent / "stage", prepared_folder, folder / "results.json")

    return json.loads((made_once("far_device", make) / "results.json").read_text())


@pytest.mark.parametrize("name", names())
def test_gives_the_same_numbers_as_on_the_cpu(results: dict[str, str | None], name: str):
    assert results[name] is None, results[name]
