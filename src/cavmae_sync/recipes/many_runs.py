"""Several pretraining runs side by side: one process and one thread each.

An experiment is many runs of a small model, for example one for each seed. They share nothing, so they use
all cores better than one run after the other.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from cavmae_sync.errors import TrainingError
from cavmae_sync.recipes.run import RunResult, continue_pretraining, run_pretraining
from cavmae_sync.training import Callbacks, PretrainConfig, RunFolder, is_resolved_from
from cavmae_sync.work.side_by_side import JobLink, JobState, OnStates, num_fitting, run_side_by_side

#: Memory of a run of a small model besides its frames: libraries, weights, activations of a batch.
_BYTES_BESIDE_FRAMES = 1536 * 2**20


@dataclass(frozen=True, kw_only=True, slots=True)
class PlannedRun:
    """Pretraining run that begins, or goes on if its folder holds it already.

    Attributes:
        config: Configuration of the run.
        data: Prepared dataset to learn from.
        out: Folder of the run.
        validation: Held-out prepared dataset; None validates nothing.
        init: Weights to start from; None starts from fresh ones.
        device: "cpu", "cuda" or "mps"; None takes the best there is.
    """

    config: PretrainConfig
    data: Path
    out: Path
    validation: Path | None = None
    init: Path | None = None
    device: str | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class FinishedRun:
    """Run of several, when it ended: its folder, the steps made, and whether it reached its end."""

    out: Path
    num_steps: int
    is_complete: bool


def run_many(
    runs: Sequence[PlannedRun],
    *,
    num_processes: int | None = None,
    on_states: OnStates = lambda _: None,
    should_stop: Callable[[], bool] = lambda: False,
) -> list[FinishedRun]:
    """Train several models side by side, each on one thread in a process of its own.

    Args:
        runs: What to train, each with a folder of its own.
        num_processes: Most runs at a time; None takes as many as there are cores and memory for.
        on_states: Called with the states of all runs whenever one has made a step.
        should_stop: Asked a few times a second; after it says yes, runs save and stop, and no other begins.

    Returns:
        The runs that began, in the order given.

    Raises:
        ValueError: Two runs have the same folder.
        TrainingError: A run failed; the others have saved and stopped.
    """
    names = [str(run.out) for run in runs]
    if len(set(names)) != len(names):
        raise ValueError("each run needs a folder of its own")
    if not runs:
        return []
    finished = run_side_by_side(
        _train,
        list(zip(names, runs, strict=True)),
        num_processes=num_processes or num_runs_fitting(runs),
        on_states=on_states,
        should_stop=should_stop,
    )
    return [finished[name] for name in names if name in finished]


def num_runs_fitting(runs: Sequence[PlannedRun]) -> int:
    """Number of these runs for which there are cores and memory now, at least one."""
    frames = max((run.config.loop.frame_memory_mib for run in runs), default=0) * 2**20
    return num_fitting(bytes_each=frames + _BYTES_BESIDE_FRAMES, most=len(runs))


def progress(states: Sequence[JobState]) -> tuple[int, int]:
    """Steps made by all runs, and steps of all; runs that have not begun count as the mean of the others."""
    begun = [state.total for state in states if state.total]
    return sum(state.done for state in states), round(sum(begun) * len(states) / max(len(begun), 1))


def begin_or_continue(run: PlannedRun, *, callbacks: Callbacks | None = None) -> RunResult:
    """Train to the end, from the start or from where the folder's run is.

    Raises:
        TrainingError: The folder holds a run with another configuration or start.
    """
    if (run.out / "config.json").exists():
        _check_same(RunFolder.open(run.out), run.config, init=run.init)
        return continue_pretraining(
            run.out, data=run.data, validation=run.validation, device=run.device, callbacks=callbacks
        )
    return begin(run, callbacks=callbacks)


def begin(run: PlannedRun, *, callbacks: Callbacks | None = None) -> RunResult:
    """Train to the end, from the start.

    Raises:
        TrainingError: The folder holds a run.
    """
    return run_pretraining(
        run.config,
        data=run.data,
        out=run.out,
        validation=run.validation,
        init=run.init,
        device=run.device,
        callbacks=callbacks,
    )


def _train(run: PlannedRun, link: JobLink) -> FinishedRun:
    """Train one of several runs, in its own process."""
    callbacks = Callbacks(
        on_step=lambda report: link.tell(report.step, report.num_steps, f"loss {report.total_loss:.3f}"),
        should_stop=link.should_stop,
    )
    result = begin_or_continue(run, callbacks=callbacks)
    return FinishedRun(out=run.out, num_steps=result.num_steps, is_complete=result.is_complete)


def _check_same(run: RunFolder, config: PretrainConfig, *, init: Path | None) -> None:
    """Raise if a run began in another way. Weights are compared by file name, since folders may move."""
    began_with = run.environment()["init"]
    names = [path and Path(path).name for path in (began_with, init)]
    is_same = is_resolved_from(run.config(), config)
    if is_same and names[0] == names[1]:
        return
    what = (
        f"began with the weights {began_with}, not {init}"
        if is_same
        else f"has another configuration than {config.name} has now"
    )
    raise TrainingError(f"{run.path} holds a run that {what}. Move it away, or use another --out.")
