"""A run that is killed again and again at random moments, and goes on. For test_interrupted.py.

The test calls `main` in a process of its own, which forks the runs. Kills of even number wait until a file is
being written.
"""

import os
import random
import signal
import time
from pathlib import Path

import torch

from cavmae_sync.data import PairDataset, PreparedDataset
from cavmae_sync.model import CAVMAESync
from cavmae_sync.training import PretrainConfig, Pretraining, RunFolder, World

from .tiny import tiny_run

#: Steps for each kill: it comes up to three rows of the log and one checkpoint later than the one before.
_STEPS_PER_KILL = 9
#: Longest time from a row of the log to a kill, in seconds: a few steps.
_LONGEST_SECONDS = 0.03


def config(num_kills: int) -> PretrainConfig:
    """Short steps, every third of which writes a checkpoint; rows of the log lie between them."""
    num_steps = _STEPS_PER_KILL * num_kills
    return tiny_run(
        loop={
            "num_steps": num_steps,
            "log_every_steps": 2,
            "checkpoint_every_steps": 3,
            "read_every_steps": 4,
            "validate_every_steps": num_steps,
        }
    )


def train(dataset: Path, folder: Path, run_config: PretrainConfig) -> None:
    """The run, or what is left of it."""
    run = RunFolder(folder) if folder.exists() else RunFolder.create(folder, run_config, {})
    clips = PreparedDataset.open(dataset)
    Pretraining(
        run_config,
        model=CAVMAESync(run_config.model, generator=torch.Generator().manual_seed(0)),
        train=PairDataset(clips, inputs=run_config.model.inputs, seed=run_config.seed),
        validation=PairDataset(clips, inputs=run_config.model.inputs, frame="middle"),
        world=World(rank=0, num_processes=1, device=torch.device("cpu")),
        run=run,
    ).run()


def unfinished(folder: Path) -> set[str]:
    """Files of a run that are not whole."""
    return {path.name for path in folder.rglob("*.part")}


def num_rows(folder: Path) -> int:
    """Rows of a run's log."""
    log = folder / "metrics.jsonl"
    return log.read_bytes().count(b"\n") if log.exists() else 0


def kill(pid: int, folder: Path, *, moments: random.Random, in_a_write: bool) -> bool:
    """Kill a run at a random moment, or when it next writes a file; False if it had ended before."""
    rows, files = num_rows(folder) + moments.randint(0, 3), unfinished(folder)
    while num_rows(folder) < rows or (in_a_write and not unfinished(folder) - files):
        if os.waitpid(pid, os.WNOHANG)[0]:
            return False
    time.sleep(0 if in_a_write else moments.uniform(0, _LONGEST_SECONDS))
    os.kill(pid, signal.SIGKILL)
    return os.WIFSIGNALED(os.waitpid(pid, 0)[1])


def main(dataset: Path, out: Path, num_kills: int) -> None:
    """An undisturbed run, and one that is killed that often; `kills.txt` says what each kill left."""
    torch.set_num_threads(1)
    run_config = config(num_kills)
    train(dataset, out / "straight", run_config)
    moments, killed = random.Random(0), out / "killed"
    RunFolder.create(killed, run_config, {})
    kills: list[str] = []
    for number in range(num_kills):
        pid = os.fork()
        if pid == 0:
            try:
                train(dataset, killed, run_config)
            finally:  # a fork must not go on as its parent
                os._exit(0)
        if kill(pid, killed, moments=moments, in_a_write=number % 2 == 0):
            whole = [path.name for path in RunFolder(killed).checkpoints()][-1:]
            kills.append(f"unfinished {sorted(unfinished(killed))}, newest whole {whole}")
    train(dataset, killed, run_config)
    (out / "kills.txt").write_text("\n".join(kills))
