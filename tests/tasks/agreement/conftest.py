"""Clips of half a second, two of each generated file."""

from pathlib import Path

import pytest

from cavmae_sync.data import PrepareConfig, PreparedDataset, prepare


@pytest.fixture(scope="session")
def half_clips(prepared_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> PreparedDataset:
    """28 clips of 14 files."""
    folder = tmp_path_factory.mktemp("halves")
    config = PrepareConfig(frame_pixels=32, num_frames=4, clip_seconds=0.5, min_seconds=0.3)
    prepare(prepared_folder.parent / "stage" / "clips", out=folder, config=config, num_workers=0)
    return PreparedDataset.open(folder)
