"""Small real videos, a small model, and a library of them made in one go."""

import shutil
from pathlib import Path

import numpy as np
import pytest
import torch

from cavmae_sync.embedding import Embedder
from cavmae_sync.embedding.library import LibraryConfig, embed_library
from cavmae_sync.inputs import InputConfig
from cavmae_sync.media import write_video
from cavmae_sync.model import CAVMAESync, DecoderConfig, ModelConfig

#: Two clips of two frames are a piece, two files a unit.
SMALL = LibraryConfig(num_frames=2, clip_seconds=1.0, min_seconds=0.5, frames_per_piece=4, files_per_unit=2)


def make_video(path: Path, *, seconds: float, seed: int) -> None:
    """Tiles that change, and noise."""
    generator = np.random.default_rng(seed)
    tiles = generator.integers(0, 256, (round(10 * seconds), 4, 4, 3), dtype=np.uint8)
    path.parent.mkdir(parents=True, exist_ok=True)
    write_video(
        path,
        tiles.repeat(8, axis=1).repeat(8, axis=2),
        frames_per_second=10,
        waveform_S=generator.uniform(-0.3, 0.3, round(16_000 * seconds)).astype(np.float32),
    )


@pytest.fixture(scope="session")
def videos(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Seven media files: four good ones, one of them long; one empty, one a text, one damaged at its end."""
    folder = tmp_path_factory.mktemp("videos")
    make_video(folder / "a" / "dog.mp4", seconds=1.0, seed=1)
    make_video(folder / "b 'ü' 音.mp4", seconds=1.5, seed=2)
    make_video(folder / "c.mp4", seconds=4.0, seed=4)
    damage(folder / "c.mp4")
    make_video(folder / "long.mp4", seconds=6.5, seed=3)
    shutil.copy(folder / "a" / "dog.mp4", folder / "z_copy.mp4")
    (folder / "empty.mp4").touch()
    (folder / "text.mp4").write_text("not a video at all")
    (folder / "notes.txt").write_text("hello")
    return folder


def damage(path: Path) -> None:
    """Overwrite the last fifth of the pictures: clips before it decode, then the file turns out bad."""
    content = bytearray(path.read_bytes())
    start = content.index(b"mdat") + 4
    stop = max(content.rfind(b"moov"), start)
    stop = stop if stop > start else len(content)
    first = start + (stop - start) * 4 // 5
    content[first : stop - 8] = bytes((i * 37) % 251 for i in range(stop - 8 - first))
    path.write_bytes(content)


@pytest.fixture(scope="session")
def embedder() -> Embedder:
    config = ModelConfig(
        inputs=InputConfig(frame_pixels=16, segment_length=16),
        width=16, depth=1, heads=2, registers=1, decoder=DecoderConfig(width=8, depth=1, heads=2),
    )  # fmt: skip
    return Embedder(CAVMAESync(config, generator=torch.Generator().manual_seed(0)), device="cpu")


@pytest.fixture(scope="session")
def library(videos: Path, embedder: Embedder, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder above, embedded in one go in this process."""
    out = tmp_path_factory.mktemp("library") / "out"
    embed_library(embedder, videos, out=out, config=SMALL, num_workers=0)
    return out
