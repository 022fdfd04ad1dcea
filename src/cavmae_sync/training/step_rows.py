"""Losses and gradient norms of steps, left on the device until several are read in one transfer.

A step that reads its loss waits for its device, and the device then waits for the next step. So numbers are
read every few steps. Gradients that are not finite update nothing (`Updater.update`), so it is early enough
to find them then, as long as nothing is written in between.

K accumulated parts of a step, L losses.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from cavmae_sync.errors import NonFiniteLossError
from cavmae_sync.training.validation import LOSS_NAMES

#: Columns of a row of the training log; the losses are first.
ROW_NAMES = (*LOSS_NAMES, "learning_rate", "gradient_norm")
TOTAL = LOSS_NAMES.index("total")
#: Clips of a batch that an error names.
_MAX_NAMED = 8


@dataclass(frozen=True, kw_only=True, slots=True)
class UnreadStep:
    """A step whose numbers are on the device.

    Attributes:
        step: Its number, from 1.
        losses_KL: Losses of its parts in this process.
        norm: Norm of its gradients, a scalar.
        learning_rate: Learning rate of its update.
        clip_ids: Clips of this process's share of the batch.
    """

    step: int
    losses_KL: Tensor
    norm: Tensor
    learning_rate: float
    clip_ids: Sequence[str]


class StepRows:
    """Steps since the last reading.

    Args:
        rank: Number of this process, for errors.
    """

    def __init__(self, *, rank: int) -> None:
        self.rank = rank
        self.unread: list[UnreadStep] = []

    def add(self, step: UnreadStep) -> None:
        """Keep a step to be read later."""
        self.unread.append(step)

    def read(self, *, loss_scale: float | None) -> list[Tensor]:
        """Read all steps, in one transfer, and forget them.

        Args:
            loss_scale: Factor of the loss in float16 now; None in other precisions.

        Returns:
            float64 on the CPU, for each step a row of `ROW_NAMES`.

        Raises:
            NonFiniteLossError: The loss or the gradients of a step are not finite; names the first such step.
        """
        steps = self.unread
        self.unread = []
        if not steps:
            return []
        flat = [
            torch.cat([step.losses_KL.flatten(), step.norm.view(1).to(step.losses_KL.dtype)])
            for step in steps
        ]
        numbers = torch.stack(flat).cpu().double()
        rows = [self._row(step, row) for step, row in zip(steps, numbers, strict=True)]
        for step, row in zip(steps, rows, strict=True):
            self._check_finite(step, row, is_scaled=loss_scale is not None)
        # In float16 an overflow is expected now and then: it skips a step and halves the scale.
        if loss_scale is not None and loss_scale < 1:
            raise NonFiniteLossError(
                f"gradients overflow in float16 whatever the loss scale (step {steps[-1].step}). Use "
                "loop.precision=bfloat16 or float32, or lower optim.learning_rate."
            )
        return rows

    def _row(self, step: UnreadStep, numbers: Tensor) -> Tensor:
        losses_L = numbers[:-1].view(step.losses_KL.shape).mean(dim=0)
        return torch.cat([losses_L, torch.tensor([step.learning_rate], dtype=torch.float64), numbers[-1:]])

    def _check_finite(self, step: UnreadStep, row: Tensor, *, is_scaled: bool) -> None:
        checked = [("loss", row[TOTAL]), ("norm of the gradients", row[-1])]
        for name, value in checked[:1] if is_scaled else checked:
            if not value.isfinite():
                some = ", ".join(step.clip_ids[:_MAX_NAMED])
                more = " ..." if len(step.clip_ids) > _MAX_NAMED else ""
                raise NonFiniteLossError(
                    f"the {name} is {value.item()} in step {step.step} (process {self.rank}), in a "
                    f"batch with clips {some}{more}. Lower "
                    "optim.learning_rate, set optim.clip_gradient_norm=1, or use loop.precision=float32."
                )
