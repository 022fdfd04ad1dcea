"""Controls: what each of them knows, and what it does not."""

import torch

from cavmae_sync.embedding import Embedder
from cavmae_sync.maps import MapConfig
from cavmae_sync.tasks.localization.controls import (
    centre_maps,
    localization_controls,
    rows_of_other_classes,
    unlike_background_maps,
)
from cavmae_sync.tasks.localization.evaluate import (
    LocalizationConfig,
    evaluate_localization,
    localization_report,
)

from .conftest import Painted


def test_what_differs_from_the_background_finds_the_square(painted: Painted):
    report = localization_report(unlike_background_maps(painted), painted)
    assert report.metrics["mean_iou"].value == 1.0


def test_the_blob_is_in_the_middle(painted: Painted):
    blob_HW = centre_maps(painted.targets).maps[0]
    assert int(blob_HW.argmax()) in (27, 28, 35, 36)  # one of the four in the middle of 8 x 8
    torch.testing.assert_close(blob_HW, blob_HW.flip(0, 1))


def test_swapped_rows_are_of_another_class(painted: Painted):
    partner = rows_of_other_classes(painted.targets)
    names = [target.class_name for target in painted.targets]
    assert all(names[row] != names[other] for row, other in enumerate(partner))
    assert sorted(partner) == list(range(6))


def test_controls_of_a_model(embedder: Embedder, painted: Painted):
    report = evaluate_localization(embedder, painted, LocalizationConfig(num_bootstrap=20))
    controls = {m.name: m for m in localization_controls(embedder, painted, report.maps, MapConfig())}
    assert set(controls) == {
        "oracle", "untrained", "swapped_sound", "mirrored_map", "mirrored_picture", "every_object",
        "unlike_background", "centre", "constant",
    }  # fmt: skip
    torch.testing.assert_close(controls["mirrored_map"].maps[0], report.maps.maps[0].flip(1))
    again = localization_report(report.maps, painted, LocalizationConfig(num_bootstrap=20))
    assert again.to_json() == report.to_json()
    assert report.weights == controls["swapped_sound"].weights
    assert controls["oracle"].weights == ""
