"""Means and speed of training between two rows of the log."""

import time
from collections.abc import Iterable, Iterator
from typing import TypeVar

import torch
from torch import Tensor

Item = TypeVar("Item")


class LogInterval:
    """Steps since the last row of the log. The clock stands still while a run validates or saves."""

    #: The newest row that was added; before the first there is none.
    last: Tensor

    def __init__(self) -> None:
        self.clear()

    def clear(self) -> None:
        """Forget all steps and restart the clock."""
        self.rows: list[Tensor] = []
        self.restart_clock()

    def restart_clock(self) -> None:
        """Count clips and seconds from now on. Rows stay: those of a checkpoint belong to the next mean."""
        self.clips, self.waited_seconds, self.began = 0, 0.0, time.perf_counter()

    def timed(self, batches: Iterable[Item]) -> Iterator[Item]:
        """Pass batches on, and count the seconds until each comes as waiting."""
        source = iter(batches)
        while True:
            began = time.perf_counter()
            try:
                batch = next(source)
            except StopIteration:
                return
            self.waited_seconds += time.perf_counter() - began
            yield batch

    def pause(self, seconds: float) -> None:
        """Do not count seconds in which nothing was trained."""
        self.began += seconds

    def count(self, *, clips: int) -> None:
        """Count the clips of a step."""
        self.clips += clips

    def add(self, row: Tensor) -> None:
        """Add the numbers of a step, which may be known some steps later."""
        self.rows.append(row)
        self.last = row

    def mean(self) -> Tensor:
        """Mean of the rows."""
        return torch.stack(self.rows).mean(dim=0)

    @property
    def clips_per_second(self) -> float:
        """Clips per second of training."""
        return self.clips / self._seconds

    @property
    def waiting_fraction(self) -> float:
        """Part of the time, in [0, 1], in which training had to wait for its next batch."""
        return min(self.waited_seconds / self._seconds, 1.0)

    @property
    def _seconds(self) -> float:
        return max(time.perf_counter() - self.began, 1e-9)
