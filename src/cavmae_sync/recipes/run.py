"""Pretraining runs: a configuration and datasets in, a run folder with weights out.

Data, training and evaluation meet here.
"""

import hashlib
import time
from collections.abc import Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

import torch

from cavmae_sync.audit.overlap import shared_clips
from cavmae_sync.compute import keep_freed_memory
from cavmae_sync.data import PairDataset, PreparedDataset
from cavmae_sync.errors import TrainingError
from cavmae_sync.model import CAVMAESync
from cavmae_sync.recipes.run_retrieval import with_retrieval
from cavmae_sync.training import (
    Callbacks,
    PretrainConfig,
    Pretraining,
    RunFolder,
    World,
    check_can_compile,
    describe_arithmetic,
    open_world,
    resolve_auto,
    resolve_by_device,
    training_products_in,
)
from cavmae_sync.training.readers import resolve_readers, share_in_memory, with_memory
from cavmae_sync.weights import find_weights, start_from


@dataclass(frozen=True, kw_only=True, slots=True)
class RunResult:
    """Result of a run: its folder, the steps made, and whether it reached its end."""

    run: RunFolder
    num_steps: int
    is_complete: bool


def run_pretraining(
    config: PretrainConfig,
    *,
    data: Path,
    out: Path,
    validation: Path | None = None,
    init: Path | None = None,
    device: str | None = None,
    callbacks: Callbacks | None = None,
) -> RunResult:
    """Start a new run.

    Under `torchrun` only the main process reads and writes `out` and reads `init`; datasets lie under the
    same path on every machine.

    Args:
        config: Configuration of the run.
        data: Prepared dataset to learn from.
        out: Folder of the run; must not hold one.
        validation: Held-out prepared dataset; None validates nothing.
        init: Weights to start from: ours, the authors', or an MAE ViT with decoder.
        device: "cpu", "cuda" or "mps"; None takes the best there is.
        callbacks: Functions to call while it trains.

    Raises:
        TrainingError: `out` holds a run, another process is training there, there are fewer clips than a
            batch needs, or processes were started with different options.
        DatasetError: A dataset is missing or incomplete.
        WeightsError: `init` does not fit.
    """
    facts = {"clips": PreparedDataset.open(data).list_sha256} | _weights_file_fact(config)
    if validation is not None:
        facts["validation_clips"] = PreparedDataset.open(validation).list_sha256
    with open_world(device) as world, ExitStack() as held:
        world.check_same(_fields(config.model_dump(mode="json")) | facts)

        def begin() -> None:
            environment: dict[str, object] = {
                "data": str(data.absolute()),
                "validation": validation and str(validation.absolute()),
                "validation_clips": None,
                "validation_clips_also_in_training": _num_shared(validation, data),
                "init": init and str(find_weights(init).absolute()),
                "device": str(world.device),
                "num_processes": world.num_processes,
            }
            resolved, reasons = resolve_auto(config, world.device, num_processes=world.num_processes)
            held.enter_context(RunFolder(out).held())
            RunFolder.create(out, resolved, environment | facts | reasons)

        world.from_main(begin)
        return _go_on(RunFolder(out), world, callbacks=callbacks or Callbacks())


def continue_pretraining(
    out: Path,
    *,
    data: Path | None = None,
    validation: Path | None = None,
    device: str | None = None,
    callbacks: Callbacks | None = None,
) -> RunResult:
    """Go on with a run from its newest checkpoint, bit for bit on the CPU.

    Args:
        out: Folder of the run.
        data: New path of its dataset, if it was moved.
        validation: New path of its held-out dataset, if it was moved.
        device: "cpu", "cuda" or "mps"; None takes the best there is.
        callbacks: Functions to call while it trains.

    Raises:
        TrainingError: There is no run, another process is training there, or the dataset is not the one it
            began with.
        ConfigError: Its blocks are compiled, and this machine has no compiler.
    """
    with open_world(device) as world, ExitStack() as held:
        world.from_main(lambda: held.enter_context(RunFolder.open(out).held()))
        return _go_on(
            RunFolder(out), world, data=data, validation=validation, callbacks=callbacks or Callbacks()
        )


