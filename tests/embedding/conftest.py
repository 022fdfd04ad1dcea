"""A small prepared dataset of noise."""

import pytest

from cavmae_sync.data import PrepareConfig, PreparedDataset

from ..small_videos import noise_dataset


@pytest.fixture(scope="session")
def clips(tmp_path_factory: pytest.TempPathFactory) -> PreparedDataset:
    """Three clips of 2 s: changing tiles, and noise for sound."""
    config = PrepareConfig(frame_pixels=32)
    return noise_dataset(tmp_path_factory.mktemp("embedding"), num_clips=3, seconds=2, config=config)
