"""Measurements of `benchmarks.accelerator`, in the order in which they are worth their time."""

import statistics
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Literal

import torch
from torch import Tensor
from torch.nn import functional as F

from benchmarks.gaps import gaps_of
from benchmarks.machine import num_cores
from benchmarks.models import base_training, clip_inputs, small_training
from benchmarks.parts.training import needed_operations, noise_batch
from cavmae_sync.choices import Precision, TrainingPrecision
from cavmae_sync.compute import float32_products_in
from cavmae_sync.compute.product_rate import product_rate
from cavmae_sync.data import ClipOrder, ClipSampler, PairDataset, PrepareConfig, PreparedDataset, prepare
from cavmae_sync.data.draws import Purpose
from cavmae_sync.data.loading import make_loader
from cavmae_sync.embedding import Embedder
from cavmae_sync.losses import gather_nothing
from cavmae_sync.model import CAVMAESync
from cavmae_sync.model.block import compile_blocks
from cavmae_sync.model.flops import embedding_flops
from cavmae_sync.paper import CLIP_SECONDS, NUM_FRAMES
from cavmae_sync.recipes import run_pretraining
from cavmae_sync.stage import StageConfig, make_stage
from cavmae_sync.tasks.retrieval.matches import find_matches
from cavmae_sync.training import MaskedPairs, MaskSampler, PretrainConfig, read_metrics
from cavmae_sync.training.optim import Updater
from cavmae_sync.training.step import PretrainStep

Numbers = Mapping[str, float]

#: Way of float32 products that a row names: exactly, or by TF32 (on CUDA).
_FLOAT32: Mapping[str, Literal["highest", "high"]] = {"float32": "highest", "TF32": "high"}
_SECONDS, _BLOCKS = 3.0, 5
#: Rows, inner and outer width of a product that fills a large device: fc1 of 512 frames.
_LARGE_PRODUCT = (512 * 196, 768, 3072)


@dataclass(frozen=True, kw_only=True, slots=True)
class Place:
    """Where everything is measured.

    Attributes:
        device: The device.
        folder: Temporary folder.
        small: Whether models are small and repeats few, to see that everything works.
    """

    device: torch.device
    folder: Path
    small: bool

    def config(self, batch_size: int) -> PretrainConfig:
        """The published model, or the small one."""
        return small_training(8) if self.small else base_training(batch_size)

    def model(self, config: PretrainConfig) -> CAVMAESync:
        """A model with random weights on the device: speed does not depend on them."""
        return CAVMAESync(config.model, generator=torch.Generator().manual_seed(0)).to(self.device)

    def wait(self) -> None:
        """Wait until the device has finished, so that a clock can be read."""
        if self.device.type != "cpu":
            torch.accelerator.synchronize(self.device)


@dataclass(frozen=True, kw_only=True, slots=True)
class Job:
    """One measurement: `measure` gives numbers by name."""

    section: str
    name: str
    measure: Callable[[Place], Numbers]


def all_jobs(place: Place) -> Iterator[Job]:
    """All measurements, the most telling first."""
    exact = ("TF32", "float32") if place.device.type == "cuda" else ("float32",)
    for name in ("bfloat16", *exact, "float16"):
        yield Job(section="products", name=name, measure=partial(_products, kind=name))
    for size in (64, 128, 256, 512):
        yield _step_job("bfloat16", size)
    yield _step_job("bfloat16", 64, is_compiled=True)
    yield _step_job("bfloat16", 256, is_compiled=True)
    for name in exact:
        yield _step_job(name, 64)
    for name, compiled in (("eager", False), ("compiled", True)):
        yield Job(
            section="gaps in a step of 64 pairs", name=name, measure=partial(_gaps, is_compiled=compiled)
        )
    yield Job(section="whole loop", name="pretrain, batch 64", measure=_loop)
    for workers in sorted({1, 4, max(1, num_cores() - 1)}):
        yield Job(
            section="readers", name=f"{workers} readers", measure=partial(_readers, num_workers=workers)
        )
    for precision in ("bfloat16", "float32"):
        yield Job(section="features", name=precision, measure=partial(_features, precision=precision))
    for clips in (1_545, 20_000):
        yield Job(section="retrieval", name=f"{clips:,} clips", measure=partial(_retrieval, num_clips=clips))


