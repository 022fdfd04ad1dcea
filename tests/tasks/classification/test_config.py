"""Which epochs are averaged, and contradictions."""

import pytest

from cavmae_sync.tasks.classification.config import AveragingConfig, ClassifierConfig


@pytest.mark.parametrize(
    ("fields", "epochs"),
    [
        ({}, []),
        ({"first_epoch": 3}, [3, 4, 5, 6, 7, 8]),
        ({"first_epoch": 3, "last_epoch": 5}, [3, 4, 5]),
        ({"first_epoch": 2, "last_epoch": 7, "every_epochs": 3}, [2, 5]),
    ],
)
def test_which_epochs_count(fields, epochs):
    averaging = AveragingConfig(**fields)
    assert [epoch for epoch in range(1, 9) if averaging.counts(epoch)] == epochs


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"batch_size": 5, "accumulation": 2}, "multiple of accumulation"),
        ({"weights_file": "train_weight.csv"}, "Set is_balanced=true too"),
        ({"num_epochs": 4, "averaging": {"first_epoch": 5}}, "averaging from epoch 5 to 4"),
        ({"num_epochs": 4, "averaging": {"first_epoch": 2, "last_epoch": 6}}, "Lower averaging.first_epoch"),
    ],
)
def test_contradictions_are_refused(fields, message):
    with pytest.raises(ValueError, match=message):
        ClassifierConfig(**fields)
