"""The mean of weights."""

import pytest
import torch

from cavmae_sync.tasks.classification.weight_averaging import WeightAverage


def test_the_mean_by_hand():
    average = WeightAverage()
    for value in (1.0, 2.0, 6.0):
        average.add({"weight": torch.full((2,), value), "half": torch.tensor(value).half()})
    assert torch.equal(average.mean()["weight"], torch.full((2,), 3.0))
    assert average.mean()["half"].dtype == torch.float16


def test_equal_states_stay_exactly_as_they_are():
    state = {"weight": torch.randn(100)}
    average = WeightAverage()
    for _ in range(7):
        average.add(state)
    assert torch.equal(average.mean()["weight"], state["weight"])


def test_what_is_no_float_is_that_of_the_last():
    average = WeightAverage()
    for count in (3, 8):
        average.add({"count": torch.tensor(count)})
    assert average.mean() == {"count": torch.tensor(8)}


def test_later_training_does_not_reach_back():
    weight = torch.ones(2)
    average = WeightAverage()
    average.add({"weight": weight})
    weight.fill_(9.0)
    assert torch.equal(average.mean()["weight"], torch.ones(2))


def test_nothing_has_no_mean():
    with pytest.raises(ValueError, match="no weights"):
        WeightAverage().mean()