def _step_job(kind: str, batch_size: int, *, is_compiled: bool = False) -> Job:
    return Job(
        section="step",
        name=f"{kind}, batch {batch_size}, {'compiled' if is_compiled else 'eager'}",
        measure=partial(_step, kind=kind, batch_size=batch_size, is_compiled=is_compiled),
    )


def _seconds_of(call: Callable[[], object], place: Place) -> float:
    """Seconds of a call: median of blocks of calls, between which the device is waited for."""
    call()
    place.wait()
    began = time.perf_counter()
    call()
    place.wait()
    once = max(time.perf_counter() - began, 1e-6)
    repeats = 1 if place.small else max(1, round(_SECONDS / _BLOCKS / once))
    blocks: list[float] = []
    for _ in range(2 if place.small else _BLOCKS):
        began = time.perf_counter()
        for _ in range(repeats):
            call()
        place.wait()
        blocks.append((time.perf_counter() - began) / repeats)
    return statistics.median(blocks)


def _products(place: Place, *, kind: str) -> Numbers:
    shape = (512, 64, 256) if place.small else _LARGE_PRODUCT
    precision: Precision = "float32" if kind in _FLOAT32 else kind
    rate = product_rate(
        place.device, precision=precision, shape=shape, float32_products=_FLOAT32.get(kind, "highest")
    )
    return {"TFLOP/s": rate / 1e12}


class _Stepper:
    """A step on noise that lies on the device: forward, backward, update."""

    def __init__(self, place: Place, *, kind: str, batch_size: int, is_compiled: bool) -> None:
        self.config = place.config(batch_size)
        self.precision: TrainingPrecision = "float32" if kind in _FLOAT32 else kind
        model = place.model(self.config)
        if is_compiled:
            compile_blocks(model)
        self.step = PretrainStep(model, self.config.losses, precision=self.precision, gather=gather_nothing)
        self.updater = Updater(model.parameters(), self.config.optim, precision=self.precision)
        self.batch = noise_batch(self.config, place.device)

    def __call__(self) -> None:
        segments, frames, masks = self.batch
        self.updater.backward(self.step(segments, frames, masks).total)
        self.updater.update(learning_rate=self.config.optim.learning_rate)


def _step(place: Place, *, kind: str, batch_size: int, is_compiled: bool) -> Numbers:
    _forget_peak(place)
    with ExitStack() as stack:
        stack.enter_context(float32_products_in(_FLOAT32.get(kind, "highest")))
        began = time.perf_counter()
        stepper = _Stepper(place, kind=kind, batch_size=batch_size, is_compiled=is_compiled)
        stepper()
        place.wait()
        first = time.perf_counter() - began
        seconds = _seconds_of(stepper, place)
    pairs = stepper.config.loop.batch_size
    return {
        "ms per step": 1000 * seconds,
        "pairs per second": pairs / seconds,
        "TFLOP/s needed": needed_operations(stepper.config) / seconds / 1e12,
        "seconds until the first step": first,
        **_peak(place),
    }


def _gaps(place: Place, *, is_compiled: bool) -> Numbers:
    stepper = _Stepper(place, kind="bfloat16", batch_size=64, is_compiled=is_compiled)
    for _ in range(3):
        stepper()
    place.wait()
    return gaps_of(stepper, place.device, num_steps=2 if place.small else 10)


