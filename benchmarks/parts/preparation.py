"""Videos to prepared clips, and prepared clips to training items."""

import shutil
import time
from functools import partial
from pathlib import Path

import numpy as np
import torch
from PIL import Image

from benchmarks import footage
from benchmarks.models import fresh, small_training
from benchmarks.part import Answer, Limit, Part, Setting, Variant, Work
from benchmarks.textbook import spectrogram, video
from cavmae_sync import paper
from cavmae_sync.data import ClipOrder, ClipSampler, PairDataset, PreparedDataset, make_loader, prepare
from cavmae_sync.data.draws import Purpose
from cavmae_sync.inputs import InputConfig
from cavmae_sync.losses import gather_nothing
from cavmae_sync.media import read_clip
from cavmae_sync.training.masks import Draw, MaskSampler
from cavmae_sync.training.optim import Updater
from cavmae_sync.training.step import PretrainStep

INPUTS = InputConfig()
_MIDDLE = paper.NUM_FRAMES // 2
_FULL_SCALE = 2**15  # of sound in 16 bit


def textbook_preparation(setting: Setting) -> Work:
    """One file after the other: seek to each frame, Pillow, one file per frame, sound, spectrogram."""
    paths = footage.videos(setting, "360p")
    times = [read_clip(path).frame_seconds_T for path in paths]
    out = setting.folder / "textbook-prepared"

    def repeat() -> None:
        for path, seconds in zip(paths, times, strict=True):
            _store(path, seconds, out / path.stem, clip_seconds=footage.SECONDS)

    def answer() -> Answer:
        folder = out / paths[0].stem
        frames = [np.asarray(Image.open(path)) for path in sorted(folder.glob("*.jpg"))]
        return {"frames": _rows(np.stack(frames)), "log_mel": np.load(folder / "mel.npy")}

    return Work(repeat=repeat, answer=answer, units=len(paths))


def _store(path: Path, seconds: np.ndarray, folder: Path, *, clip_seconds: float) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for index, frame in enumerate(video.frames_by_seeking(path, seconds)):
        image = Image.fromarray(video.square(frame, pixels=paper.FRAME_PIXELS))
        image.save(folder / f"{index:02d}.jpg", quality=92, subsampling=0)
    sound = video.sound(path, seconds=clip_seconds)
    stored = np.clip(np.round(sound * _FULL_SCALE), -_FULL_SCALE, _FULL_SCALE - 1).astype(np.int16)
    np.save(folder / "sound.npy", stored)
    np.save(folder / "mel.npy", spectrogram.log_mel(sound).astype(np.float16))


def preparation(setting: Setting, *, num_workers: int) -> Work:
    """`cavmae-sync prepare`."""
    paths = footage.videos(setting, "360p")
    out = setting.folder / f"prepared-by-{num_workers}"

    def repeat() -> dict[str, float]:
        shutil.rmtree(out, ignore_errors=True)
        began = time.perf_counter()
        prepare(paths[0].parent, out=out, num_workers=num_workers)
        rate = len(paths) / (time.perf_counter() - began)
        return {"clips per second": rate, "clips per second and core": rate / max(num_workers, 1)}

    def answer() -> Answer:
        clips = PreparedDataset.open(out)
        frames = [clips.read_frame(0, frame) for frame in range(clips.num_frames)]
        rows = clips.read_log_mel_rows(0, start=0, stop=clips.num_spectrogram_frames(0))
        return {"frames": _rows(np.stack(frames)), "log_mel": rows}

    return Work(repeat=repeat, answer=answer, units=len(paths))


def naive_items(setting: Setting) -> Work:
    """Open the clip's file, decode all of it, compute the whole spectrogram, take one frame and segment."""
    path = footage.videos(setting, "360p")[0]
    seconds = read_clip(path).frame_seconds_T[_MIDDLE]

    def item() -> tuple[np.ndarray, np.ndarray]:
        frames, times = video.all_frames(path)
        shown = np.searchsorted(times, seconds + 1e-6, side="right") - 1
        frame = video.normalized(video.square(frames[shown], pixels=paper.FRAME_PIXELS))
        return frame, spectrogram.segment(
            video.sound(path, seconds=footage.SECONDS),
            _MIDDLE,
            num_frames=paper.NUM_FRAMES,
            length=INPUTS.segment_length,
            mean=INPUTS.spectrogram_mean,
            std=INPUTS.spectrogram_std,
        )

    def answer() -> Answer:
        frame, segment = item()
        return {"frame": frame.reshape(1, -1), "segment": segment.reshape(1, -1)}

    return Work(repeat=lambda: _nothing(item()), answer=answer)


