"""A pretraining run as it is: the share of a step that is neither the model nor reading clips."""

import tempfile
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from benchmarks import footage
from benchmarks.models import fresh, small_training
from benchmarks.part import Limit, Part, Setting, Variant, Work
from cavmae_sync.data import PairDataset
from cavmae_sync.training import Callbacks, Pretraining, RunFolder, World
from cavmae_sync.training.masks import MaskedBatch

_WARM_UP_STEPS = 3


class _TimedRun(Pretraining):
    """A run on the CPU that counts the seconds in its passes and updates, and those in which it reads."""

    model_seconds, reading_seconds = 0.0, 0.0

    def _batches(self) -> Iterator[MaskedBatch]:
        source = super()._batches()
        while True:
            began = time.perf_counter()
            batch = next(source, None)
            self.reading_seconds += time.perf_counter() - began
            if batch is None:
                return
            yield batch

    def timed(self, call: Callable[..., Tensor]) -> Callable[..., Tensor]:
        """The function, whose seconds count as the model's."""

        def counted(*arguments: Any, **named: Any) -> Tensor:
            began = time.perf_counter()
            result = call(*arguments, **named)
            self.model_seconds += time.perf_counter() - began
            return result

        return counted


def steps(setting: Setting, *, num_workers: int) -> Work:
    """Steps of the demo's model with all that belongs to them: masks, copies, losses read, the log."""
    clips = footage.prepared_stage(setting)
    num_steps = setting.pick(40, 2 + _WARM_UP_STEPS)
    config = small_training(min(32, len(clips)))
    # Validations and checkpoints come now and then, and are no part of a step.
    loop = {"num_steps": num_steps, "num_workers": num_workers, "validate_every_steps": num_steps}
    config = config.model_copy(update={"loop": config.loop.model_copy(update=loop)})

    def repeat() -> dict[str, float]:
        moments: list[tuple[float, float, float]] = []
        with tempfile.TemporaryDirectory() as folder:
            training = _TimedRun(
                config,
                model=fresh(config.model, setting),
                train=PairDataset(clips, inputs=config.model.inputs),
                validation=None,
                world=World(rank=0, num_processes=1, device=torch.device("cpu")),
                run=RunFolder.create(Path(folder), config, {}),
                callbacks=Callbacks(
                    on_step=lambda _: moments.append(
                        (time.perf_counter(), training.model_seconds, training.reading_seconds)
                    )
                ),
            )
            training.passes.gradients = training.timed(training.passes.gradients)
            training.updater.update = training.timed(training.updater.update)
            training.run()
        first, last = moments[_WARM_UP_STEPS - 1], moments[-1]
        total, model, reading = (after - before for before, after in zip(first, last, strict=True))
        return {"reading": reading / total, "outside the model": (total - model - reading) / total}

    return Work(repeat=repeat, units=num_steps, warm_up=lambda: None)


def _stage(setting: Setting) -> None:
    footage.prepared_stage(setting)


PART = Part(
    name="step-path",
    title="run of the demo's model, batch 32, with all that belongs to a step",
    unit="step",
    rounds=3,
    prepare=_stage,
    variants=(
        Variant(name="read in the training process", make=partial(steps, num_workers=0), is_set_up=True),
        Variant(name="1 worker", make=partial(steps, num_workers=1), is_set_up=True),
    ),
    limits=tuple(
        Limit(
            variant=variant,
            number="outside the model",
            most=0.03,
            says="share of a step that is neither passes, update nor reading",
        )
        for variant in ("read in the training process", "1 worker")
    ),
    note="Beginning a run and its one checkpoint are part of the time; the shares are of the steps alone.",
)
