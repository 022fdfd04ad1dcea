"""Processor time of a run: that of all its parts, or none."""

import json
import shutil
from pathlib import Path
from typing import Any

from cavmae_sync.recipes.many_runs import PlannedRun, begin_or_continue
from cavmae_sync.training import Callbacks

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
