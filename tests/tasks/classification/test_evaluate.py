"""Reports of classification: what is in them, at their ends, and what they say about classes left out."""

import json
import math

import pytest
import torch
from rich.console import Console

from cavmae_sync.tasks.classification import ClassificationConfig, classification_report

CLASSES = ("drum", "flute", "dog")
MADE_WITH = {"made_with": {"head": "linear"}, "weights": "b" * 64, "clip_list": "a" * 64}


def report_of(scores_NC, is_true_NC, *, is_single_label=False, num_bootstrap=50, seed=0, **more):
    more = {"classes": CLASSES[: scores_NC.shape[1]]} | MADE_WITH | more
    config = ClassificationConfig(num_bootstrap=num_bootstrap, seed=seed)
    return classification_report(scores_NC, is_true_NC, config, is_single_label=is_single_label, **more)


def several_labels(num_clips=60, *, seed=0):
    generator = torch.Generator().manual_seed(seed)
    is_true_NC = torch.rand(num_clips, 3, generator=generator) < torch.tensor([0.2, 0.5, 0.7])
    return torch.randn(num_clips, 3, generator=generator), is_true_NC


def printed(renderable):
    console = Console(width=200)
    with console.capture() as capture:
        console.print(renderable)
    return capture.get()


def test_several_labels_give_map_auc_and_d_prime():
    scores_NC, is_true_NC = several_labels()
    report = report_of(scores_NC + 2 * is_true_NC, is_true_NC)
    assert list(report.metrics) == ["mean_average_precision", "auc", "d_prime"]
    for value in report.metrics.values():
        assert value.low is not None
        assert value.chance is not None
        assert value.chance < value.low < value.value < value.high
    assert report.metrics["d_prime"].unit == "score"
    num_sets = len({tuple(row) for row in is_true_NC.tolist()})
    assert 1 < num_sets <= 8
    assert report.counts == {
        "clips": 60,
        "classes": 3,
        "classes_excluded": 0,
        "different_label_sets": num_sets,
    }
    assert [score.name for score in report.class_scores] == list(CLASSES)
    assert report.settings()["head"] == "linear"


def test_one_label_gives_accuracy_and_map():
    is_true_NC = torch.eye(3, dtype=torch.bool)[[0, 0, 0, 1, 2]]
    scores_NC = is_true_NC.float()
    scores_NC[0] = torch.tensor([0.0, 1.0, 0.0])
    report = report_of(scores_NC, is_true_NC, is_single_label=True)
    assert list(report.metrics) == ["accuracy", "mean_average_precision"]
    assert report.metrics["accuracy"].value == 4 / 5
    assert report.metrics["accuracy"].chance == 1 / 3
    assert report.settings()["majority"] == {"class": "drum", "accuracy": 3 / 5}
    assert "always 'drum' is right in 60.0 %" in printed(report.to_table())


@pytest.mark.parametrize("is_single_label", [False, True])
def test_an_oracle_is_perfect(is_single_label):
    is_true_NC = torch.eye(3, dtype=torch.bool)[[0, 1, 2, 2, 1, 0, 1]]
    report = report_of(is_true_NC.float(), is_true_NC, is_single_label=is_single_label)
    assert {value.value for value in report.metrics.values()} == {1.0}
    assert report.undefined == (() if is_single_label else ("d_prime",))
    assert ("not defined for these clips: d_prime" in printed(report.to_table())) is not is_single_label


def test_equal_scores_are_chance():
    _, is_true_NC = several_labels()
    report = report_of(torch.zeros(60, 3), is_true_NC)
    assert report.metrics["mean_average_precision"].value == pytest.approx(is_true_NC.double().mean().item())
    assert report.metrics["auc"].value == report.metrics["auc"].chance == 0.5
    assert report.metrics["d_prime"].value == report.metrics["d_prime"].chance == 0.0


def test_random_scores_are_chance_within_the_interval():
    for seed in range(5):
        report = report_of(*several_labels(400, seed=seed))
        for name, tolerance in (("mean_average_precision", 0.06), ("auc", 0.06)):
            value = report.metrics[name]
            assert value.value == pytest.approx(value.chance, abs=tolerance)


