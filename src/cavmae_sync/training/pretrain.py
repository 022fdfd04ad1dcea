"""The pretraining loop.

One step: a share of the batch -> masks -> losses of each part -> gradients -> update. Everything random
follows from the seed and the number of the step, so a run goes on from that number alone.

K accumulated parts of a step, L losses.
"""

import time
from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from typing import Any

import torch

from cavmae_sync.data import ClipOrder, ClipSampler, PairDataset, make_loader, read_weights
from cavmae_sync.data.draws import Purpose
from cavmae_sync.data.loading.blocks import BlockOrder
from cavmae_sync.losses import LossConfig
from cavmae_sync.model import CAVMAESync
from cavmae_sync.model.block import compile_blocks
from cavmae_sync.training.auto_values import resolve_by_device
from cavmae_sync.training.callbacks import Callbacks, StepReport
from cavmae_sync.training.checkpoints import Checkpoints
from cavmae_sync.training.config import PretrainConfig
from cavmae_sync.training.device_batches import on_device
from cavmae_sync.training.distributed import World
from cavmae_sync.training.log_interval import LogInterval
from cavmae_sync.training.masks import MaskedBatch, MaskedPairs, MaskSampler
from cavmae_sync.training.optim import Updater
from cavmae_sync.training.passes import Passes
from cavmae_sync.training.run_checks import check_resumes, check_sizes
from cavmae_sync.training.run_folder import RunFolder
from cavmae_sync.training.run_log import RunLog
from cavmae_sync.training.schedule import learning_rate_at
from cavmae_sync.training.step import PretrainStep
from cavmae_sync.training.step_rows import ROW_NAMES, TOTAL, StepRows, UnreadStep
from cavmae_sync.training.validation import validate
from cavmae_sync.training.weight_average import WeightAverage


