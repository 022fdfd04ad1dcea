"""The pretraining loop.

One step: a share of the batch -> masks -> losses of each part -> gradients -> update. Everything random
follows from the seed and the number of the step, so a checkpoint needs no more than that number.
"""

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch.nn.parallel import DistributedDataParallel

from cavmae_sync.data import Batch, ClipOrder, ClipSampler, Draw, PairDataset, make_loader, read_weights
from cavmae_sync.data.draws import Purpose
from cavmae_sync.errors import NonFiniteLossError, TrainingError
from cavmae_sync.losses import ContrastConfig
from cavmae_sync.model import CAVMAESync
from cavmae_sync.model.block import compile_blocks
from cavmae_sync.training.config import PretrainConfig
from cavmae_sync.training.distributed import World
from cavmae_sync.training.gradient_cache import PartContrast, compare_parts
from cavmae_sync.training.log_interval import LogInterval
from cavmae_sync.training.masks import MaskSampler, StepMasks
from cavmae_sync.training.optim import Updater
from cavmae_sync.training.run_folder import RunFolder
from cavmae_sync.training.run_log import RunLog
from cavmae_sync.training.schedule import learning_rate_at
from cavmae_sync.training.step import PretrainStep
from cavmae_sync.training.validation import LOSS_NAMES, validate
from cavmae_sync.weights import Provenance, save_model

#: Numbers about a model, by name: retrieval on held-out clips, for example.
Evaluator = Callable[[CAVMAESync], Mapping[str, float]]
#: A function that draws a uint8 HWC figure of what a model does.
FigureMaker = Callable[[CAVMAESync], NDArray[np.uint8]]


@dataclass(frozen=True, kw_only=True, slots=True)
class StepReport:
    """Where a run is: handed to whoever shows progress, after every step.

    `waiting_fraction` is the part of the time, in [0, 1], in which training waited for clips.
    """

    step: int
    num_steps: int
    epoch: int
    total_loss: float
    clips_per_second: float
    waiting_fraction: float


@dataclass(frozen=True, kw_only=True, slots=True)
class Callbacks:
    """Who looks on. Training knows them only as functions.

    Attributes:
        evaluators: Called at each validation, on the main process.
        figures: The same, for figures.
        on_step: Called after each step, on the main process.
        should_stop: Asked after each step; True saves a checkpoint and ends the run early.
    """

    evaluators: Mapping[str, Evaluator] = field(default_factory=dict)
    figures: Mapping[str, FigureMaker] = field(default_factory=dict)
    on_step: Callable[[StepReport], None] = lambda _: None
    should_stop: Callable[[], bool] = lambda: False


