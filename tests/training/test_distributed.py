"""Two real processes equal one: every loss, every gradient, and a whole run."""

import os
import socket
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import torch

from cavmae_sync.errors import ConfigError, TrainingError
from cavmae_sync.training import open_world, read_metrics

from . import two_processes
from .conftest import CPU
from .two_processes import SETTINGS, accumulating_run, gradients, train


@pytest.fixture(scope="module")
def two(prepared_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, list[dict[str, Any]]]:
    """What two processes found, and where they left their run."""
    out = tmp_path_factory.mktemp("two")
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    shared = {"WORLD_SIZE": "2", "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(port), "OMP_NUM_THREADS": "1"}
    processes = [
        subprocess.Popen(
            [sys.executable, two_processes.__file__, str(prepared_folder), str(out)],
            env=os.environ | shared | {"RANK": str(rank), "LOCAL_RANK": str(rank)},
        )
        for rank in range(2)
    ]
    try:
        assert [process.wait(timeout=200) for process in processes] == [0, 0]
    finally:
        for process in processes:
            process.kill()
    return out, [torch.load(out / f"rank{rank}.pt", weights_only=True) for rank in range(2)]


@pytest.mark.parametrize("name", SETTINGS)
def test_losses_and_every_gradient_equal_those_of_one_process(two, name: str):
    expected = gradients(SETTINGS[name], CPU)
    for rank in two[1]:
        assert rank[name].keys() == expected.keys()
        for key, value in expected.items():
            torch.testing.assert_close(rank[name][key], value, atol=1e-12, rtol=1e-9, msg=f"{name}: {key}")


def test_parameters_without_part_in_the_loss_get_no_gradient():
    found = gradients(SETTINGS["no reconstruction"], CPU)
    assert not any(key.startswith("decoder.") for key in found)


def test_a_run_of_two_processes_is_that_of_one(two, prepared_folder: Path, tmp_path: Path):
    """In a second world of the same processes, with gradients of two parts summed before they travel."""
    train(accumulating_run(), prepared_folder, tmp_path / "run", CPU)
    alone, together = (read_metrics(path / "run" / "metrics.jsonl") for path in (tmp_path, two[0]))
    assert len(alone) == len(together)
    for one, other in zip(alone, together, strict=True):
        assert one.pop("kind") == other.pop("kind")
        one.pop("clips_per_second", None), other.pop("clips_per_second", None)
        assert other == pytest.approx(one, rel=1e-4)


def test_what_holds_in_one_process_holds_in_any(two):
    assert [rank["any"] for rank in two[1]] == [[True, False]] * 2


def test_one_process_gathers_its_own_rows():
    rows = torch.randn(3, 2)
    gathered = CPU.gather(rows)
    assert gathered.rows_GD is rows
    assert gathered.offset == 0


@pytest.mark.parametrize(
    ("device", "says"),
    [("gpu", "there is no device 'gpu'; use one of cpu, cuda, mps"), ("cuda:3", "CUDA_VISIBLE_DEVICES")],
)
def test_an_unknown_device_is_refused(device: str, says: str):
    with pytest.raises(TrainingError, match=says), open_world(device):
        pass


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a CUDA device")
def test_a_missing_device_is_refused():
    with pytest.raises(ConfigError, match="has no device 'cuda'"), open_world("cuda"):
        pass
