"""Small real videos and sounds, a small model, and a library of them made in one go."""

import shutil
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest
import torch

from cavmae_sync.embedding import Embedder
from cavmae_sync.embedding.library import FillOptions, LibraryConfig, add_to_library, open_library
from cavmae_sync.inputs import InputConfig
from cavmae_sync.media import write_video
from cavmae_sync.media.wav import write_wav
from cavmae_sync.model import CAVMAESync, DecoderConfig, ModelConfig

#: Two clips of two frames are a piece.
SMALL = LibraryConfig(num_frames=2, clip_seconds=1.0, min_seconds=0.5, frames_per_piece=4, store="float32")
HERE = FillOptions(num_workers=0)

#: Everything that a library holds: bytes of parts, and what is known of files and contents.
Held = Callable[[Path], dict[str, Any]]


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


def drop_sound(path: Path) -> None:
    """Leave the picture alone."""
    whole = path.with_suffix(".whole.mp4")
    path.rename(whole)
    with av.open(whole) as source, av.open(path, "w") as target:
        stream = source.streams.video[0]
        out = target.add_stream_from_template(stream)
        for packet in source.demux(stream):
            if packet.dts is not None:
                packet.stream = out
                target.mux(packet)
    whole.unlink()


@pytest.fixture(scope="session")
def videos(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Nine media files: six good ones, one of them long; one empty, one a text, one damaged at its end."""
    folder = tmp_path_factory.mktemp("videos")
    make_video(folder / "a" / "dog.mp4", seconds=1.0, seed=1)
    make_video(folder / "b 'ü' 音.mp4", seconds=1.5, seed=2)
    make_video(folder / "c.mp4", seconds=4.0, seed=4)
    damage(folder / "c.mp4")
    make_video(folder / "long.mp4", seconds=6.5, seed=3)
    make_video(folder / "mute.mp4", seconds=1.0, seed=5)
    drop_sound(folder / "mute.mp4")
    write_wav(folder / "sound.wav", np.sin(np.arange(40_000) * 0.3).astype(np.float32) * 0.5)
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
    """The folder above, in a library filled in one go in this process."""
    out = tmp_path_factory.mktemp("library") / "out"
    add_to_library(embedder, videos, out=out, config=SMALL, options=HERE)
    return out


@pytest.fixture
def held() -> Held:
    """Reads what `Held` says."""

    def read(folder: Path) -> dict[str, Any]:
        parts = folder / "parts"
        found: dict[str, Any] = {
            path.relative_to(parts).as_posix(): path.read_bytes() for path in sorted(parts.rglob("*.*"))
        }
        with open_library(folder).catalogue() as catalogue:
            found["files"] = [asdict(row) for row in catalogue.files()]
            found["contents"] = [asdict(row) for row in catalogue.contents()]
            found["skipped"] = catalogue.skipped()
        found["library.json"] = (folder / "library.json").read_bytes()
        found["left over"] = [path.name for path in (folder / "work").glob("*.part")]
        return found

    return read


class Counting(Embedder):
    """Counts the frames and segments it is given."""

    num_frames = 0
    num_segments = 0

    def embed_frames(self, frames_PCHW: torch.Tensor, *, with_patches: bool = False) -> Any:
        self.num_frames += len(frames_PCHW)
        return super().embed_frames(frames_PCHW, with_patches=with_patches)

    def embed_segments(self, segments_PLM: torch.Tensor) -> torch.Tensor:
        self.num_segments += len(segments_PLM)
        return super().embed_segments(segments_PLM)


@pytest.fixture
def counting(embedder: Embedder) -> Counting:
    """The model, which counts what it is given."""
    return Counting(embedder.model, device="cpu")
