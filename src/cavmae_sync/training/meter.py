"""What is averaged between two rows of the log."""

import time

import torch
from torch import Tensor


class Meter:
    """Rows and clips since the last log row. The clock stands still while a run validates or saves."""

    def __init__(self) -> None:
        self.clear()

    def clear(self) -> None:
        """Begin anew."""
        self.rows: list[Tensor] = []
        self.restart_clock()

    def restart_clock(self) -> None:
        """Count clips and seconds from now on; rows stay."""
        self.clips, self.began = 0, time.perf_counter()

    def pause(self, seconds: float) -> None:
        """Leave out seconds in which nothing was trained."""
        self.began += seconds

    def add(self, row: Tensor, *, clips: int) -> None:
        """One step: its numbers, and the clips it took."""
        self.rows.append(row)
        self.clips += clips

    def mean(self) -> Tensor:
        """Mean of the rows."""
        return torch.stack(self.rows).mean(dim=0)

    @property
    def last(self) -> Tensor:
        """The newest row."""
        return self.rows[-1]

    @property
    def clips_per_second(self) -> float:
        """Clips per second of training."""
        return self.clips / max(time.perf_counter() - self.began, 1e-9)