class Pretraining:
    """A run in progress.

    Args:
        config: What runs.
        model: Fresh or preloaded weights; a checkpoint in `run` replaces them.
        train: Clips to learn from, or what is left of them after filtering.
        validation: Held-out clips; None validates nothing.
        world: This process among all.
        run: Where to write.
        callbacks: Who looks on.

    Raises:
        TrainingError: There are fewer clips than a batch needs, or processes cannot share the batch.
    """

    def __init__(
        self,
        config: PretrainConfig,
        *,
        model: CAVMAESync,
        train: PairDataset,
        validation: PairDataset | None,
        world: World,
        run: RunFolder,
        callbacks: Callbacks | None = None,
    ) -> None:
        _check_sizes(config, num_clips=len(train), num_processes=world.num_processes)
        self.config, self.train, self.validation = config, train, validation
        self.world, self.run_folder, self.callbacks = world, run, callbacks or Callbacks()
        self.model = model.to(world.device)
        self.model.recompute_blocks(recompute=config.loop.checkpoint_activations)
        if config.loop.compile == "on":
            compile_blocks(self.model)
        self.module = self._step_module(config.losses.contrast)
        self.parallel = world.wrap(
            self.module, has_unused_parameters=config.losses.reconstruction_weight == 0
        )
        self.updater = Updater(model.parameters(), config.optim, precision=config.loop.precision)
        self.masks = MaskSampler(config.model, config.masking, seed=config.seed, purpose=Purpose.MASK)
        self.order = _order(config, num_clips=len(train))
        self.steps_per_epoch = len(train) // config.loop.batch_size
        self.num_steps = config.loop.num_steps or config.loop.num_epochs * self.steps_per_epoch
        self.step, self.saved_step, self.best_loss = 0, 0, float("inf")
        self.interval = LogInterval()
        self._restore()

    def run(self) -> bool:
        """Train to the end, or until asked to stop.

        Returns:
            Whether the run is complete.

        Raises:
            NonFiniteLossError: The loss or its gradients became NaN or infinite.
        """
        log: AbstractContextManager[RunLog | None] = (
            RunLog(self.run_folder, first_step=self.step) if self.world.is_main else nullcontext()
        )
        with log as opened:
            self.interval.restart_clock()
            for batch in self.interval.timed(self._batches()):
                self.interval.add(self._train_step(batch), clips=self.config.loop.batch_size)
                self._report(opened)
                if self.world.any(self.callbacks.should_stop()):
                    if self.saved_step != self.step:
                        self._save()
                    return self.step == self.num_steps
        return True

    def _batches(self) -> Iterator[Batch]:
        sampler = ClipSampler(
            self.order,
            batch_size=self.config.loop.batch_size,
            first_batch=self.step,
            stop_batch=self.num_steps,
            rank=self.world.rank,
            num_processes=self.world.num_processes,
        )
        yield from make_loader(self.train, sampler=sampler, num_workers=self.config.loop.num_workers)

    def _train_step(self, batch: Batch) -> torch.Tensor:
        """One update. Returns a row of losses, learning rate and gradient norm."""
        first = self.world.rank * len(batch)
        masks = self.masks.draw([Draw(self.step, first + k) for k in range(len(batch))], step=self.step)
        batch, masks = batch.to(self.world.device), masks.to(self.world.device)
        parts = self._parts(len(batch))
        rows = []
        for number, compare in enumerate(self._comparisons(batch, masks, parts)):
            part = parts[number]
            with self._gradients_stay(number + 1 < len(parts)):
                losses = self.parallel(
                    batch.segments_PLM[part], batch.frames_PCHW[part], masks.part(part), compare
                )
                self.updater.backward(losses.total / len(parts))
            rows.append(losses.as_row())
        learning_rate = learning_rate_at(
            self.step,
            config=self.config.optim,
            num_steps=self.num_steps,
            steps_per_epoch=self.steps_per_epoch,
        )
        norm = self.updater.update(learning_rate=learning_rate)
        # One transfer, the only time that a step waits for its device. Gradients that are not finite have
        # updated nothing, so it is early enough to look at them here.
        *totals, norm = (
            torch.cat([torch.stack(rows).flatten(), norm.view(1).to(rows[0].dtype)]).cpu().double()
        )
        row = torch.stack(totals).view(len(parts), -1).mean(dim=0)
        self._check(row, norm, batch)
        self.step += 1
        return torch.cat([row, torch.tensor([learning_rate, norm.item()], dtype=torch.float64)])

    def _parts(self, num_pairs: int) -> list[slice]:
        size = num_pairs // self.config.loop.accumulation
        return [slice(start, start + size) for start in range(0, num_pairs, size)]

    def _comparisons(
        self, batch: Batch, masks: StepMasks, parts: list[slice]
    ) -> Sequence[PartContrast | None]:
        """For each part its comparison with all others, or None where it compares its own pairs alone."""
        shard = self.config.losses.contrast.shard_size
        fits = shard is not None and (parts[0].stop - parts[0].start) % shard == 0
        if len(parts) == 1 or fits or self.config.loop.contrast_over == "part":
            return [None] * len(parts)
        return compare_parts(
            lambda part: self.module.embed(
                batch.segments_PLM[part], batch.frames_PCHW[part], masks.part(part)
            ),
            self.module.compare,
            parts,
        )

    def _gradients_stay(self, stay: bool) -> AbstractContextManager[None]:  # noqa: FBT001
        """Between accumulated parts, gradients need not travel."""
        if stay and isinstance(self.parallel, DistributedDataParallel):
            return self.parallel.no_sync()
        return nullcontext()

    def _check(self, row: torch.Tensor, norm: torch.Tensor, batch: Batch) -> None:
        self._check_finite("loss", row[LOSS_NAMES.index("total")], batch)
        if self.updater.loss_scale is None:  # else overflow is expected, skips a step and lowers the scale
            self._check_finite("norm of the gradients", norm, batch)
        elif self.updater.loss_scale < 1:
            raise NonFiniteLossError(
                f"gradients overflow in float16 whatever the loss scale (step {self.step + 1}). Use "
                "loop.precision=bfloat16 or float32, or lower optim.learning_rate."
            )

    def _check_finite(self, what: str, value: torch.Tensor, batch: Batch) -> None:
        if not value.isfinite():
            some = ", ".join(batch.clip_ids[:8])
            raise NonFiniteLossError(
                f"the {what} is {value.item()} in step {self.step + 1} (process {self.world.rank}), in a "
                f"batch with clips {some}{' ...' if len(batch.clip_ids) > 8 else ''}. Lower "
                "optim.learning_rate, set optim.clip_gradient_norm=1, or use loop.precision=float32."
            )

    def _report(self, log: RunLog | None) -> None:
        interval = self.interval
        if self.world.is_main:
            self.callbacks.on_step(
                StepReport(
                    step=self.step,
                    num_steps=self.num_steps,
                    epoch=self.step // self.steps_per_epoch,
                    total_loss=float(interval.last[LOSS_NAMES.index("total")]),
                    clips_per_second=interval.clips_per_second,
                    waiting_fraction=interval.waiting_fraction,
                )
            )
        if self._due(self.config.loop.log_every_steps):
            row = self.world.mean(interval.mean())
            values = dict(zip((*LOSS_NAMES, "learning_rate", "gradient_norm"), row.tolist(), strict=True))
            values |= {
                "epoch": self.step / self.steps_per_epoch,
                "clips_per_second": interval.clips_per_second,
                "waiting_fraction": interval.waiting_fraction,
            }
            if self.updater.loss_scale is not None:
                values["loss_scale"] = self.updater.loss_scale
            if log is not None:
                log.write("train", step=self.step, values=values)
            interval.clear()
        began = time.perf_counter()
        validates = self._due(self.config.loop.validate_every_steps or self.steps_per_epoch)
        if validates:
            self._validate(log)
            self.world.wait()
        every = self.config.loop.checkpoint_every_steps
        if validates if every is None else self._due(every):
            self._save()
        interval.pause(time.perf_counter() - began)

    def _due(self, every_steps: int) -> bool:
        return self.step % every_steps == 0 or self.step == self.num_steps

    def _validate(self, log: RunLog | None) -> None:
        """Fixed-mask losses, shared out; on the main process whatever the callbacks measure and paint."""
        values = None if self.validation is None else self._validation_losses(self.validation)
        if log is None:
            return
        if values is not None:
            log.write("validation", step=self.step, values=values)
            if values["total"] < self.best_loss:
                self.best_loss = values["total"]
                self._save_weights(self.run_folder.best_weights)
        self.model.eval()
        for name, evaluator in self.callbacks.evaluators.items():
            log.write(name, step=self.step, values=evaluator(self.model))
        for name, make_figure in self.callbacks.figures.items():
            log.figure(name, make_figure(self.model), step=self.step)
        self.model.train()

    def _validation_losses(self, dataset: PairDataset) -> dict[str, float]:
        batch_size = self.config.losses.contrast.shard_size or self.config.loop.batch_size
        contrast = self.config.losses.contrast.model_copy(update={"negatives": "local"})
        return validate(
            self._step_module(contrast),
            dataset,
            batch_size=batch_size,
            masks=MaskSampler(
                self.config.model, self.config.masking, seed=self.config.seed, purpose=Purpose.VALIDATION_MASK
            ),
            world=self.world,
        )

    def _step_module(self, contrast: ContrastConfig) -> PretrainStep:
        return PretrainStep(
            self.model,
            self.config.losses.model_copy(update={"contrast": contrast}),
            precision=self.config.loop.precision,
            gather=self.world.gather,
        )

    def _save_weights(self, path: Path) -> None:
        save_model(self.model, path, provenance=Provenance(num_frames=self.train.clips.num_frames))

    def _save(self) -> None:
        # Of all processes: others may go on, and log what these rows and theirs are on average.
        rows = list(self.world.mean(torch.stack(self.interval.rows))) if self.interval.rows else []
        if self.world.is_main:
            self._save_weights(self.run_folder.weights)
            self.run_folder.save_checkpoint(
                {
                    "model": self.model.state_dict(),
                    "updater": self.updater.state_dict(),
                    "best_loss": self.best_loss,
                    "rows_since_log": rows,
                    "random_state": torch.get_rng_state(),
                    "num_processes": self.world.num_processes,
                },
                step=self.step,
                keep=self.config.loop.keep_checkpoints,
            )
        self.saved_step = self.step
        self.world.wait()

    def _restore(self) -> None:
        state: dict[str, Any] | None = self.world.from_main(self.run_folder.load_checkpoint)
        if state is None:
            return
        _check_resumes(self.config, before=state["num_processes"], now=self.world.num_processes)
        self.model.load_state_dict(state["model"])
        self.updater.load_state_dict(state["updater"])
        self.step, self.best_loss = state["step"], state["best_loss"]
        self.interval.rows = state["rows_since_log"]
        torch.set_rng_state(state["random_state"])


