"""`cavmae-sync pretrain`: a dataset to a model."""

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from cavmae_sync.cli.interrupt import stop_on_signal
from cavmae_sync.cli.options import Device, Jobs, Json, Switch, num_jobs, seed_numbers
from cavmae_sync.cli.outputs import check_folder
from cavmae_sync.cli.progress import Advance, show_progress
from cavmae_sync.cli.terminal import Terminal, print_json, print_lines
from cavmae_sync.errors import ConfigError

#: Share of the time that waiting for clips may take before it is mentioned.
_MAX_WAITING = 0.05

if TYPE_CHECKING:
    from cavmae_sync.recipes import RunResult
    from cavmae_sync.recipes.many_runs import PlannedRun
    from cavmae_sync.training import Callbacks, StepReport
    from cavmae_sync.work.side_by_side import JobState


def pretrain(
    recipe: str | None = None,
    /,
    *words: str,
    data: Path | None = None,
    out: Path | None = None,
    validation: Path | None = None,
    init: Path | None = None,
    resume: Path | None = None,
    seeds: str | None = None,
    jobs: Jobs = "auto",
    device: Device = None,
    show_config: Switch = False,
    as_json: Json = False,
) -> None:
    """Pretrain a model on a prepared dataset.

    Ctrl-C saves and stops; --resume RUN goes on from there. Works under torchrun. OUT gets config.json,
    metrics.jsonl, tensorboard/, checkpoints/ and weights.safetensors.

    Recipes: sync_base (published) and its ablations sync_base_mask_60, _mask_90, _multi_mask,
    _no_registers, _registers_4, _registers_16, _no_global_token, _1s to _10s; cavmae_base,
    cavmae_scale_plus, cavmae_scale_plus_plus, cavmae_scale_plus_plus_plus; debug. stage_NAME is the small
    twin of each, for generated clips of 160 pixels on two cores.

    Example: cavmae-sync pretrain debug --data my-dataset --out my-run loop.num_steps=50

    Args:
        recipe: Name of a complete configuration, or the config.json of a run, which repeats it.
        words: `key.path=value` words, for example `model.registers=4`.
        data: Prepared dataset to learn from.
        out: Folder of the run.
        validation: Prepared dataset held out, for losses and retrieval during training.
        init: Weights to start from: .safetensors of ours, .pth of the authors or of an MAE ViT, or their name
            on a hub.
        resume: Folder of a run to go on with; its configuration is used.
        seeds: Train once for each of these seeds, separated by commas; OUT gets a run seed-N for each.
            The same command goes on with what was stopped.
        show_config: Print the complete configuration and stop.
    """
    from cavmae_sync.recipes import find_recipe
    from cavmae_sync.recipes.many_runs import PlannedRun
    from cavmae_sync.training import RunFolder

    if resume is not None:
        if recipe is not None or out is not None or init is not None or seeds is not None:
            raise ConfigError(
                "--resume RUN uses the run's own configuration, folder, seed and start: leave them out."
            )
        if show_config:
            print_lines(RunFolder.open(resume).config().model_dump_json(indent=2))
            return
        _resume(resume, data=data, validation=validation, device=device, as_json=as_json)
        return
    if recipe is None:
        raise ConfigError("Name a recipe (cavmae-sync pretrain --help lists them), or --resume RUN.")
    config = find_recipe(recipe).with_overrides(words)
    if show_config:
        print_lines(config.model_dump_json(indent=2))
        return
    if data is None or out is None:
        raise ConfigError("A new run needs --data DATASET and --out RUN.")
    run = PlannedRun(config=config, data=data, out=out, validation=validation, init=init, device=device)
    if seeds is None:
        _begin(run, as_json=as_json)
    else:
        _train_seeds(run, seed_numbers(seeds), num_processes=num_jobs(jobs), as_json=as_json)


