"""Small real videos and datasets prepared from them."""

import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from cavmae_sync.data import PrepareConfig, PreparedDataset, prepare
from cavmae_sync.media import write_video

#: Four frames of 64 pixels, so that tests are quick.
SMALL = PrepareConfig(num_frames=4, frame_pixels=64, clip_seconds=2.0, files_per_shard=2)


def make_video(
    path: Path, *, seconds: float = 2.0, seed: int = 0, moves: bool = True, sounds: bool = True
) -> None:
    """A square that moves over a gradient, and a tone."""
    generator = np.random.default_rng(seed)
    shade = np.linspace(40, 200, 96, dtype=np.uint8)
    background_HWC = np.broadcast_to(shade[None, :, None], (72, 96, 3)).copy()
    colour = generator.integers(0, 255, 3, dtype=np.uint8)
    frames = []
    for t in range(round(10 * seconds)):
        frame_HWC = background_HWC.copy()
        left = 8 + (t * 4 % 60 if moves else 0)
        frame_HWC[20:44, left : left + 24] = colour
        frames.append(frame_HWC)
    time_S = np.arange(round(16_000 * seconds)) / 16_000
    tone_S = (0.4 * np.sin(2 * np.pi * (300 + 50 * seed) * time_S)).astype(np.float32)
    path.parent.mkdir(parents=True, exist_ok=True)
    write_video(path, frames, frames_per_second=10, waveform_S=tone_S if sounds else np.zeros_like(tone_S))


@pytest.fixture(scope="session")
def videos(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Nine files: six good ones, of which one is silent, one still, one long; two bad, one no media."""
    folder = tmp_path_factory.mktemp("videos")
    make_video(folder / "a" / "dog.mp4", seed=1)
    make_video(folder / "b" / "dog.mp4", seed=2)
    make_video(folder / "long.mp4", seconds=5.0, seed=3)
    make_video(folder / "quiet.mp4", seed=4, sounds=False)
    make_video(folder / "still.mp4", seed=5, moves=False)
    shutil.copy(folder / "a" / "dog.mp4", folder / "z_copy.mp4")
    (folder / "empty.mp4").touch()
    (folder / "text.mp4").write_text("not a video at all")
    (folder / "notes.txt").write_text("hello")
    return folder


@pytest.fixture(scope="session")
def prepared(videos: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder above, prepared in one go in this process."""
    out = tmp_path_factory.mktemp("prepared") / "dataset"
    labels = out.parent / "labels.csv"
    labels.write_text("video_id,labels\nb/dog,bark;growl\nlong,song\nnobody,x\n")
    prepare(videos, out=out, config=SMALL, labels=labels, num_workers=0)
    return out


@pytest.fixture
def clips(prepared: Path) -> PreparedDataset:
    return PreparedDataset.open(prepared)


@pytest.fixture(scope="session")
def contents() -> Callable[[Path], dict[str, bytes]]:
    """All files of a folder, by their paths below it."""

    def read(folder: Path) -> dict[str, bytes]:
        files = (path for path in sorted(folder.rglob("*")) if path.is_file())
        return {path.relative_to(folder).as_posix(): path.read_bytes() for path in files}

    return read


@pytest.fixture
def labelled(prepared_folder: Path) -> PreparedDataset:
    """Generated clips with labels, opened."""
    return PreparedDataset.open(prepared_folder)
