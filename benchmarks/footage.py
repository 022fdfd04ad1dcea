"""Inputs of benchmarks: generated videos and datasets, made once per run in its temporary folder."""

from collections.abc import Iterator
from pathlib import Path

import av
import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray

from benchmarks.part import Setting
from cavmae_sync.data import PrepareConfig, PreparedDataset, prepare
from cavmae_sync.stage import StageConfig, make_stage

SECONDS, FRAMES_PER_SECOND, RATE = 10, 25, 44_100
#: Width and height by name.
SIZES = {"720p": (1280, 720), "360p": (640, 360)}
#: Bits per second of the picture by size, and of the sound, as in files of a large video site. Three that
#: were looked at have 1.55 million at 720p, 0.47 million at 360p, and 125,000 to 128,000 of stereo sound.
PICTURE_BITS = {"720p": 1_600_000, "360p": 500_000}
SOUND_BITS = 128_000
#: Frames from one key frame to the next: five seconds, as in the same files.
KEY_FRAMES_EVERY = 125


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
            _write(
                unfinished / f"video-{number:02d}.mp4",
                _frames(width, height, seed=number, count=SECONDS * rate),
                size=size,
                rate=rate,
                sound_S=_sound(seed=number, seconds=SECONDS),
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


def _write(
    path: Path, frames: Iterator[NDArray[np.uint8]], *, size: str, rate: int, sound_S: NDArray[np.float32]
) -> None:
    """Write H.264 with frames that refer to later ones, and AAC in stereo, at the bitrates of real files.

    Not `cavmae_sync.media.write_video`, which writes quickly and without such frames: its files of the same
    pictures had twelve times the bits, and decoding is mostly paid by the bit.
    """
    options = {"preset": "veryfast", "threads": "1", "g": str(KEY_FRAMES_EVERY)}
    with av.open(str(path), "w", options={"movflags": "faststart"}) as container:
        video = container.add_stream("libx264", rate=rate, options=options)
        audio = container.add_stream("aac", rate=RATE, layout="stereo")
        video.width, video.height = SIZES[size]
        video.pix_fmt = "yuv420p"
        video.bit_rate, audio.bit_rate = PICTURE_BITS[size], SOUND_BITS
        for number, frame_HWC in enumerate(frames):
            container.mux(video.encode(av.VideoFrame.from_ndarray(frame_HWC, format="rgb24")))
            part_S = sound_S[number * RATE // rate : (number + 1) * RATE // rate]
            sound = av.AudioFrame.from_ndarray(np.stack([part_S, part_S]), format="fltp", layout="stereo")
            sound.sample_rate, sound.pts = RATE, number * RATE // rate
            container.mux(audio.encode(sound))
        container.mux(video.encode(None))
        container.mux(audio.encode(None))


def _frames(width: int, height: int, *, seed: int, count: int) -> Iterator[NDArray[np.uint8]]:
    """A camera that moves over a smooth landscape, and a disc that moves the other way."""
    random = np.random.default_rng(seed)
    canvas = _landscape(random, height + 256, width + 256)
    rows, columns = np.mgrid[:height, :width]
    for number in range(count):
        x = round(100 + 90 * np.sin(2 * np.pi * number / 97 + seed))
        y = round(100 + 90 * np.cos(2 * np.pi * number / 61))
        frame_HWC = canvas[y : y + height, x : x + width].copy()
        near = (rows - height / 2) ** 2 + (columns - width * number / count) ** 2 < (height / 6) ** 2
        frame_HWC[near] = (250, 40 * seed % 250, 60)
        yield frame_HWC


def _landscape(random: np.random.Generator, height: int, width: int) -> NDArray[np.uint8]:
    """Picture whose details are the weaker the finer they are, as in photographs: most of it is grey."""
    canvas_HWC = np.full((height, width, 3), 128, np.float32)
    for side in (128, 64, 32, 16, 8, 4):
        for channels in (1, 3):  # brightness, and a third as much colour
            size = (height // side + 2, width // side + 2, channels)
            coarse_CRK = torch.from_numpy(random.normal(0, 3 * side**0.5 / channels, size)).permute(2, 0, 1)
            smooth_CHW = F.interpolate(coarse_CRK[None], scale_factor=side, mode="bicubic")[0]
            canvas_HWC += smooth_CHW[:, :height, :width].permute(1, 2, 0).numpy()
    return (canvas_HWC + random.normal(0, 1, canvas_HWC.shape)).clip(0, 255).astype(np.uint8)


def _sound(*, seed: int, seconds: int) -> NDArray[np.float32]:
    """A gliding tone in noise."""
    random = np.random.default_rng(seed)
    time = np.arange(seconds * RATE) / RATE
    tone = np.sin(2 * np.pi * (200 + 80 * seed + 60 * time) * time)
    return (0.3 * tone + 0.05 * random.standard_normal(len(time))).clip(-1, 1).astype(np.float32)
