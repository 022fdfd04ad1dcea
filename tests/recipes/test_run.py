"""A run has its folder to itself, and tells the processor time of all its parts, or none."""

import json
import shutil
from pathlib import Path
from typing import Any

import pytest

from cavmae_sync.errors import TrainingError
from cavmae_sync.recipes.many_runs import PlannedRun, begin_or_continue
from cavmae_sync.recipes.run import continue_pretraining, run_pretraining
from cavmae_sync.training import Callbacks, RunFolder

from ..training.tiny import tiny_run


def environment(run: PlannedRun) -> dict[str, Any]:
    return json.loads((run.out / "environment.json").read_text())


def test_counts_all_parts_of_a_run_or_says_nothing(prepared_folder: Path, tmp_path: Path):
    run = PlannedRun(config=tiny_run(), data=prepared_folder, out=tmp_path / "run")
    killed = PlannedRun(config=tiny_run(), data=prepared_folder, out=tmp_path / "killed")
    steps: list[int] = []
    begin_or_continue(
        run,
        callbacks=Callbacks(
            on_step=lambda report: steps.append(report.step), should_stop=lambda: steps[-1:] == [2]
        ),
    )
    first = environment(run)
    assert first["processor_seconds_until_step"] == 2
    shutil.copytree(run.out, killed.out)
    # A part that was killed after saving step 2 has told nothing of it.
    (killed.out / "environment.json").write_text(
        json.dumps({**first, "processor_seconds": 0.1, "processor_seconds_until_step": 1})
    )

    assert begin_or_continue(run).is_complete
    whole = environment(run)
    assert whole["processor_seconds_until_step"] == 7
    assert whole["processor_seconds"] > first["processor_seconds"] > 0
    assert begin_or_continue(run).is_complete  # a look costs nothing
    assert environment(run) == whole

    assert begin_or_continue(killed).is_complete
    assert environment(killed)["processor_seconds"] is None


def test_two_processes_never_train_in_one_folder(prepared_folder: Path, tmp_path: Path):
    """Rows and checkpoints of both would be mixed, and no file would say so."""
    out = tmp_path / "run"
    with (
        RunFolder(out).held(),
        pytest.raises(TrainingError, match=r"Another process is training in .*run\. Wait until it ends\."),
    ):
        run_pretraining(tiny_run(), data=prepared_folder, out=out)
    assert [path.name for path in out.iterdir()] == ["writer.lock"]
    run_pretraining(tiny_run(), data=prepared_folder, out=out)
    before = {path: path.stat().st_mtime_ns for path in out.rglob("*") if path.name != "writer.lock"}
    with RunFolder(out).held(), pytest.raises(TrainingError, match="Another process"):
        continue_pretraining(out)
    assert {path: path.stat().st_mtime_ns for path in before} == before


def test_a_folder_without_a_run_stays_as_it_is(tmp_path: Path):
    with pytest.raises(TrainingError, match="holds no run"):
        continue_pretraining(tmp_path)
    assert list(tmp_path.iterdir()) == []
