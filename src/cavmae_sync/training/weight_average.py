"""Average of the weights over the steps of a run, which the run gives away in their place.

Where the learning rate is high, the newest weights jump about; their average lies between them.
"""

from collections.abc import Mapping
from typing import Final

from torch import Tensor, nn
from torch.optim.swa_utils import get_ema_multi_avg_fn

#: The decay of step t is (1 + t) / (10 + t) as long as that is less: the average forgets the fresh weights.
_WARMUP: Final = 10


class WeightAverage:
    """Exponential moving average of a model's parameters.

    Args:
        model: The model, on its device; its parameters may be shared out over processes.
        decay: Share of the average that a step keeps; None keeps no average.
    """

    def __init__(self, model: nn.Module, *, decay: float | None) -> None:
        self.decay = decay
        self._average: dict[str, Tensor] = {}
        if decay is not None:
            self._average = {name: value.detach().clone() for name, value in model.named_parameters()}

    @property
    def is_kept(self) -> bool:
        """Whether there is an average."""
        return self.decay is not None

    def add(self, model: nn.Module, *, step: int) -> None:
        """Take in the weights after a step, counted from 1. Nothing is waited for."""
        if self.decay is None:
            return
        decay = min(self.decay, (1 + step) / (_WARMUP + step))
        newest = dict(model.named_parameters())
        average = list(self._average.values())
        get_ema_multi_avg_fn(decay)(average, [newest[name] for name in self._average], step)

    def state_of(self, model: nn.Module) -> dict[str, Tensor]:
        """State of the model with the average in place of its parameters, where one is kept."""
        return {**model.state_dict(), **self._average}

    def state_dict(self) -> dict[str, Tensor]:
        """The average by the names of parameters; empty where none is kept."""
        return dict(self._average)

    def load_state_dict(self, state: Mapping[str, Tensor]) -> None:
        """Restore what `state_dict` gave."""
        for name, value in state.items():
            self._average[name].copy_(value)
