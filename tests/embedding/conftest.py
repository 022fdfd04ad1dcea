"""A small prepared dataset of noise."""

import numpy as np
import pytest

from cavmae_sync.data import PrepareConfig, PreparedDataset, prepare
from cavmae_sync.media import write_video


@pytest.fixture(scope="session")
def clips(tmp_path_factory: pytest.TempPathFactory) -> PreparedDataset:
    """Three clips of 2 s: changing tiles, and noise for sound."""
    folder = tmp_path_factory.mktemp("embedding")
    (folder / "videos").mkdir()
    generator = np.random.default_rng(0)
    for i in range(3):
        tiles = generator.integers(0, 256, (20, 4, 4, 3), dtype=np.uint8)
        write_video(
            folder / "videos" / f"clip{i}.mp4",
            tiles.repeat(16, axis=1).repeat(16, axis=2),
            frames_per_second=10,
            waveform_S=generator.uniform(-0.3, 0.3, 32000).astype(np.float32),
        )
    prepare(folder / "videos", out=folder / "prepared", config=PrepareConfig(frame_pixels=32), num_workers=0)
    return PreparedDataset.open(folder / "prepared")
