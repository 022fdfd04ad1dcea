"""What a training costs, and how many steps of it cost as much as the base's.

A budget of "epochs" is the paper's: every row sees the clips equally often. With "compute" a row is trained
for as many steps as cost neither more operations nor more processor time than `sync_base` does in all. Times
of a step are measured for all recipes in turns, in one run, and written down: so the steps of a row are
known, and repeatable, before it is trained.
"""

import itertools
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Final, Literal

import torch
from pydantic import Field

from cavmae_sync.atomic import locked, write_text
from cavmae_sync.config import Config
from cavmae_sync.data.draws import Draw, Purpose
from cavmae_sync.losses import gather_nothing
from cavmae_sync.model import CAVMAESync
from cavmae_sync.model.flops import pretraining_flops
from cavmae_sync.paper import NUM_MELS
from cavmae_sync.recipes.stage_twin import stretched_multistep
from cavmae_sync.training import PretrainConfig
from cavmae_sync.training.masks import MaskSampler
from cavmae_sync.training.optim import Updater
from cavmae_sync.training.step import PretrainStep
from cavmae_sync.untrusted import read_json

Budget = Literal["epochs", "compute"]

#: Steps of each recipe that are timed, after one that is not.
_NUM_TIMED: Final = 12
_FILE: Final = "step_seconds.json"


class StepSeconds(Config):
    """Processor time of a step of each recipe, in seconds, measured in one run."""

    seconds: dict[str, float] = Field(default_factory=dict)
    """Least time by name of the recipe."""


def step_flops(config: PretrainConfig) -> int:
    """Operations of one step, forwards and backwards."""
    pair = pretraining_flops(
        config.model,
        mask_ratio=config.masking.mean_ratio,
        contrastive_mask_ratio=config.masking.mean_contrastive_ratio,
        reconstruct_every=config.losses.reconstruct_every,
    )
    return config.loop.batch_size * pair


def num_epoch_steps(config: PretrainConfig, *, num_clips: int) -> int:
    """Steps of a run whose length is given in epochs."""
    return config.loop.num_epochs * (num_clips // config.loop.clips_per_step)


def with_budget(
    config: PretrainConfig,
    base: PretrainConfig,
    *,
    num_clips: int,
    costs: Sequence[Callable[[PretrainConfig], float]],
) -> PretrainConfig:
    """Configuration with as many steps as cost no more than the base, by any measure of cost.

    A schedule that is counted in epochs keeps its shape: it is shortened or stretched like the run.

    Args:
        config: A run whose length is given in epochs.
        base: The run that sets the budget, likewise.
        num_clips: Clips of the training set.
        costs: Costs of a step, each in a unit of its own.
    """
    num_base = num_epoch_steps(base, num_clips=num_clips)
    num_steps = max(1, round(num_base / max(cost(config) / cost(base) for cost in costs)))
    num_whole = num_epoch_steps(config, num_clips=num_clips)
    if num_steps == num_whole:
        return config
    changed: dict[str, Config] = {"loop": config.loop.model_copy(update={"num_steps": num_steps})}
    if config.optim.schedule == "multistep":
        changed["optim"] = stretched_multistep(config.optim, num_steps / num_whole)
    return config.model_copy(update=changed)


def measured_step_seconds(
    configs: Mapping[str, PretrainConfig], folder: Path, *, on_progress: Callable[[int, int], None]
) -> Mapping[str, float]:
    """Processor time of a step by name, in seconds, measured once for a folder.

    Args:
        configs: Runs by name.
        folder: Where the result is written; if it is there already, nothing is measured.
        on_progress: Called with steps done and steps in all; with none done while another process measures.
    """
    path, num_steps = folder / _FILE, (_NUM_TIMED + 1) * len(configs)
    if not path.exists():
        # One process measures: two would give runs of the same folder other numbers of steps.
        with locked(folder / "steps.lock", on_wait=lambda: on_progress(0, num_steps)):
            if not path.exists():
                _measure_steps(configs, path, on_progress=lambda done: on_progress(done, num_steps))
    return read_json(path, StepSeconds, remedy="Delete it, and all runs of the folder.").seconds


def _measure_steps(
    configs: Mapping[str, PretrainConfig], path: Path, *, on_progress: Callable[[int], None]
) -> None:
    steps = {name: _timed_step(config) for name, config in configs.items()}
    times: dict[str, list[float]] = {name: [] for name in steps}
    for number in range(_NUM_TIMED + 1):
        for done, (name, step) in enumerate(steps.items()):
            began = time.process_time()
            step()
            if number:
                times[name].append(time.process_time() - began)
            on_progress(number * len(steps) + done + 1)
    # The least time: other programs on the machine only ever add to it.
    measured = StepSeconds(seconds={name: min(values) for name, values in times.items()})
    write_text(path, measured.model_dump_json(indent=2) + "\n")


def _timed_step(config: PretrainConfig) -> Callable[[], None]:
    """One whole step on noise: masks, passes, update."""
    generator = torch.Generator().manual_seed(0)
    model = CAVMAESync(config.model, generator=generator)
    module = PretrainStep(
        model,
        config.losses,
        precision="float32" if config.loop.precision == "auto" else config.loop.precision,
        gather=gather_nothing,
        moments_per_clip=config.loop.moments_per_clip,
    )
    updater = Updater(module.parameters(), config.optim, precision=module.precision)
    sampler = MaskSampler(config.model, config.masking, seed=0, purpose=Purpose.MASK)
    inputs, count = config.model.inputs, config.loop.batch_size
    segments = torch.randn(count, inputs.segment_length, NUM_MELS, generator=generator)
    frames = torch.randn(count, 3, inputs.frame_pixels, inputs.frame_pixels, generator=generator)

    steps = itertools.count()

    def step() -> None:
        number = next(steps)  # ratios that are drawn follow from it
        masks = sampler.draw([Draw(number, place) for place in range(count)], step=number)
        losses = module(segments, frames, masks)
        updater.backward(losses.total)
        updater.update(learning_rate=config.optim.learning_rate)

    return step
