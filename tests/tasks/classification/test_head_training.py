"""The loop of classifiers, on features made by hand."""

import math
from collections.abc import Iterable, Iterator

import pytest
import torch
from torch import Tensor, nn

from cavmae_sync.data import Draw, balanced_weights
from cavmae_sync.errors import ConfigError, NonFiniteLossError, TrainingError
from cavmae_sync.tasks.classification.config import AveragingConfig, ClassifierConfig
from cavmae_sync.tasks.classification.head_training import (
    HeadTraining,
    LabelledFeatures,
    WeightAverage,
    class_loss,
    predict_logits,
)
from cavmae_sync.training import OptimConfig

CLASSES = 3
SMALL = {"batch_size": 4, "num_epochs": 3}


class Given:
    """Twelve clips whose features lie near one of three axes; remembers what was drawn."""

    num_clips = 12

    def __init__(self, backbone: nn.Module | None = None) -> None:
        self.backbone, self.drawn = backbone, list[Draw]()
        self.classes_N = torch.arange(12) % CLASSES
        noise = 0.3 * torch.randn(12, 2, CLASSES, generator=torch.Generator().manual_seed(0))
        self.features_NTD = torch.eye(CLASSES)[self.classes_N][:, None] + noise

    def batches(self, draws: Iterable[list[Draw]]) -> Iterator[LabelledFeatures]:
        for some in draws:
            self.drawn += some
            rows = [draw.clip for draw in some]
            features_BTD = self.features_NTD[rows]
            if self.backbone is not None:
                features_BTD = self.backbone(features_BTD)
            yield LabelledFeatures(
                features_BTD=features_BTD, targets_BC=torch.eye(CLASSES)[self.classes_N[rows]]
            )


