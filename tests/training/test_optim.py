"""One update: algorithm, clipping, learning rate, loss scale."""

import copy

import pytest
import torch
from torch import nn

from cavmae_sync.training import OptimConfig
from cavmae_sync.training.optim import Updater


def updater(start: float = 1.0, precision: str = "float32", **changes) -> tuple[nn.Parameter, Updater]:
    parameter = nn.Parameter(torch.full((4,), start))
    return parameter, Updater([parameter], OptimConfig(**changes), precision=precision)


def test_the_first_step_of_adam_is_the_learning_rate():
    parameter, step = updater(weight_decay=0)
    step.backward((parameter * torch.tensor([1.0, -3.0, 0.01, 7.0])).sum())
    norm = step.update(learning_rate=0.1)
    torch.testing.assert_close(parameter.data, torch.tensor([0.9, 1.1, 0.9, 0.9]), atol=1e-5, rtol=0)
    assert norm.item() == pytest.approx((1 + 9 + 0.0001 + 49) ** 0.5)
    assert parameter.grad is None


@pytest.mark.parametrize(("algorithm", "expected"), [("adam", 0.9), ("adamw", 0.95)])
def test_adam_puts_decay_into_the_gradient_and_adamw_beside_it(algorithm: str, expected: float):
    """Without other gradient Adam still steps by the full rate; AdamW shrinks by rate * decay."""
    parameter, step = updater(algorithm=algorithm, weight_decay=0.5)
    step.backward((parameter * 0).sum())
    step.update(learning_rate=0.1)
    torch.testing.assert_close(parameter.data, torch.full((4,), expected), atol=1e-5, rtol=0)


def test_gradients_are_clipped_to_a_norm_and_reported_before_it():
    parameter, step = updater(clip_gradient_norm=1.0, weight_decay=0)
    step.backward((parameter * 50).sum())
    assert step.update(learning_rate=0.1).item() == pytest.approx(100)
    state = step.optimizer.state[parameter]
    torch.testing.assert_close(state["exp_avg"], torch.full((4,), (1 - 0.95) * 0.5))


def test_gradients_of_parts_add_up():
    parameter, step = updater()
    for part in (1.0, 2.0):
        step.backward((parameter * part).sum())
    torch.testing.assert_close(parameter.grad, torch.full((4,), 3.0))


def test_float16_scales_the_loss_and_skips_infinite_steps():
    parameter, step = updater(precision="float16", weight_decay=0)
    before = step.scaler.get_scale()
    step.backward((parameter * float("inf")).sum())
    step.update(learning_rate=0.1)
    assert torch.equal(parameter.data, torch.ones(4))
    assert step.scaler.get_scale() == before / 2
    step.backward(parameter.sum())
    assert step.update(learning_rate=0.1).item() == pytest.approx(2)
    torch.testing.assert_close(parameter.data, torch.full((4,), 0.9), atol=1e-5, rtol=0)


@pytest.mark.parametrize("precision", ["float32", "float16"])
def test_state_goes_on_where_it_was(precision: str):
    one, first = updater(precision=precision)
    first.backward((one * 3).sum())
    first.update(learning_rate=0.1)
    other, second = updater(one.data.mean().item(), precision=precision)
    second.load_state_dict(copy.deepcopy(first.state_dict()))
    for parameter, step in ((one, first), (other, second)):
        step.backward((parameter**2).sum())
        step.update(learning_rate=0.05)
    assert torch.equal(one.data, other.data)


def test_gradients_that_are_not_finite_leave_the_weights_alone():
    parameter, step = updater()
    step.backward((parameter * float("inf")).sum())
    assert not step.update(learning_rate=0.1).isfinite()
    assert torch.equal(parameter.data, torch.ones(4))


@pytest.mark.parametrize("algorithm", ["adam", "adamw"])
def test_the_fused_step_is_the_plain_one_to_rounding(algorithm: str):
    kind = torch.optim.Adam if algorithm == "adam" else torch.optim.AdamW
    config = OptimConfig(algorithm=algorithm, weight_decay=0.1)
    parameters = [nn.Parameter(torch.linspace(-1, 1, 101)) for _ in range(2)]
    fused = Updater([parameters[0]], config, precision="float32")
    assert fused.optimizer.defaults["fused"]
    plain = kind([parameters[1]], betas=config.betas, weight_decay=0.1, fused=False, foreach=False)
    for number in range(20):
        gradient = torch.randn(101, generator=torch.Generator().manual_seed(number))
        fused.backward((parameters[0] * gradient).sum())
        fused.update(learning_rate=1e-2)
        parameters[1].grad = gradient
        plain.param_groups[0]["lr"] = 1e-2
        plain.step()
    torch.testing.assert_close(parameters[0], parameters[1], rtol=1e-5, atol=1e-6)


def test_a_step_that_was_left_out_is_not_counted():
    """Adam corrects its moments by the number of steps."""
    parameter, step = updater(weight_decay=0)
    step.backward((parameter * float("nan")).sum())
    step.update(learning_rate=0.1)
    step.backward(parameter.sum())
    step.update(learning_rate=0.1)
    torch.testing.assert_close(parameter.data, torch.full((4,), 0.9), atol=1e-5, rtol=0)
    assert step.optimizer.state[parameter]["step"] == 1


def test_adam_hardly_notices_the_scale_of_the_loss():
    """A sum over 4 devices in place of their mean: only epsilon and weight decay weigh less."""

    def trained(scale: float, **changes: float) -> torch.Tensor:
        parameter, step = updater(learning_rate=1e-2, **changes)
        generator = torch.Generator().manual_seed(0)
        for _ in range(50):
            slope = torch.randn(4, generator=generator) + 0.5
            step.backward(scale * (parameter * slope).sum())
            step.update(learning_rate=1e-2)
        return parameter.data

    mean, total = trained(1.0), trained(4.0)
    assert (1 - mean).abs().min() > 0.05
    torch.testing.assert_close(total, mean, atol=1e-5, rtol=0)
    # Where the decay is no longer small beside the gradient, the scale shows.
    assert (trained(4.0, weight_decay=0.5) - trained(1.0, weight_decay=0.5)).abs().max() > 1e-3
    assert (trained(4.0, clip_gradient_norm=1.0) - trained(1.0, clip_gradient_norm=1.0)).abs().max() > 1e-3
