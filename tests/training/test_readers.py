"""How many processes read clips: by device, cores, processes of the machine, and memory for frames."""

import os
from pathlib import Path

import pytest
import torch

from cavmae_sync.data import PreparedDataset
from cavmae_sync.recipes import run_pretraining
from cavmae_sync.training import PretrainConfig
from cavmae_sync.training.readers import resolve_readers, share_in_memory, with_memory

from .tiny import tiny_run

CPU, CUDA = torch.device("cpu"), torch.device("cuda")


@pytest.fixture
def cores(monkeypatch: pytest.MonkeyPatch):
    """Limits this process to some cores, of however many the machine has; joblib reads the variable."""

    def limit(number: int) -> int:
        if (os.cpu_count() or 1) < number:
            pytest.skip(f"needs {number} cores")
        monkeypatch.setenv("LOKY_MAX_CPU_COUNT", str(number))
        return number

    return limit


def decided(config: PretrainConfig, clips: PreparedDataset, device: torch.device) -> tuple[int, str | None]:
    found, reason = resolve_readers(config, clips, device)
    return found.loop.num_readers, reason


def auto(**loop: object) -> PretrainConfig:
    return tiny_run(loop={"num_workers": "auto"} | loop)


def test_a_given_number_stays(prepared: PreparedDataset) -> None:
    config = tiny_run(loop={"num_workers": 3})
    assert resolve_readers(config, prepared, CUDA) == (config, None)


def test_beside_an_accelerator_all_cores_but_one_read(prepared: PreparedDataset, cores) -> None:
    cores(2)
    assert decided(auto(), prepared, CUDA) == (1, "1: 2 cores beside cuda")


def test_processes_of_a_machine_share_its_cores(prepared: PreparedDataset, cores, monkeypatch) -> None:
    cores(2)
    monkeypatch.setenv("LOCAL_WORLD_SIZE", "2")
    assert decided(auto(), prepared, CUDA) == (1, "1: 1 cores beside cuda")


def test_on_the_cpu_frames_stay_in_memory_where_they_fit(prepared: PreparedDataset, cores) -> None:
    """14 clips of 4 frames of 32 pixels: 172,032 bytes."""
    cores(2)
    assert decided(auto(frame_memory_mib=1), prepared, CPU)[0] == 0
    assert decided(auto(frame_memory_mib=0), prepared, CPU) == (1, "1: 2 cores, which train too")
    cores(1)
    assert decided(auto(frame_memory_mib=0), prepared, CPU)[0] == 0


def test_frames_are_kept_only_where_the_training_process_reads(prepared: PreparedDataset) -> None:
    for num_workers, share in ((0, 1.0), (1, 0.0)):
        config = tiny_run(loop={"num_workers": num_workers})
        assert share_in_memory(prepared, config) == share
        assert (with_memory(prepared, config) is prepared) == bool(num_workers)


def test_a_run_says_what_was_decided(prepared_folder: Path, tmp_path: Path) -> None:
    config = auto(num_steps=1)
    run = run_pretraining(config, data=prepared_folder, out=tmp_path / "run", device="cpu").run
    assert run.config().loop.num_workers == "auto"  # another machine may decide otherwise
    assert run.environment()["num_workers"] == "0: all decoded frames fit into loop.frame_memory_mib"
    assert run.environment()["frames_in_memory"] == 1.0
