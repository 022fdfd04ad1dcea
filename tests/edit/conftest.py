"""Files at every rate, made once."""

from pathlib import Path

import pytest

from cavmae_sync.edit import EditSource, read_source

from .made import RATES, make

NUM_FRAMES = 40


@pytest.fixture(scope="session")
def files(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    folder = tmp_path_factory.mktemp("rates")
    return {
        name: make(folder / f"cam {name}.mov", rate, NUM_FRAMES, timecode=timecode)
        for name, (rate, timecode) in RATES.items()
    }


@pytest.fixture(scope="session")
def sources(files: dict[str, Path]) -> dict[str, EditSource]:
    return {name: read_source(path) for name, path in files.items()}
