"""What is averaged between two rows of the log."""

import time
from collections.abc import Iterator

import pytest
import torch

from cavmae_sync.training.meter import Meter


def slow_batches(seconds: float) -> Iterator[int]:
    for number in range(3):
        time.sleep(seconds)
        yield number


def test_time_in_which_no_batch_is_there_is_waiting():
    meter = Meter()
    assert list(meter.watch(slow_batches(0.02))) == [0, 1, 2]
    assert meter.waited_seconds >= 0.06
    assert meter.waiting_fraction > 0.5


def test_time_in_which_batches_are_used_is_not():
    meter = Meter()
    for _ in meter.watch(range(3)):
        time.sleep(0.02)
    assert meter.waiting_fraction < 0.5


def test_a_new_row_begins_anew():
    meter = Meter()
    meter.waited_seconds = 5.0
    meter.add(torch.tensor([1.0, 2.0]), clips=4)
    meter.add(torch.tensor([3.0, 4.0]), clips=4)
    assert meter.mean().tolist() == [2, 3]
    assert meter.last.tolist() == [3, 4]
    meter.clear()
    assert (meter.rows, meter.clips, meter.waited_seconds) == ([], 0, 0)


def test_pauses_do_not_count():
    meter = Meter()
    meter.add(torch.zeros(1), clips=10)
    before = meter.clips_per_second
    meter.pause(-9.0)
    assert meter.clips_per_second < before
    assert meter.clips_per_second == pytest.approx(10 / 9, rel=0.2)
