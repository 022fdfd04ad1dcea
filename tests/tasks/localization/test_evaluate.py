"""Score maps against masks: of models, of the truth, and of what knows less."""

import json
from collections.abc import Sequence

import numpy as np
import pytest
import torch
from sklearn.metrics import average_precision_score
from torch import Tensor
from torch.nn import functional as F

from cavmae_sync.tasks.localization.controls import (
    oracle_maps,
)
from cavmae_sync.tasks.localization.evaluate import (
    LocalizationConfig,
    ScoreMaps,
    localization_report,
)
from cavmae_sync.tasks.localization.examples import Target

from .conftest import Painted, mask


def by(maps: Sequence[Tensor]) -> ScoreMaps:
    return ScoreMaps(maps=maps, name="test")


def test_the_truth_as_maps_is_perfect(painted: Painted):
    report = localization_report(oracle_maps(painted.targets), painted)
    assert {name: value.value for name, value in report.metrics.items()} == {
        "mean_average_precision": 1.0,
        "mean_iou": 1.0,
        "several_objects/mean_average_precision": 1.0,
        "several_objects/mean_iou": 1.0,
    }
    assert all((value.low, value.high) == (1.0, 1.0) for value in report.metrics.values())
    assert report.counts["rows_several_objects"] == 2


def test_a_constant_map_is_a_guess(painted: Painted):
    report = localization_report(by([torch.ones(1, 1)] * 6), painted)
    assert report.metrics["mean_average_precision"].value == pytest.approx(8 / 64)
    assert report.metrics["mean_average_precision"].chance == pytest.approx(8 / 64)
    assert report.metrics["mean_iou"].value == 0


def test_means_are_of_classes_each_of_all_its_pixels(painted: Painted):
    generator = torch.Generator().manual_seed(0)
    maps = [torch.rand(4, 4, generator=generator) for _ in range(6)]
    report = localization_report(by(maps), painted, LocalizationConfig(num_bootstrap=0))
    grown_maps = [F.interpolate(m[None, None], size=(8, 8), mode="bilinear")[0, 0].numpy() for m in maps]
    expected = {}
    for name, rows in {"dog": (0, 1, 2), "horn": (3, 4, 5)}.items():
        truth = np.concatenate([mask(row).ravel() for row in rows])
        expected[name] = average_precision_score(truth, np.concatenate([grown_maps[r].ravel() for r in rows]))
    assert {c.name: pytest.approx(c.average_precision, abs=1e-6) for c in report.classes} == expected
    mean = np.mean(list(expected.values()))
    assert report.metrics["mean_average_precision"].value == pytest.approx(mean, abs=1e-6)


def test_one_line_for_all_maps_changes_nothing(painted: Painted):
    generator = torch.Generator().manual_seed(0)
    maps = [torch.rand(4, 4, generator=generator) for _ in range(6)]
    before = localization_report(by(maps), painted, LocalizationConfig(num_bootstrap=0))
    after = localization_report(by([5 * m - 2 for m in maps]), painted, LocalizationConfig(num_bootstrap=0))
    for name, value in before.metrics.items():
        assert after.metrics[name].value == pytest.approx(value.value, abs=1e-6)


def test_a_class_without_a_pixel_is_left_out_and_named(painted: Painted):
    nothing = Target.of(np.zeros((8, 8), bool), name="cropped away", unit=9, class_name="cat")
    examples = Painted(targets=[*painted.targets, nothing])
    report = localization_report(oracle_maps(examples.targets), examples)
    assert report.excluded_classes == ("cat",)
    assert report.counts["classes_without_pixels"] == 1
    assert report.metrics["mean_iou"].value == 1.0
    assert json.loads(report.to_json())["excluded_classes"] == ["cat"]


def test_when_nothing_is_defined_nothing_is_reported():
    nothing = Target.of(np.zeros((8, 8), bool), name="nothing", unit=0, class_name="cat")
    examples = Painted(targets=[nothing])
    assert localization_report(by([torch.rand(2, 2)]), examples).metrics == {}


def test_every_row_needs_a_map(painted: Painted):
    with pytest.raises(ValueError, match="2 maps for 6 examples"):
        localization_report(by([torch.zeros(1, 1)] * 2), painted)