def items(setting: Setting) -> Work:
    """`PairDataset`: one frame and one stretch of spectrogram are read, and nothing else."""
    dataset = PairDataset(footage.prepared_videos(setting), inputs=INPUTS, frame="middle")

    def repeat() -> None:
        for index in range(len(dataset)):
            dataset[index]

    def answer() -> Answer:
        pair = dataset[0]
        return {
            "frame": pair.normalized_frames().reshape(1, -1).numpy(),
            "segment": pair.segments_PLM.reshape(1, -1).numpy(),
        }

    return Work(repeat=repeat, answer=answer, units=len(dataset))


def waiting(setting: Setting, *, num_workers: int) -> Work:
    """Steps of the demo's model on prepared clips, and the share of their time that is waiting for data."""
    clips = footage.prepared_stage(setting)
    config = small_training(min(32, len(clips)))
    model = fresh(config.model, setting)
    step = PretrainStep(model, config.losses, precision="float32", gather=gather_nothing)
    updater = Updater(model.parameters(), config.optim, precision="float32")
    masks = MaskSampler(config.model, config.masking, seed=0, purpose=Purpose.MASK)
    sampler = ClipSampler(ClipOrder(len(clips), seed=0), batch_size=config.loop.batch_size)
    dataset = PairDataset(clips, inputs=config.model.inputs)
    batches = iter(make_loader(dataset, sampler=sampler, num_workers=num_workers))
    device = torch.device(setting.device)

    def train() -> float:
        began = time.perf_counter()
        batch = next(batches)
        waited = time.perf_counter() - began
        batch = batch.to(device)
        drawn = masks.draw([Draw(0, index) for index in range(len(batch))]).to(device)
        updater.backward(step(batch.segments_PLM, batch.normalized_frames(), drawn).total)
        updater.update(learning_rate=config.optim.learning_rate)
        return waited

    num_steps = setting.pick(20, 2)

    def repeat() -> dict[str, float]:
        began = time.perf_counter()
        waited = sum(train() for _ in range(num_steps))
        return {"waiting fraction": waited / (time.perf_counter() - began)}

    return Work(repeat=repeat, units=num_steps, warm_up=lambda: [train() for _ in range(3)])


def _rows(frames_THWC: np.ndarray) -> np.ndarray:
    return frames_THWC.reshape(len(frames_THWC), -1)


def _nothing(_: object) -> None:
    return None


def _videos(setting: Setting) -> None:
    footage.videos(setting, "360p")


def _prepared(setting: Setting) -> None:
    footage.prepared_videos(setting)


def _stage(setting: Setting) -> None:
    footage.prepared_stage(setting)


PREPARE = Part(
    name="preparation",
    title="preparation of ten-second clips of 640 x 360: decode, resize, JPEG, sound, spectrogram",
    unit="clip",
    rounds=2,
    prepare=_videos,
    variants=(
        Variant(name="textbook", make=textbook_preparation),
        Variant(name="in one process", make=partial(preparation, num_workers=0)),
        Variant(name="1 worker", make=partial(preparation, num_workers=1)),
        Variant(name="2 workers", make=partial(preparation, num_workers=2)),
    ),
    note="Frames of both are JPEG, a few grey levels from each other. Starting workers is part of the time.",
)
ITEMS = Part(
    name="items",
    tolerance=5e-3,
    title="one training item of a ten-second clip of 640 x 360",
    unit="item",
    rounds=3,
    prepare=_prepared,
    variants=(
        Variant(name="textbook, whole file", make=naive_items),
        Variant(name="prepared clip", make=items, target=20),
    ),
    note="The stored frame is JPEG: hence the difference.",
)
WAITING = Part(
    name="waiting",
    title="training step of the demo's model, batch 32, data included",
    unit="step",
    rounds=3,
    prepare=_stage,
    variants=(
        Variant(name="read in the training process", make=partial(waiting, num_workers=0), is_set_up=True),
        Variant(name="1 worker", make=partial(waiting, num_workers=1), is_set_up=True),
    ),
    limits=(
        Limit(
            variant="1 worker",
            number="waiting fraction",
            most=0.05,
            says="share of a step spent waiting for data, one worker",
        ),
    ),
)