class Pretraining:
    """A run in progress.

    Args:
        config: What runs.
        model: Fresh or preloaded weights; a checkpoint in `run` replaces them.
        train: Clips to learn from, or what is left of them after filtering.
        validation: Held-out clips; None validates nothing.
        world: This process among all.
        run: Where to write.
        callbacks: Functions that are called while it trains.

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
        config, _ = resolve_by_device(config, world.device)
        check_sizes(config, num_clips=len(train), num_processes=world.num_processes)
        self.config, self.train, self.validation = config, train, validation
        self.world, self.run_folder, self.callbacks = world, run, callbacks or Callbacks()
        self.model = model.to(world.device)
        self.model.recompute_blocks(recompute=config.loop.checkpoint_activations)
        if config.loop.compile == "on":
            compile_blocks(self.model)
        moments = config.loop.moments_per_clip
        module = self._step_module(self.model, config.losses, moments_per_clip=moments)
        self.passes = Passes(module, config, world=world)
        self.updater = Updater(module.parameters(), config.optim, precision=config.loop.decided_precision)
        self.average = WeightAverage(self.model, decay=config.optim.ema_decay)
        self.masks = MaskSampler(config.model, config.masking, seed=config.seed, purpose=Purpose.MASK)
        self.order = _clip_order(config, num_clips=len(train))
        self.steps_per_epoch = len(train) // config.loop.clips_per_step
        self.num_steps = config.loop.num_steps or config.loop.num_epochs * self.steps_per_epoch
        self.step, self.saved_step, self.best_loss = 0, 0, float("inf")
        self.interval, self.rows = LogInterval(), StepRows(rank=world.rank)
        self.checkpoints = Checkpoints(
            run,
            config=config.model,
            num_frames=train.clips.num_frames,
            keep=config.loop.keep_checkpoints,
        )
        self._restore()

    def run(self) -> bool:
        """Train to the end, or until asked to stop.

        Returns:
            Whether the run is complete.

        Raises:
            NonFiniteLossError: The loss or its gradients became NaN or infinite.
        """
        with ExitStack() as files:
            log: RunLog | None = None
            if self.world.is_main:
                log = files.enter_context(RunLog(self.run_folder, first_step=self.step))
                files.enter_context(self.checkpoints)
            self._train(log)
        self.world.wait()  # for the main process and its files
        return self.step >= self.num_steps

    def _train(self, log: RunLog | None) -> None:
        self.interval.restart_clock()
        first_step, stops = self.step + 1, False
        for batch in self.interval.timed(self._batches()):
            self._train_step(batch)
            # The first step is read at once: what is wrong from the start need not wait.
            is_read = self._is_read() or self.step == first_step
            if is_read:
                self._read_steps()
            self._after_step(log)
            stops = self.callbacks.should_stop() or stops
            # A signal may reach one process only; all must stop after the same step.
            if is_read and self.world.any(stops):
                if self.saved_step != self.step:
                    self._save()
                return

    def _batches(self) -> Iterator[MaskedBatch]:
        sampler = ClipSampler(
            self.order,
            batch_size=self.config.loop.clips_per_step,
            first_batch=self.step,
            stop_batch=self.num_steps,
            rank=self.world.rank,
            num_processes=self.world.num_processes,
        )
        loader = make_loader(
            MaskedPairs(self.train, self.masks),
            sampler=sampler,
            num_workers=self.config.loop.num_readers,
            device=self.world.device,
        )
        yield from on_device(loader, self.world.device)

    # ---- one step ----------------------------------------------------------------------------------------

    def _train_step(self, batch: MaskedBatch) -> None:
        """Make one update. Its numbers stay on the device: a step waits for nothing."""
        losses_KL = self.passes.gradients(batch.pairs, batch.masks, backward=self.updater.backward)
        learning_rate = learning_rate_at(
            self.step,
            config=self.config.optim,
            num_steps=self.num_steps,
            steps_per_epoch=self.steps_per_epoch,
        )
        norm = self.updater.update(learning_rate=learning_rate)
        self.step += 1
        self.average.add(self.model, step=self.step)
        self.interval.count(clips=self.config.loop.clips_per_step)
        self.rows.add(
            UnreadStep(
                step=self.step,
                losses_KL=losses_KL,
                norm=norm,
                learning_rate=learning_rate,
                clip_ids=batch.pairs.clip_ids,
            )
        )

    # ---- after a step ------------------------------------------------------------------------------------

    def _is_read(self) -> bool:
        """Whether the numbers of the steps are read: now and then, and before anything is written."""
        return (
            self._is_due(self.config.loop.decided_reading)
            or self._logs()
            or self._validates()
            or self._saves()
        )

    def _read_steps(self) -> None:
        for row in self.rows.read(loss_scale=self.updater.loss_scale):
            self.interval.add(row)
        self.checkpoints.check()

    def _after_step(self, log: RunLog | None) -> None:
        """Report, log, validate and save, each when it is due."""
        if self.world.is_main:
            self.callbacks.on_step(self._step_report())
        if self._logs():
            self._log_interval(log)
        began = time.perf_counter()
        if self._validates():
            self._validate(log)
            self.world.wait()
        if self._saves():
            self._save()
        self.interval.pause(time.perf_counter() - began)

    def _logs(self) -> bool:
        return self._is_due(self.config.loop.log_every_steps)

    def _validates(self) -> bool:
        return self._is_due(self.config.loop.validate_every_steps or self.steps_per_epoch)

    def _saves(self) -> bool:
        every = self.config.loop.checkpoint_every_steps
        return self._validates() if every is None else self._is_due(every)

    def _is_due(self, every_steps: int) -> bool:
        return self.step % every_steps == 0 or self.step == self.num_steps

    def _step_report(self) -> StepReport:
        return StepReport(
            step=self.step,
            num_steps=self.num_steps,
            epoch=self.step // self.steps_per_epoch,
            total_loss=float(self.interval.last[TOTAL]),
            clips_per_second=self.interval.clips_per_second,
            waiting_fraction=self.interval.waiting_fraction,
        )

    def _log_interval(self, log: RunLog | None) -> None:
        """Write the mean of the steps since the last row, over all processes, and begin anew."""
        row = self.world.mean(self.interval.mean())
        values = dict(zip(ROW_NAMES, row.tolist(), strict=True)) | {
            "epoch": self.step / self.steps_per_epoch,
            "clips_per_second": self.interval.clips_per_second,
            "waiting_fraction": self.interval.waiting_fraction,
        }
        if self.updater.loss_scale is not None:
            values["loss_scale"] = self.updater.loss_scale
        if log is not None:
            log.write("train", step=self.step, values=values)
        self.interval.clear()

    # ---- validation --------------------------------------------------------------------------------------

    def _validate(self, log: RunLog | None) -> None:
        """Losses under fixed masks and shared evaluators, in all processes; the rest in the main one."""
        model = self._whole_model()
        values = None if self.validation is None else self._validation_losses(model, self.validation)
        model.eval()
        shared = {
            name: evaluator(model, self.world) for name, evaluator in self.callbacks.shared_evaluators.items()
        }
        if log is not None:
            self._log_validation(log, model, values, shared)
        model.train()

    def _whole_model(self) -> CAVMAESync:
        """The model that is measured and written, which all processes ask for together.

        That is the model itself, or a copy where its parameters are shared out or an average is kept.
        """
        is_shared_out = self.config.loop.parallel == "fsdp" and self.world.num_processes > 1
        if not is_shared_out and not self.average.is_kept:
            return self.model
        state = self.world.whole(self.average.state_of(self.model))
        return CAVMAESync.with_weights(self.config.model, state).to(self.world.device)

    def _log_validation(
        self,
        log: RunLog,
        model: CAVMAESync,
        values: dict[str, float] | None,
        shared: Mapping[str, Mapping[str, float]],
    ) -> None:
        if values is not None:
            log.write("validation", step=self.step, values=values)
            if values["total"] < self.best_loss:
                self.best_loss = values["total"]
                self.checkpoints.save_best(model.state_dict())
        of_main = {name: evaluator(model) for name, evaluator in self.callbacks.evaluators.items()}
        for name, numbers in {**shared, **of_main}.items():
            log.write(name, step=self.step, values=numbers)
        for name, make_figure in self.callbacks.figures.items():
            log.figure(name, make_figure(model), step=self.step)

    def _validation_losses(self, model: CAVMAESync, dataset: PairDataset) -> dict[str, float]:
        # One softmax compares a shard, as in training, whatever the number of processes.
        batch_size = self.config.losses.contrast.shard_size or self.config.loop.batch_size
        contrast = self.config.losses.contrast.model_copy(update={"negatives": "local"})
        losses = self.config.losses.model_copy(update={"contrast": contrast, "reconstruct_every": 1})
        step = self._step_module(model, losses)
        learned = self.world.whole(self.passes.module.own_parameters())
        with torch.no_grad():
            for name, value in step.own_parameters().items():
                value.copy_(learned[name])
        return validate(
            step,
            dataset,
            batch_size=batch_size,
            masks=MaskSampler(
                self.config.model, self.config.masking, seed=self.config.seed, purpose=Purpose.VALIDATION_MASK
            ),
            world=self.world,
            num_workers=self.config.loop.num_readers,
        )

    def _step_module(
        self, model: CAVMAESync, losses: LossConfig, *, moments_per_clip: int = 1
    ) -> PretrainStep:
        return PretrainStep(
            model,
            losses,
            precision=self.config.loop.decided_precision,
            gather=self.world.gather,
            moments_per_clip=moments_per_clip,
        )

    # ---- checkpoints -------------------------------------------------------------------------------------

    def _save(self) -> None:
        # The mean over all processes: another number of them may go on, and log the mean of these rows.
        rows = list(self.world.mean(torch.stack(self.interval.rows))) if self.interval.rows else []
        whole = self.world.whole(
            {
                "model": self.model.state_dict(),
                "updater": self.updater.state_dict(),
                "average": self.average.state_dict(),
                "own": self.passes.module.own_parameters(),
            }
        )
        if self.world.is_main:
            self.checkpoints.save(
                {
                    **whole,
                    "best_loss": self.best_loss,
                    "rows_since_log": rows,
                    "random_state": torch.get_rng_state(),
                    "num_processes": self.world.num_processes,
                },
                step=self.step,
            )
        self.saved_step = self.step

    def _restore(self) -> None:
        state: dict[str, Any] | None = self.world.from_main(self.run_folder.load_checkpoint)
        if state is None:
            return
        check_resumes(self.config, before=state["num_processes"], now=self.world.num_processes)
        self.model.load_state_dict(self.world.parts(state["model"], like=self.model.state_dict()))
        self.updater.load_state_dict(state["updater"], parts=self.world.parts)
        self.average.load_state_dict(self.world.parts(state.get("average", {}), like=self.model.state_dict()))
        own = self.passes.module.own_parameters()
        with torch.no_grad():
            for name, value in self.world.parts(state.get("own", {}), like=own).items():
                own[name].copy_(value)
        self.step, self.best_loss = state["step"], state["best_loss"]
        # An older version wrote other numbers: its steps since the last row of the log have no mean here.
        self.interval.rows = [row for row in state["rows_since_log"] if len(row) == len(ROW_NAMES)]
        torch.set_rng_state(state["random_state"])


def _clip_order(config: PretrainConfig, *, num_clips: int) -> ClipOrder:
    loop = config.loop
    if loop.read_order == "blocks":
        return BlockOrder(
            num_clips,
            seed=config.seed,
            batch_size=loop.clips_per_step,
            block_clips=loop.read_block_clips,
            buffer_clips=loop.read_buffer_clips,
        )
    weights_N = None if loop.weights_file is None else read_weights(loop.weights_file, num_clips=num_clips)
    return ClipOrder(num_clips, seed=config.seed, weights_N=weights_N)