def _order(config: PretrainConfig, *, num_clips: int) -> ClipOrder:
    file = config.loop.weights_file
    weights_N = None if file is None else read_weights(file, num_clips=num_clips)
    return ClipOrder(num_clips, seed=config.seed, weights_N=weights_N)


def _check_resumes(config: PretrainConfig, *, before: int, now: int) -> None:
    negatives, loop = config.losses.contrast.negatives, config.loop
    compares_parts = loop.accumulation > 1 and loop.contrast_over == "part"
    if now != before and (negatives == "local" or (negatives == "global" and compares_parts)):
        words = f"losses.contrast.negatives={negatives}" + " loop.contrast_over=part" * compares_parts
        raise TrainingError(
            f"{words}: which clips are compared depends on the number of processes. This run had {before}, "
            f"now there are {now}. Start {before}, or a new run with shard:n negatives, or with global ones "
            "and loop.contrast_over=batch."
        )


def _check_sizes(config: PretrainConfig, *, num_clips: int, num_processes: int) -> None:
    batch_size, parts = config.loop.batch_size, config.loop.accumulation
    if num_clips < batch_size:
        raise TrainingError(
            f"there are {num_clips} training clips, a step needs loop.batch_size={batch_size}. "
            f"Set loop.batch_size={1 << (num_clips.bit_length() - 1)} or less and "
            "losses.contrast.negatives=local, or prepare more videos."
            if num_clips
            else "the training dataset has no clips. Look at its rejected.parquet."
        )
    part, rest = divmod(batch_size, num_processes * parts)
    if rest:
        raise TrainingError(
            f"loop.batch_size={batch_size} must be a multiple of {num_processes} processes times "
            f"loop.accumulation={parts}."
        )
    shard = config.losses.contrast.shard_size
    compared = part * parts if config.loop.contrast_over == "batch" else part
    if shard is not None and compared % shard:
        raise TrainingError(
            f"losses.contrast.negatives=shard:{shard} must divide the {compared} clips that each of "
            f"{num_processes} processes compares at once. Use losses.contrast.negatives=local or global."
        )