def _begin(planned: "PlannedRun", *, as_json: bool) -> None:
    from cavmae_sync.recipes.many_runs import begin

    with _watched() as callbacks:
        result = begin(planned, callbacks=callbacks)
    _print_result(result, as_json=as_json)


def _resume(
    run: Path, *, data: Path | None, validation: Path | None, device: str | None, as_json: bool
) -> None:
    from cavmae_sync.recipes import continue_pretraining

    with _watched() as callbacks:
        result = continue_pretraining(
            run, data=data, validation=validation, device=device, callbacks=callbacks
        )
    _print_result(result, as_json=as_json)


def _train_seeds(
    planned: "PlannedRun", seeds: Sequence[int], *, num_processes: int | None, as_json: bool
) -> None:
    """Train one model for each seed, side by side."""
    from cavmae_sync.recipes.many_runs import progress, run_many

    check_folder(planned.out, option="--out")
    runs = [
        replace(
            planned,
            config=planned.config.model_copy(update={"seed": seed}),
            out=planned.out / f"seed-{seed}",
        )
        for seed in dict.fromkeys(seeds)
    ]
    with stop_on_signal() as should_stop, show_progress("pretraining") as advance:
        finished = run_many(
            runs,
            num_processes=num_processes,
            on_states=lambda states: advance(*progress(states), _note(states)),
            should_stop=should_stop,
        )
    facts = [
        {"run": str(run.out), "steps": run.num_steps, "is_complete": run.is_complete} for run in finished
    ]
    if as_json:
        print_json({"runs": facts}, indent=None)
    else:
        for run in finished:
            Terminal().print(f"{run.num_steps} steps in {run.out}", soft_wrap=True)
    if not all(run.is_complete for run in finished) or len(finished) < len(runs):
        raise KeyboardInterrupt("stopped and saved. Run the same command again to go on.")


def _note(states: "Sequence[JobState]") -> str:
    """Steps and memory of the runs that have begun."""
    begun = [state for state in states if state.total]
    steps = ", ".join(f"{Path(state.name).name} {state.done}/{state.total} {state.note}" for state in begun)
    peak = max((state.peak_bytes for state in begun), default=0)
    return f"{steps}; at most {peak / 2**30:.1f} GiB each"


def _print_result(result: "RunResult", *, as_json: bool) -> None:
    facts = {"run": str(result.run.path), "steps": result.num_steps, "is_complete": result.is_complete}
    # Under torchrun every process runs this command; one of them prints.
    prints = os.environ.get("RANK", "0") == "0"
    if as_json and prints:
        print_json(facts | {"weights": str(result.run.weights)}, indent=None)
    elif result.is_complete and prints:
        Terminal().print(f"{result.num_steps} steps; weights in {result.run.weights}", soft_wrap=True)
    if prints and (shared := result.run.environment().get("validation_clips_also_in_training")):
        Terminal(stderr=True).print(
            f"note: {shared} clips of --validation are also clips of --data. Validation on them says nothing "
            "of other clips.",
            soft_wrap=True,
        )
    if not result.is_complete:
        raise KeyboardInterrupt(
            f"stopped and saved after step {result.num_steps}. Go on with: "
            f"cavmae-sync pretrain --resume {result.run.path}"
        )


@contextmanager
def _watched() -> Iterator["Callbacks"]:
    from cavmae_sync.training import Callbacks

    with stop_on_signal() as should_stop, show_progress("pretraining") as advance:
        yield Callbacks(
            on_start=lambda line: Terminal(stderr=True).print(line, soft_wrap=True),
            on_step=lambda report: _show(advance, report),
            should_stop=should_stop,
        )


def _show(advance: Advance, report: "StepReport") -> None:
    note = f"loss {report.total_loss:.3f}, {report.clips_per_second:.0f} clips/s"
    if report.waiting_fraction > _MAX_WAITING:
        note += f", {report.waiting_fraction:.0%} of the time waiting for clips (raise loop.num_workers)"
    advance(report.step, report.num_steps, note)
