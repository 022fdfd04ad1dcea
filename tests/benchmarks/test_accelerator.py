"""What `python -m benchmarks.accelerator` does with measurements that succeed, fail, or come too late."""

import math
import time
from pathlib import Path

import pytest
import torch
from benchmarks.accelerator import _measured, table
from benchmarks.accelerator_jobs import Job, Place, all_jobs
from benchmarks.gaps import covered, gaps_of

CPU = torch.device("cpu")


@pytest.fixture
def place(tmp_path: Path) -> Place:
    return Place(device=CPU, folder=tmp_path, small=True)


def test_covered_by_hand():
    """Two that overlap, one inside another, and a gap of 3: 10 of 13 are covered."""
    assert covered([(8, 13), (0, 4), (2, 5), (3, 4)]) == (10, 3, 13)
    assert covered([(1, 2)]) == (1, 0, 1)


def test_gaps_of_a_step_that_pauses():
    def step() -> None:
        torch.ones(200, 200) @ torch.ones(200, 200)
        time.sleep(0.02)

    found = gaps_of(step, CPU, num_steps=3)
    assert found["busy share"] < 0.5
    assert 20 <= found["longest gap, ms"] < found["ms per step while recorded"] * 3


def test_a_measurement_that_fails_costs_only_itself(place: Place):
    def fail(_: Place) -> dict[str, float]:
        raise torch.OutOfMemoryError("too much")

    def break_down(_: Place) -> dict[str, float]:
        raise RuntimeError("no such kernel\nmore")

    jobs = [
        Job(section="step", name=name, measure=make) for name, make in (("large", fail), ("odd", break_down))
    ]
    results = [_measured(job, place, stop=time.perf_counter() + 60) for job in jobs]
    results.append(_measured(jobs[0], place, stop=time.perf_counter()))
    assert [each.problem for each in results] == [
        "does not fit into the memory of the device",
        "RuntimeError: no such kernel",
        "no time was left",
    ]
    assert "no such kernel" in table(results)


@pytest.mark.parametrize("section", ["products", "step", "readers", "features", "retrieval", "whole loop"])
def test_one_of_each_kind_works(place: Place, section: str):
    job = next(
        each for each in all_jobs(place) if each.section == section and "float16" not in each.name.split()
    )
    numbers = job.measure(place)
    assert numbers
    assert all(math.isfinite(value) for value in numbers.values())
