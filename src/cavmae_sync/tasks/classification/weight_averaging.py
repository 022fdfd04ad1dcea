"""The mean of weights over epochs."""

from collections.abc import Mapping

import torch
from torch import Tensor


class WeightAverage:
    """Arithmetic mean of state dicts, summed in float64 on the CPU. What is no float is that of the last.

    Source:
        Spec 4.2, weight averaging.
    """

    def __init__(self) -> None:
        self.count = 0
        self._sums: dict[str, Tensor] = {}
        self._last: dict[str, Tensor] = {}

    def add(self, state: Mapping[str, Tensor]) -> None:
        """Count one more state, with the same names as those before."""
        self.count += 1
        self._last = {name: value.detach().cpu().clone() for name, value in state.items()}
        for name, value in self._last.items():
            if value.is_floating_point():
                self._sums[name] = self._sums.get(name, torch.zeros(())) + value.double()

    def mean(self) -> dict[str, Tensor]:
        """The mean, each tensor of the type it came in.

        Raises:
            ValueError: Nothing was added.
        """
        if not self.count:
            raise ValueError("There is no mean of no weights: add a state first.")
        means = {name: (total / self.count).to(self._last[name].dtype) for name, total in self._sums.items()}
        return self._last | means
