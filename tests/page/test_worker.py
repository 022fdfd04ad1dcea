"""The process that decodes: its limits, and that a crash costs one answer."""

import os
import time

import numpy as np
import pytest

from cavmae_sync.errors import ConfigError, MediaError
from cavmae_sync.page.worker import LimitedWorker


def double(value: int) -> int:
    return 2 * value


def fail() -> None:
    raise ConfigError("it is none")


def crash() -> None:
    os.abort()


def sleep(seconds: float) -> None:
    time.sleep(seconds)


def take(num_bytes: int) -> int:
    return len(np.ones(num_bytes, np.uint8))


def test_a_crash_a_long_call_and_too_much_memory_cost_one_answer():
    worker = LimitedWorker(most_bytes=256 << 20, most_seconds=20.0)
    try:
        assert worker.call(double, 21) == 42
        with pytest.raises(ConfigError, match="it is none"):
            worker.call(fail)
        with pytest.raises(MediaError, match="more memory than is allowed"):
            worker.call(take, 1 << 30)
        assert worker.call(take, 1 << 20) == 1 << 20
        with pytest.raises(MediaError, match="crashed on this file"):
            worker.call(crash)
        assert worker.call(double, 2) == 4
        worker._most_seconds = 0.5
        began = time.monotonic()
        with pytest.raises(MediaError, match="took more than"):
            worker.call(sleep, 600)
        assert time.monotonic() - began < 30
        worker._most_seconds = 20.0
        assert worker.call(double, 3) == 6
    finally:
        worker.close()
    worker.close()
