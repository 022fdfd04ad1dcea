"""Runs small enough for a test, on the shared prepared dataset of 14 clips."""

from pathlib import Path

import pytest
import torch

from cavmae_sync.data import PairDataset, PreparedDataset
from cavmae_sync.model import CAVMAESync
from cavmae_sync.training import Callbacks, PretrainConfig, Pretraining, RunFolder, World

from .tiny import tiny_run

CPU = World(rank=0, num_processes=1, device=torch.device("cpu"))


class Bench:
    """Starts and resumes runs in folders of one test."""

    def __init__(self, prepared: PreparedDataset, folder: Path) -> None:
        self.prepared, self.folder = prepared, folder

    def pairs(self, config: PretrainConfig, *, frame: str = "random") -> PairDataset:
        return PairDataset(self.prepared, inputs=config.model.inputs, seed=config.seed, frame=frame)

    def begin(
        self,
        config: PretrainConfig,
        *,
        name: str = "run",
        validates: bool = True,
        callbacks: Callbacks | None = None,
    ) -> Pretraining:
        """A new run, or the continuation of the run of that name."""
        path = self.folder / name
        run = RunFolder(path) if (path / "config.json").exists() else RunFolder.create(path, config, {})
        return Pretraining(
            config,
            model=CAVMAESync(config.model, generator=torch.Generator().manual_seed(config.seed)),
            train=self.pairs(config),
            validation=self.pairs(config, frame="middle") if validates else None,
            world=CPU,
            run=run,
            callbacks=callbacks,
        )


@pytest.fixture
def bench(prepared: PreparedDataset, tmp_path: Path) -> Bench:
    return Bench(prepared, tmp_path)


@pytest.fixture(scope="module")
def complete_run(prepared_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Folder of `tiny_run()`, trained to its end. Shared: copy it to change it."""
    bench = Bench(PreparedDataset.open(prepared_folder), tmp_path_factory.mktemp("complete"))
    assert bench.begin(tiny_run()).run()
    return bench.folder / "run"


__all__ = ["Bench", "tiny_run"]
