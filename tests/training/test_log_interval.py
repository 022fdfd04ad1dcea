"""What is averaged between two rows of the log."""

import time
from collections.abc import Iterator

import pytest
import torch

from cavmae_sync.training.log_interval import LogInterval


def slow_batches(seconds: float) -> Iterator[int]:
    for number in range(3):
        time.sleep(seconds)
        yield number


def test_time_in_which_no_batch_is_there_is_waiting():
    interval = LogInterval()
    assert list(interval.timed(slow_batches(0.02))) == [0, 1, 2]
    assert interval.waited_seconds >= 0.06
    assert interval.waiting_fraction > 0.5


def test_time_in_which_batches_are_used_is_not():
    interval = LogInterval()
    for _ in interval.timed(range(3)):
        time.sleep(0.02)
    assert interval.waiting_fraction < 0.5


def test_a_new_row_begins_anew():
    interval = LogInterval()
    interval.waited_seconds = 5.0
    for row in ([1.0, 2.0], [3.0, 4.0]):
        interval.count(clips=4)
        interval.add(torch.tensor(row))
    assert interval.mean().tolist() == [2, 3]
    assert interval.last.tolist() == [3, 4]
    interval.clear()
    assert (interval.rows, interval.clips, interval.waited_seconds) == ([], 0, 0)
    assert interval.last.tolist() == [3, 4], "the newest stays known"


def test_pauses_do_not_count():
    interval = LogInterval()
    interval.count(clips=10)
    before = interval.clips_per_second
    interval.pause(-9.0)
    assert interval.clips_per_second < before
    assert interval.clips_per_second == pytest.approx(10 / 9, rel=0.2)
