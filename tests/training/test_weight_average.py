"""An average of weights: by hand, and as what a run gives away."""

import math
from pathlib import Path

import pytest
import torch
from torch import nn

from cavmae_sync.training import OptimConfig, RunFolder
from cavmae_sync.training.weight_average import WeightAverage
from cavmae_sync.weights import load_model

from .conftest import Bench
from .test_pretrain import stop_after
from .tiny import tiny_run


def test_worked_by_hand():
    """Weight 1, then 2 and 4; decays of the first steps are 2/11 and 3/12, then at most 0.2."""
    model = nn.Linear(1, 1, bias=False)
    model.weight.data.fill_(1.0)
    average = WeightAverage(model, decay=0.2)
    expected = 1.0
    for step, value in enumerate((2.0, 4.0), start=1):
        model.weight.data.fill_(value)
        average.add(model, step=step)
        decay = min(0.2, (1 + step) / (10 + step))
        expected = decay * expected + (1 - decay) * value
    assert average.state_of(model)["weight"].item() == pytest.approx(expected)
    assert model.weight.item() == 4


def test_none_is_kept_unless_asked_for():
    model = nn.Linear(1, 1)
    average = WeightAverage(model, decay=None)
    average.add(model, step=1)
    assert average.state_dict() == {}
    assert not average.is_kept


def run_with_average(**changes: object):
    return tiny_run(optim=OptimConfig(learning_rate=1e-2, ema_decay=0.9), **changes)


def test_a_run_gives_its_average_away_and_goes_on_from_its_newest_weights(bench: Bench):
    run = bench.begin(run_with_average())
    run.run()
    written = load_model(bench.folder / "run" / "weights.safetensors").state_dict()
    average = run.average.state_dict()
    assert all(torch.equal(written[name], value) for name, value in average.items())
    newest = run.model.state_dict()
    assert any(not torch.equal(newest[name], value) for name, value in average.items())


def test_training_is_the_same_with_and_without_it(bench: Bench):
    with_average = bench.begin(run_with_average(), name="with")
    with_average.run()
    without = bench.begin(tiny_run(optim=OptimConfig(learning_rate=1e-2)), name="without")
    without.run()
    pairs = zip(with_average.model.parameters(), without.model.parameters(), strict=True)
    assert all(torch.equal(a, b) for a, b in pairs)


@pytest.mark.parametrize("stop", [3, 5])
def test_it_comes_out_after_a_stop_and_with_a_learned_temperature(bench: Bench, stop: int):
    """Byte for byte, as every run: the average and the temperature are part of a checkpoint."""
    config = run_with_average().with_overrides(["losses.contrast.learns_temperature=true"])

    def weights(folder: Path) -> dict[str, bytes]:
        state = load_model(folder / "weights.safetensors").state_dict()
        return {name: value.numpy().tobytes() for name, value in state.items()}

    straight = bench.begin(config, name="straight")
    straight.run()
    bench.begin(config, name="stopped", callbacks=stop_after(stop)).run()
    again = bench.begin(config, name="stopped")
    again.run()
    assert weights(bench.folder / "stopped") == weights(bench.folder / "straight")
    (temperature,), (expected,) = (each.passes.module.own_parameters().values() for each in (again, straight))
    assert torch.equal(temperature, expected)
    assert expected.exp().item() != pytest.approx(0.05, rel=1e-4)
    assert RunFolder(bench.folder / "stopped").config() == config


def test_validation_divides_by_the_learned_temperature(bench: Bench):
    run = bench.begin(tiny_run().with_overrides(["losses.contrast.learns_temperature=true"]))
    (temperature,) = run.passes.module.own_parameters().values()
    dataset = bench.pairs(run.config, frame="middle")
    before = run._validation_losses(run.model, dataset)
    with torch.no_grad():
        temperature.fill_(0.0)  # a temperature of 1: cosines count for little, so a batch of 4 costs log 4
    after = run._validation_losses(run.model, dataset)
    assert after["contrastive"] == pytest.approx(math.log(4), abs=0.3)
    assert after["contrastive"] != pytest.approx(before["contrastive"], rel=1e-3)
    assert after["visual_reconstruction"] == pytest.approx(before["visual_reconstruction"])
