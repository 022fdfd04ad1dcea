"""Small real videos, and how tests prepare them."""

from pathlib import Path

import numpy as np

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


def noise_dataset(folder: Path, *, num_clips: int, seconds: int, config: PrepareConfig) -> PreparedDataset:
    """Prepared clips of noise: tiles that change ten times a second, and white noise."""
    (folder / "videos").mkdir()
    generator = np.random.default_rng(0)
    for i in range(num_clips):
        tiles = generator.integers(0, 256, (10 * seconds, 4, 4, 3), dtype=np.uint8)
        write_video(
            folder / "videos" / f"clip{i}.mp4",
            tiles.repeat(16, axis=1).repeat(16, axis=2),
            frames_per_second=10,
            waveform_S=generator.uniform(-0.3, 0.3, 16_000 * seconds).astype(np.float32),
        )
    prepare(folder / "videos", out=folder / "prepared", config=config, num_workers=0)
    return PreparedDataset.open(folder / "prepared")