@pytest.mark.parametrize("shift", [1.0, 2.5])
def test_intervals_cover_the_number_of_other_lists_of_the_same_size(shift: float):
    """Also for rare classes, where repeated positives lift the average precision of every resample."""
    generator = torch.Generator().manual_seed(0)
    is_true_NC = torch.rand(40 * 200, 3, generator=generator) < torch.tensor([0.03, 0.05, 0.2])
    scores_NC = torch.randn(is_true_NC.shape, generator=generator) + shift * is_true_NC
    parts = zip(scores_NC.split(200), is_true_NC.split(200), strict=True)
    reports = [report_of(scores, is_true, num_bootstrap=100).metrics for scores, is_true in parts]
    for name in ("mean_average_precision", "auc"):
        expected = sum(metrics[name].value for metrics in reports) / len(reports)
        num_inside = sum(metrics[name].low <= expected <= metrics[name].high for metrics in reports)
        assert num_inside >= 0.85 * len(reports)
        assert all(metrics[name].low <= metrics[name].value <= metrics[name].high for metrics in reports)


def test_classes_left_out_are_counted_and_named():
    scores_NC, is_true_NC = several_labels()
    is_true_NC[:, 1], is_true_NC[:, 2] = False, True
    report = report_of(scores_NC, is_true_NC)
    assert report.counts["classes_excluded"] == 1
    assert report.classes_excluded == ("flute",)
    assert report.classes_without_negatives == ("dog",)
    assert report.class_scores[1].average_precision is None
    assert report.class_scores[2].auc is None
    text = printed(report.to_table())
    assert "no clip belongs to, left out: flute" in text
    assert "every clip belongs to, left out of AUC: dog" in text


def test_nothing_defined_leaves_everything_out():
    report = report_of(torch.rand(4, 2), torch.zeros(4, 2, dtype=torch.bool))
    assert report.metrics == {}
    assert report.undefined == ("mean_average_precision", "auc", "d_prime")
    printed(report.to_table())


def test_the_table_of_classes_begins_with_the_best_and_ends_with_the_undefined():
    is_true_NC = torch.tensor([[True, True, False], [False, True, False], [True, False, False]])
    scores_NC = torch.tensor([[0.1, 0.9, 0.3], [0.9, 0.8, 0.1], [0.5, 0.1, 0.7]])
    lines = printed(report_of(scores_NC, is_true_NC).to_class_table()).splitlines()
    rows = [line for line in lines if any(name in line for name in CLASSES)]
    assert ["flute" in rows[0], "drum" in rows[1], "dog" in rows[2]] == [True, True, True]
    assert "100.0 %" in rows[0]
    assert rows[2].count("-") == 2


def test_the_json_is_complete_and_has_no_nan():
    scores_NC, is_true_NC = several_labels()
    is_true_NC[:, 1] = False
    decoded = json.loads(report_of(scores_NC, is_true_NC).to_json())
    assert decoded["class_scores"][1] == {
        "name": "flute",
        "average_precision": None,
        "auc": None,
        "num_positives": 0,
    }
    assert set(decoded["metrics"]) == {"mean_average_precision", "auc", "d_prime"}


def test_a_score_that_is_not_a_number_is_named():
    scores_NC, is_true_NC = several_labels()
    scores_NC[7, 2] = math.inf
    with pytest.raises(ValueError, match=r"row 7, class 2 \('dog'\): inf"):
        report_of(scores_NC, is_true_NC)
    with pytest.raises(ValueError, match="2 names of classes but scores for 3"):
        report_of(*several_labels(), classes=("a", "b"))


def test_the_same_seed_gives_the_same_intervals():
    scores_NC, is_true_NC = several_labels()
    first, again, other = (report_of(scores_NC, is_true_NC, seed=seed).metrics["auc"] for seed in (0, 0, 1))
    assert first == again
    assert first.value == other.value
    assert first.low != other.low


def test_names_are_printed_as_they_are():
    is_true_NC = torch.tensor([[True, False, False], [False, True, False]])
    report = report_of(torch.rand(2, 3), is_true_NC, classes=("drum [b]", "flute", "[red] dog"))
    assert "drum [b]" in printed(report.to_class_table())
    assert "[red] dog" in printed(report.to_table())
