"""Several runs side by side: the same runs as one after the other on one thread."""

from dataclasses import replace
from pathlib import Path

import pytest
import torch

from cavmae_sync.errors import TrainingError
from cavmae_sync.recipes import run_pretraining
from cavmae_sync.recipes.many_runs import PlannedRun, progress, run_many
from cavmae_sync.weights import load_model
from cavmae_sync.work.side_by_side import JobState

from ..training.tiny import tiny_run


def planned(data: Path, out: Path, *, seed: int, num_steps: int = 3) -> PlannedRun:
    config = tiny_run(loop={"num_steps": num_steps}).model_copy(update={"seed": seed})
    return PlannedRun(config=config, data=data, out=out / f"seed-{seed}")


def test_runs_are_those_of_one_process(prepared_folder: Path, tmp_path: Path):
    runs = [planned(prepared_folder, tmp_path / "many", seed=seed) for seed in (0, 1)]
    finished = run_many(runs, num_processes=2)
    assert [(run.out, run.num_steps, run.is_complete) for run in finished] == [
        (run.out, 3, True) for run in runs
    ]
    for run in runs:
        alone = run_pretraining(run.config, data=prepared_folder, out=tmp_path / "alone" / run.out.name)
        expected = load_model(alone.run.weights).state_dict()
        found = load_model(run.out / "weights.safetensors").state_dict()
        assert all(torch.equal(found[name], value) for name, value in expected.items())


@pytest.mark.long
def test_a_stopped_run_goes_on_and_other_settings_are_refused(prepared_folder: Path, tmp_path: Path):
    run = planned(prepared_folder, tmp_path, seed=0, num_steps=500)
    begun: list[JobState] = []
    stopped = run_many(
        [run], num_processes=1, on_states=begun.extend, should_stop=lambda: any(state.done for state in begun)
    )
    assert not stopped[0].is_complete
    assert 0 < stopped[0].num_steps < 500
    other = replace(run, config=planned(prepared_folder, tmp_path, seed=1, num_steps=500).config)
    with pytest.raises(TrainingError, match="has another configuration than tiny has now"):
        run_many([other], num_processes=1)
    told: list[JobState] = []
    again = run_many(
        [run], num_processes=1, on_states=told.extend, should_stop=lambda: any(state.done for state in told)
    )
    assert again[0].num_steps > stopped[0].num_steps
    assert told[0].done == stopped[0].num_steps + 1


def test_two_runs_cannot_share_a_folder(prepared_folder: Path, tmp_path: Path):
    run = planned(prepared_folder, tmp_path, seed=0)
    with pytest.raises(ValueError, match="a folder of its own"):
        run_many([run, run])


def test_progress_counts_runs_that_have_not_begun():
    states = [JobState(name="a", done=4, total=10), JobState(name="b"), JobState(name="c", done=1, total=20)]
    assert progress(states) == (5, 45)
