"""A run that says each step, and after one of them waits for a signal. For test_interrupted.py."""

import signal
import sys
import time
from pathlib import Path

import torch
from tiny import tiny_run

from cavmae_sync.cli.interrupt import stop_on_signal
from cavmae_sync.data import PairDataset, PreparedDataset
from cavmae_sync.model import CAVMAESync
from cavmae_sync.training import Callbacks, Pretraining, RunFolder, StepReport, open_world


def main(dataset: Path, folder: Path, num_workers: int, waits_after: int) -> None:
    """Train seven steps; a signal comes after one of them, however slow the machine is."""

    def say(report: StepReport) -> None:
        sys.stdout.write(f"step {report.step}\n")
        sys.stdout.flush()
        deadline = time.monotonic() + 60
        while report.step == waits_after and not should_stop() and time.monotonic() < deadline:
            time.sleep(0.01)

    # A shell starts what runs in the background deaf to Ctrl-C, tests and their processes included.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    config = tiny_run(loop={"num_workers": num_workers})
    pairs = PairDataset(PreparedDataset.open(dataset), inputs=config.model.inputs, seed=config.seed)
    with open_world("cpu") as world, stop_on_signal() as should_stop:
        is_complete = Pretraining(
            config,
            model=CAVMAESync(config.model, generator=torch.Generator().manual_seed(config.seed)),
            train=pairs,
            validation=None,
            world=world,
            run=RunFolder.create(folder, config, {}),
            callbacks=Callbacks(on_step=say, should_stop=should_stop),
        ).run()
    sys.stdout.write("complete\n" if is_complete else "stopped\n")


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]), int(sys.argv[3]), int(sys.argv[4]))
