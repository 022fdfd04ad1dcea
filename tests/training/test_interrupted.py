"""Real processes, really interrupted: Ctrl-C saves and ends; a kill loses nothing but time."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import torch

from cavmae_sync.data import make_loader
from cavmae_sync.training import RunFolder, read_metrics

from ..kills import run_apart
from . import killed_run, tiny
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


@pytest.mark.long
def test_a_kill_loses_nothing_but_time(bench: Bench, prepared_folder: Path):
    """A checkpoint is taken after step 3; the kill comes after step 5, as soon as it is whole."""
    checkpoint = bench.folder / "interrupted" / "checkpoints" / "step_00000003.pt"
    with slow_run(prepared_folder, bench.folder / "interrupted", num_workers=0, waits_after=5) as process:
        read_until(process, "step 5")
        deadline = time.monotonic() + 60
        while not checkpoint.exists() and time.monotonic() < deadline:
            time.sleep(0.01)
        os.killpg(process.pid, signal.SIGKILL)
        assert process.wait(timeout=60) == -signal.SIGKILL
    check_goes_on(bench, first_step=3)


@pytest.mark.parametrize(
    "num_kills", [pytest.param(3, marks=pytest.mark.long), pytest.param(10, marks=pytest.mark.slow)]
)
def test_kills_at_random_moments_lose_nothing_but_time(prepared_folder: Path, tmp_path: Path, num_kills: int):
    """Every other one comes while weights or a checkpoint are being written, by a thread beside the steps."""
    run_apart(killed_run.main, prepared_folder, tmp_path, num_kills)
    kills = (tmp_path / "kills.txt").read_text().splitlines()
    assert len(kills) == num_kills
    assert sum(".part" in line for line in kills) >= num_kills // 3, "no kill came while a file was written"
    straight, killed = tmp_path / "straight", tmp_path / "killed"
    assert (straight / "weights.safetensors").read_bytes() == (killed / "weights.safetensors").read_bytes()
    assert (straight / "best.safetensors").read_bytes() == (killed / "best.safetensors").read_bytes()
    newest = [torch.load(RunFolder(run).checkpoints()[-1]) for run in (straight, killed)]
    for state in newest:
        state.pop("random_state")  # torch draws from it whenever clips begin to be read; training never does
    for ours, theirs in zip(*(torch.utils._pytree.tree_leaves(state) for state in newest), strict=True):
        assert torch.equal(ours, theirs) if isinstance(ours, torch.Tensor) else ours == theirs
    rows = [read_metrics(run / "metrics.jsonl") for run in (straight, killed)]
    for one, other in zip(*rows, strict=True):
        for row in (one, other):
            row.pop("clips_per_second", None), row.pop("waiting_fraction", None)
        assert one == other
