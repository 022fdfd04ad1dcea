"""Real processes, really interrupted: Ctrl-C saves and ends; a kill loses nothing but time."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import torch

from cavmae_sync.data import make_loader
from cavmae_sync.training import read_metrics

from . import tiny
from .conftest import Bench
from .tiny import tiny_run

SCRIPT = Path(tiny.__file__).with_name("slow_run.py")


@contextmanager
def slow_run(
    dataset: Path, folder: Path, *, num_workers: int, waits_after: int
) -> Iterator[subprocess.Popen[str]]:
    """The script in a process group of its own, as in a terminal; it waits for a signal after a step."""
    process = subprocess.Popen(
        [sys.executable, str(SCRIPT), str(dataset), str(folder), str(num_workers), str(waits_after)],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
        env=os.environ | {"OMP_NUM_THREADS": "1"},
    )
    try:
        yield process
    finally:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        process.stdout.close()


def read_until(process: subprocess.Popen[str], line: str) -> None:
    said = []
    for text in process.stdout:
        said.append(text)
        if text.strip() == line:
            return
    pytest.fail(f"the run ended without {line!r}:\n{''.join(said)}")


def check_goes_on(bench: Bench, *, first_step: int) -> None:
    """The continued run ends with the weights and rows of one that was never interrupted."""
    straight = bench.begin(tiny_run(), name="straight", validates=False)
    straight.run()
    resumed = bench.begin(tiny_run(), name="interrupted", validates=False)
    assert resumed.step >= first_step
    assert resumed.run()
    for name, value in straight.model.state_dict().items():
        assert torch.equal(resumed.model.state_dict()[name], value)
    rows = [
        [(row["step"], row["total"]) for row in read_metrics(run.run_folder.metrics)]
        for run in (straight, resumed)
    ]
    assert rows[0] == rows[1]


def test_ctrl_c_saves_and_ends(bench: Bench, prepared_folder: Path):
    """A terminal sends it to every process of the group, readers of clips included."""
    with slow_run(prepared_folder, bench.folder / "interrupted", num_workers=1, waits_after=4) as process:
        read_until(process, "step 4")
        os.killpg(process.pid, signal.SIGINT)
        rest = process.stdout.read().split("\n")
        assert process.wait(timeout=60) == 0
    assert [line for line in rest if line] == ["stopped"]
    check_goes_on(bench, first_step=4)


def test_readers_of_clips_do_not_hear_ctrl_c(bench: Bench):
    """The training process may be waiting for their next batch just then."""
    config = tiny_run()
    loader = make_loader(bench.pairs(config), batch_size=2, num_workers=1)
    batches = iter(loader)
    ids = list(next(batches).clip_ids)
    (reader,) = batches._workers
    os.kill(reader.pid, signal.SIGINT)
    for batch in batches:
        ids += batch.clip_ids
    assert ids == bench.prepared.clip_ids
    del batches


def test_a_kill_loses_nothing_but_time(bench: Bench, prepared_folder: Path):
    """Checkpoints are written after steps 3 and 6; the kill comes after step 5."""
    with slow_run(prepared_folder, bench.folder / "interrupted", num_workers=0, waits_after=5) as process:
        read_until(process, "step 5")
        os.killpg(process.pid, signal.SIGKILL)
        assert process.wait(timeout=60) == -signal.SIGKILL
    check_goes_on(bench, first_step=3)
