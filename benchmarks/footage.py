"""Inputs of benchmarks: generated videos and datasets, made once per run in its temporary folder."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from benchmarks.part import Setting
from cavmae_sync.data import PrepareConfig, PreparedDataset, prepare
from cavmae_sync.media import write_video
from cavmae_sync.stage import StageConfig, make_stage

SECONDS, FRAMES_PER_SECOND, RATE = 10, 25, 44_100
#: Width and height by name.
SIZES = {"720p": (1280, 720), "360p": (640, 360)}


def videos(setting: Setting, size: str) -> list[Path]:
    """H.264 and AAC files of ten seconds in which everything moves, as many as the run needs."""
    folder = setting.folder / f"videos-{size}"
    if not folder.is_dir():
        unfinished = setting.folder / f"videos-{size}.part"
        unfinished.mkdir(parents=True, exist_ok=True)
        rate = setting.pick(FRAMES_PER_SECOND, 5)
        count = setting.pick({"720p": 1, "360p": 16}, {"720p": 1, "360p": 2})[size]
        for number in range(count):
            width, height = SIZES[size]
            write_video(
                unfinished / f"video-{number:02d}.mp4",
                _frames(width, height, seed=number, count=SECONDS * rate),
                frames_per_second=rate,
                waveform_S=_sound(seed=number, seconds=SECONDS),
                sample_rate_hz=RATE,
            )
        unfinished.rename(folder)
    return sorted(folder.iterdir())


def prepared_videos(setting: Setting) -> PreparedDataset:
    """The 360p videos, prepared as published: 16 frames of 224 pixels."""
    folder = setting.folder / "prepared-360p"
    if not (folder / "dataset.json").is_file():
        videos(setting, "360p")
        prepare(setting.folder / "videos-360p", out=folder, num_workers=0)
    return PreparedDataset.open(folder)


def stage_clips(setting: Setting) -> Path:
    """A folder of small generated clips of ten seconds."""
    folder = setting.folder / "stage"
    if not (folder / "labels.csv").is_file():
        config = StageConfig(frame_pixels=96, clip_seconds=setting.pick(10.0, 2.0))
        make_stage(folder, config=config, num_clips=setting.pick(96, 12), num_workers=setting.threads)
    return folder / "clips"


def prepared_stage(setting: Setting) -> PreparedDataset:
    """The generated clips, prepared for the small model."""
    folder = setting.folder / "prepared-stage"
    if not (folder / "dataset.json").is_file():
        prepare(stage_clips(setting), out=folder, config=SMALL_CLIPS, num_workers=0)
    return PreparedDataset.open(folder)


SMALL_CLIPS = PrepareConfig(frame_pixels=96)


def _frames(width: int, height: int, *, seed: int, count: int) -> Iterator[NDArray[np.uint8]]:
    """A camera that moves over a smooth landscape, and a disc that moves the other way."""
    random = np.random.default_rng(seed)
    coarse = random.uniform(0, 255, (height // 8 + 40, width // 8 + 40, 3)).astype(np.float32)
    canvas = np.repeat(np.repeat(coarse, 8, axis=0), 8, axis=1)
    for _ in range(2):  # soften the edges of the squares
        canvas = (canvas + np.roll(canvas, 3, axis=0) + np.roll(canvas, 3, axis=1)) / 3
    canvas = (canvas + random.normal(0, 3, canvas.shape)).clip(0, 255).astype(np.uint8)
    rows, columns = np.mgrid[:height, :width]
    for number in range(count):
        x = round(100 + 90 * np.sin(2 * np.pi * number / 97 + seed))
        y = round(100 + 90 * np.cos(2 * np.pi * number / 61))
        frame_HWC = canvas[y : y + height, x : x + width].copy()
        near = (rows - height / 2) ** 2 + (columns - width * number / count) ** 2 < (height / 6) ** 2
        frame_HWC[near] = (250, 40 * seed % 250, 60)
        yield frame_HWC


def _sound(*, seed: int, seconds: int) -> NDArray[np.float32]:
    """A gliding tone in noise."""
    random = np.random.default_rng(seed)
    time = np.arange(seconds * RATE) / RATE
    tone = np.sin(2 * np.pi * (200 + 80 * seed + 60 * time) * time)
    return (0.3 * tone + 0.05 * random.standard_normal(len(time))).clip(-1, 1).astype(np.float32)