class MeanHead(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.classify = nn.Linear(CLASSES, CLASSES)
        nn.init.zeros_(self.classify.weight)
        nn.init.zeros_(self.classify.bias)

    def forward(self, features_BTD: Tensor) -> Tensor:
        return self.classify(features_BTD.mean(dim=1))


def backbone() -> nn.Linear:
    layer = nn.Linear(CLASSES, CLASSES, bias=False)
    nn.init.eye_(layer.weight)
    return layer


def training(
    *,
    under: nn.Module | None = None,
    trains: bool = False,
    optim: dict | None = None,
    weights_N=None,
    **config,
):
    head = MeanHead()
    made = HeadTraining(
        ClassifierConfig(**SMALL | config),
        OptimConfig(**{"learning_rate": 0.05} | (optim or {})),
        head=head,
        source=Given(under),
        backbone=under if trains else None,
        weights_N=weights_N,
        seed=0,
    )
    return made, head


def test_losses_by_hand():
    logits = torch.tensor([[0.0, 2.0], [1.0, -1.0]])
    targets = torch.tensor([[0.1, 0.9], [0.9, 0.05]])
    sigmoid = [[1 / (1 + math.exp(-z)) for z in row] for row in logits.tolist()]
    bce = -sum(
        t * math.log(p) + (1 - t) * math.log(1 - p)
        for row, ts in zip(sigmoid, targets.tolist(), strict=True)
        for p, t in zip(row, ts, strict=True)
    )
    assert float(class_loss(logits, targets, kind="bce")) == pytest.approx(bce / 4, rel=1e-5)
    ce = 0.0
    for row, ts in zip(logits.tolist(), targets.tolist(), strict=True):
        log_sum = math.log(sum(math.exp(z) for z in row))
        ce -= sum(t * (z - log_sum) for z, t in zip(row, ts, strict=True))
    assert float(class_loss(logits, targets, kind="ce")) == pytest.approx(ce / 2, rel=1e-5)


@pytest.mark.parametrize("loss", ["bce", "ce"])
def test_learns_what_is_there(loss):
    made, head = training(loss=loss, num_epochs=30)
    losses = []
    made.run(lambda report: losses.append(report.loss))
    source = Given()
    guessed = predict_logits(head, source, batch_size=5).argmax(dim=1)
    assert torch.equal(guessed, source.classes_N)
    assert len(losses) == 30
    assert losses[-1] < losses[0] / 2


def test_the_same_seed_the_same_head():
    heads = []
    for _ in range(2):
        made, head = training()
        made.run()
        heads.append(head)
    assert torch.equal(heads[0].classify.weight, heads[1].classify.weight)


@pytest.mark.parametrize("trains", [False, True])
def test_fine_tuning_changes_the_backbone_and_probing_does_not(trains):
    layer = backbone()
    made, head = training(under=layer, trains=trains, batch_size=12, num_epochs=1)
    nn.init.eye_(head.classify.weight)  # so that gradients reach the backbone
    made.run()
    assert not torch.equal(head.classify.weight, torch.eye(CLASSES))
    assert torch.equal(layer.weight, torch.eye(CLASSES)) != trains


def test_a_frozen_backbone_is_in_no_group_of_the_optimiser():
    layer = backbone()
    made, head = training(under=layer)
    listed = [p for group in made.updater.optimizer.param_groups for p in group["params"]]
    assert {id(p) for p in listed} == {id(p) for p in head.parameters()}


def test_the_head_learns_faster_by_its_factor():
    """Adam's first step is the learning rate itself, whatever the gradient (spec 6.3, defect 21)."""
    layer = backbone()
    made, head = training(
        under=layer,
        trains=True,
        num_epochs=1,
        batch_size=12,
        head_rate_factor=50,
        optim={"learning_rate": 1e-3, "schedule": "constant", "warmup_fraction": 0, "weight_decay": 0},
    )
    nn.init.eye_(head.classify.weight)  # so that the backbone has a gradient
    before = head.classify.weight.detach().clone()
    made.run()
    head_moved, layer_moved = head.classify.weight - before, layer.weight - torch.eye(CLASSES)
    assert head_moved.abs().max().item() == pytest.approx(50e-3, rel=1e-3)
    assert layer_moved.abs().max().item() == pytest.approx(1e-3, rel=1e-3)


def test_the_rate_is_halved_per_epoch_from_the_second():
    rates = []
    made, _ = training(
        num_epochs=5,
        optim={
            "learning_rate": 0.08,
            "schedule": "multistep",
            "multistep_first_epoch": 2,
            "multistep_every_epochs": 1,
        },
    )
    made.run(lambda report: rates.append(report.learning_rate))
    assert rates == pytest.approx([0.08, 0.08, 0.04, 0.02, 0.01])  # spec 4.4


def test_averages_equal_the_mean_of_the_states_of_their_epochs():
    made, head = training(num_epochs=5, averaging=AveragingConfig(first_epoch=2, last_epoch=4))
    states: list[Tensor] = []
    made.run(lambda _: states.append(head.classify.weight.detach().clone()))
    by_hand = (states[1] + states[2] + states[3]) / 3
    assert made.head_average.count == 3
    torch.testing.assert_close(made.head_average.mean()["classify.weight"], by_hand)
    assert not torch.allclose(by_hand, states[-1])


def test_parts_of_a_step_give_the_same_head():
    whole, parts = training(accumulation=1), training(accumulation=2)
    for made, _ in (whole, parts):
        made.run()
    torch.testing.assert_close(whole[1].classify.weight, parts[1].classify.weight)


def test_balanced_sampling_balances():
    """Class "c" has one clip of twelve and comes about as often as "a" and "b"."""
    labels = [["c"] if row == 0 else ["a"] if row < 7 else ["b"] for row in range(12)]
    made, _ = training(weights_N=balanced_weights(labels), num_epochs=200)
    made.run()
    names = [labels[draw.clip][0] for draw in made.source.drawn]
    assert all(abs(names.count(name) / len(names) - 1 / 3) < 0.03 for name in "abc")


def test_too_few_clips_for_a_step():
    with pytest.raises(TrainingError, match=r"12 clips .* batch_size=13. Set classifier.batch_size=3"):
        training(batch_size=13)


def test_a_loss_that_is_not_a_number_ends_training():
    made, _ = training()
    made.source.features_NTD[:] = math.nan
    with pytest.raises(NonFiniteLossError, match="loss of step 1 is nan"):
        made.run()


def test_predictions_are_in_order_and_complete():
    source = Given()
    head = MeanHead()
    nn.init.eye_(head.classify.weight)
    logits_NC = predict_logits(head, source, batch_size=5)
    torch.testing.assert_close(logits_NC, source.features_NTD.mean(dim=1))
    assert [draw.clip for draw in source.drawn] == list(range(12))


def test_nothing_is_trained_in_int8():
    with pytest.raises(ConfigError, match="no gradient"):
        HeadTraining(
            ClassifierConfig(**SMALL),
            OptimConfig(),
            head=MeanHead(),
            source=Given(),
            seed=0,
            precision="int8",
        )


class TestWeightAverage:
    def test_the_mean_by_hand(self):
        average = WeightAverage()
        for value in (1.0, 2.0, 6.0):
            average.add({"weight": torch.full((2,), value), "half": torch.tensor(value).half()})
        assert torch.equal(average.mean()["weight"], torch.full((2,), 3.0))
        assert average.mean()["half"].dtype == torch.float16

    def test_equal_states_stay_exactly_as_they_are(self):
        state = {"weight": torch.randn(100)}
        average = WeightAverage()
        for _ in range(7):
            average.add(state)
        assert torch.equal(average.mean()["weight"], state["weight"])

    def test_what_is_no_float_is_that_of_the_last(self):
        average = WeightAverage()
        for count in (3, 8):
            average.add({"count": torch.tensor(count)})
        assert average.mean() == {"count": torch.tensor(8)}

    def test_later_training_does_not_reach_back(self):
        weight = torch.ones(2)
        average = WeightAverage()
        average.add({"weight": weight})
        weight.fill_(9.0)
        assert torch.equal(average.mean()["weight"], torch.ones(2))

    def test_nothing_has_no_mean(self):
        with pytest.raises(ValueError, match="No weights were added"):
            WeightAverage().mean()
