"""The optimiser and one update with it."""

from collections.abc import Callable, Iterable, Sequence
from typing import Any

import torch
from torch import Tensor, nn

from cavmae_sync.choices import TrainingPrecision
from cavmae_sync.compute import loss_scaler
from cavmae_sync.paper import ADAM_EPSILON
from cavmae_sync.training.config import OptimConfig


def make_optimizer(parameters: Iterable[nn.Parameter], config: OptimConfig) -> torch.optim.Optimizer:
    """Adam or AdamW over one group with every parameter, as one fused kernel; every known device has it.

    One group, as published: norms, biases and tokens are decayed too.
    """
    parameters = list(parameters)
    kind = torch.optim.Adam if config.algorithm == "adam" else torch.optim.AdamW
    return kind(
        parameters,
        lr=config.learning_rate,
        betas=config.betas,
        eps=ADAM_EPSILON,
        weight_decay=config.weight_decay,
        fused=True,
    )


class Updater:
    """Optimiser with everything around an update: loss scale, clipping of gradients, learning rate.

    Args:
        parameters: Parameters that are trained.
        config: Optimiser and learning rate.
        precision: Precision of the forward pass.
        faster: More parameters, trained `factor` times as fast: a fresh head on a trained model.
        factor: Factor of the learning rate of `faster`.
    """

    def __init__(
        self,
        parameters: Iterable[nn.Parameter],
        config: OptimConfig,
        *,
        precision: TrainingPrecision,
        faster: Sequence[nn.Parameter] = (),
        factor: float = 1.0,
    ) -> None:
        self.parameters = [*parameters, *faster]
        self.clip_gradient_norm = config.clip_gradient_norm
        self.optimizer = make_optimizer(self.parameters, config)
        if faster:
            self._set_apart(faster, factor)
        self.scaler = loss_scaler(precision, self.parameters[0].device)

    @property
    def loss_scale(self) -> float | None:
        """Factor of the loss in float16; None in other precisions."""
        return self.scaler.get_scale() if self.scaler.is_enabled() else None

    def backward(self, loss: Tensor) -> None:
        """Add the gradients of `loss`."""
        self.scaler.scale(loss).backward()

    def update(self, *, learning_rate: float) -> Tensor:
        """Make one update and clear the gradients.

        Where their norm is not finite nothing is updated; in float16 the loss scale is lowered.

        Returns:
            Norm of the gradients before clipping, a scalar on the device.
        """
        for group in self.optimizer.param_groups:
            group["lr"] = learning_rate * group.get("rate_factor", 1.0)
        # Before the norm: a limit of the norm means gradients of the loss, not of the scaled loss.
        self.scaler.unscale_(self.optimizer)
        norm = torch.nn.utils.get_total_norm(
            [parameter.grad for parameter in self.parameters if parameter.grad is not None], foreach=True
        )
        if self.clip_gradient_norm is not None:
            torch.nn.utils.clip_grads_with_norm_(self.parameters, self.clip_gradient_norm, norm, foreach=True)
        if hasattr(norm, "full_tensor"):  # gradients that are shared out over processes
            norm = norm.full_tensor()
        self._step_if_finite(norm)
        self.scaler.update()
        self.optimizer.zero_grad(set_to_none=True)
        return norm

    def _step_if_finite(self, norm: Tensor) -> None:
        if self.scaler.is_enabled():
            self.scaler.step(self.optimizer)
        elif norm.device.type != "mps":
            # The fused kernels read this flag on the device, so the step need not wait for it here.
            self.optimizer.found_inf = (~norm.isfinite()).float()  # pyrefly: ignore[missing-attribute]
            self.optimizer.step()
        elif bool(norm.isfinite()):  # on MPS the flag was never tried
            self.optimizer.step()

    def _set_apart(self, faster: Sequence[nn.Parameter], factor: float) -> None:
        """Move parameters to a group of their own, with the settings of the first."""
        first = self.optimizer.param_groups[0]
        names = {id(parameter) for parameter in faster}
        first["params"] = [parameter for parameter in first["params"] if id(parameter) not in names]
        settings = {key: value for key, value in first.items() if key != "params"}
        self.optimizer.add_param_group(settings | {"params": list(faster), "rate_factor": factor})

    def state_dict(self) -> dict[str, object]:
        """State of the optimiser and of the loss scale."""
        return {"optimizer": self.optimizer.state_dict(), "scaler": self.scaler.state_dict()}

    def load_state_dict(
        self,
        state: dict[str, Any],
        *,
        parts: Callable[[dict[str, Tensor], dict[str, Tensor]], dict[str, Tensor]] = lambda whole, _: whole,
    ) -> None:
        """Restore what `state_dict` gave.

        Args:
            state: The state, with whole tensors.
            parts: Shares out tensors as others of the same names are, where parameters are shared out.
        """
        optimizer = state["optimizer"]
        parameters = [each for group in self.optimizer.param_groups for each in group["params"]]
        moments = {
            number: of_one | parts(*_like_parameter(of_one, parameters[number]))
            for number, of_one in optimizer["state"].items()
        }
        self.optimizer.load_state_dict({**optimizer, "state": moments})
        self.scaler.load_state_dict(state["scaler"])


def _like_parameter(state: dict[str, Any], parameter: Tensor) -> tuple[dict[str, Tensor], dict[str, Tensor]]:
    """Tensors of an optimiser's state that have the shape of the parameter, and the parameter for each."""
    found = {name: value for name, value in state.items() if value.shape == parameter.shape}
    return found, dict.fromkeys(found, parameter)