def _go_on(
    run: RunFolder,
    world: World,
    *,
    data: Path | None = None,
    validation: Path | None = None,
    callbacks: Callbacks,
) -> RunResult:
    keep_freed_memory()
    began = time.process_time()
    with ExitStack() as settings:
        config, environment = world.from_main(lambda: (run.config(), run.environment()))
        check_can_compile(config, world.device)
        settings.enter_context(training_products_in(config.loop.float32_products, world.device))
        config, _ = resolve_by_device(config, world.device)  # fields that a run of an old version has not
        if world.is_main:
            callbacks.on_start(describe_arithmetic(config, world.device))
        versions = {f"{name} version": version(name) for name in ("cavmae-sync", "torch")}
        world.check_same(versions | _weights_file_fact(config))
        _check_weights_file(config, environment)
        prepared = _open_same(data or environment["data"], environment["clips"], option="--data")
        held_out = None
        if environment["validation"] is not None:
            held_out = _open_same(
                validation or environment["validation"],
                environment["validation_clips"],
                option="--validation",
            )
        config, readers = resolve_readers(config, prepared, world.device)
        prepared = with_memory(prepared, config)
        held_out = held_out and with_memory(held_out, config)
        if world.is_main:
            decided: dict[str, object] = {} if readers is None else {"num_workers": readers}
            run.add_to_environment(decided | {"frames_in_memory": share_in_memory(prepared, config)})
        model = CAVMAESync(config.model, generator=torch.Generator().manual_seed(config.seed))
        if world.is_main and environment["init"] is not None and not run.checkpoints():
            fresh = start_from(model, Path(environment["init"]))
            run.add_to_environment({"fresh_parameters": fresh})
        pretraining = Pretraining(
            config,
            model=model,
            train=_pairs(prepared, config, is_training=True),
            validation=None if held_out is None else _pairs(held_out, config, is_training=False),
            world=world,
            run=run,
            callbacks=with_retrieval(callbacks, held_out, config),
        )
        first = pretraining.step
        is_complete = pretraining.run()
        if world.is_main and pretraining.step > first:
            before, spent = _spent_before(environment, first), time.process_time() - began
            run.add_to_environment(
                {
                    "processor_seconds": None if before is None else round(before + spent, 1),
                    "processor_seconds_until_step": pretraining.step,
                }
            )
    return RunResult(run=run, num_steps=pretraining.step, is_complete=is_complete)


def _spent_before(environment: Mapping[str, Any], step: int) -> float | None:
    """Processor time until a step that a run goes on from; None where a killed part told nothing."""
    if step == 0:
        return 0.0
    is_told = environment.get("processor_seconds_until_step") == step
    return environment["processor_seconds"] if is_told else None


def _num_shared(validation: Path | None, data: Path) -> int:
    if validation is None:
        return 0
    return len(shared_clips(PreparedDataset.open(validation), PreparedDataset.open(data)))


def _fields(values: Mapping[str, Any], path: str = "") -> dict[str, object]:
    """Fields of a configuration by their path, as overrides name them."""
    found: dict[str, object] = {}
    for name, value in values.items():
        found |= _fields(value, f"{path}{name}.") if isinstance(value, dict) else {f"{path}{name}": value}
    return found


def _open_same(folder: Path | str, list_sha256: str, *, option: str) -> PreparedDataset:
    prepared = PreparedDataset.open(folder)
    if prepared.list_sha256 != list_sha256:
        raise TrainingError(
            f"{prepared.folder} holds other clips than the run began with. Give the right one with {option}."
        )
    return prepared


def _weights_file_fact(config: PretrainConfig) -> dict[str, str]:
    """Hash of the file of clip weights; a missing file is reported when it is read."""
    file = config.loop.weights_file
    if file is None or not Path(file).is_file():
        return {}
    return {"weights_file_sha256": hashlib.sha256(Path(file).read_bytes()).hexdigest()}


def _check_weights_file(config: PretrainConfig, environment: Mapping[str, Any]) -> None:
    found = _weights_file_fact(config).get("weights_file_sha256")
    before = environment.get("weights_file_sha256", found)  # an older run has not recorded it
    if found != before:
        raise TrainingError(
            f"{config.loop.weights_file} holds other weights than the run began with, so other clips would "
            "be drawn. Put the file back, or begin a new run."
        )


def _pairs(prepared: PreparedDataset, config: PretrainConfig, *, is_training: bool) -> PairDataset:
    return PairDataset(
        prepared,
        inputs=config.model.inputs,
        seed=config.seed,
        augment=config.augment if is_training else None,
        frame="random" if is_training else "middle",
        moments_per_clip=config.loop.moments_per_clip if is_training else 1,
        shares_moments=config.loop.shares_moments and is_training,
    )