def _features(place: Place, *, precision: Precision) -> Numbers:
    config = place.config(64).model
    embedder = Embedder(
        place.model(place.config(64)).eval(), device=place.device, precision=precision, batch_size=256
    )
    frames, segments = clip_inputs(config)
    num_clips = 2 if place.small else 16
    many = [rows.repeat(num_clips, *[1] * (rows.ndim - 1)) for rows in (frames, segments)]
    _forget_peak(place)

    def embed() -> None:
        embedder.embed_frames(many[0])
        embedder.embed_segments(many[1])

    seconds = _seconds_of(embed, place) / num_clips
    operations = embedding_flops(config, num_frames=NUM_FRAMES, num_segments=NUM_FRAMES)
    return {
        "clips per second": 1 / seconds,
        "TFLOP/s at most": operations / seconds / 1e12,  # equal windows are computed once
        **_peak(place),
    }


def _dataset(place: Place) -> PreparedDataset:
    """Generated clips, prepared as published (small: 96 pixels)."""
    folder = place.folder / "dataset"
    if not (folder / "dataset.json").is_file():
        pixels = 96 if place.small else 224
        stage = StageConfig(frame_pixels=pixels, clip_seconds=2.0 if place.small else CLIP_SECONDS)
        workers = num_cores()
        make_stage(
            place.folder / "stage", config=stage, num_clips=12 if place.small else 96, num_workers=workers
        )
        prepare(
            place.folder / "stage" / "clips",
            out=folder,
            config=PrepareConfig(frame_pixels=pixels),
            num_workers=workers,
        )
    return PreparedDataset.open(folder)


def _readers(place: Place, *, num_workers: int) -> Numbers:
    """Items that readers deliver to nobody."""
    clips, config = _dataset(place), place.config(64)
    size = min(config.loop.batch_size, len(clips))
    loader = make_loader(
        MaskedPairs(
            PairDataset(clips, inputs=config.model.inputs),
            MaskSampler(config.model, config.masking, seed=0, purpose=Purpose.MASK),
        ),
        sampler=ClipSampler(ClipOrder(len(clips), seed=0), batch_size=size),
        num_workers=num_workers,
    )
    batches = iter(loader)
    for _ in range(2 * num_workers + 1):  # what was read ahead while they started
        next(batches)
    began, count = time.perf_counter(), 0
    while time.perf_counter() - began < (0.2 if place.small else 2 * _SECONDS):
        count += len(next(batches).pairs)
    rate = count / (time.perf_counter() - began)
    return {"items per second": rate, "per reader": rate / num_workers}


def _loop(place: Place) -> Numbers:
    """`cavmae-sync pretrain` with its own defaults, on clips that are in the page cache."""
    clips, config = _dataset(place), place.config(64)
    every = 2 if place.small else 20
    changes = {
        "batch_size": min(config.loop.batch_size, len(clips)),
        "num_steps": 3 * every,
        "log_every_steps": every,
        "validate_every_steps": 10**6,
    }
    run = run_pretraining(
        config.model_copy(update={"loop": config.loop.model_copy(update=changes)}),
        data=clips.folder,
        out=place.folder / "run",
        device=place.device.type,
    ).run
    row = next(row for row in reversed(read_metrics(run.metrics)) if row["kind"] == "train")
    return {"pairs per second": row["clips_per_second"], "waiting share": row["waiting_fraction"]}


def _retrieval(place: Place, *, num_clips: int) -> Numbers:
    count = num_clips // 20 if place.small else num_clips
    generator = torch.Generator().manual_seed(0)

    def vectors() -> Tensor:
        rows = torch.randn(count, NUM_FRAMES, 768, generator=generator, dtype=torch.float32)
        return F.normalize(rows, dim=-1).half().to(place.device)

    audio, visual = vectors(), vectors()
    seconds = _seconds_of(lambda: find_matches(audio, visual).ranks("mean"), place)
    return {"seconds, both directions": seconds, "TFLOP/s": 2 * count**2 * NUM_FRAMES * 768 / seconds / 1e12}


def _forget_peak(place: Place) -> None:
    if place.device.type == "cuda":
        torch.cuda.reset_peak_memory_stats(place.device)


def _peak(place: Place) -> Numbers:
    if place.device.type != "cuda":
        return {}
    return {"GiB at most": torch.cuda.max_memory_allocated(place.device) / 2**30}
