"""Score maps against masks: of models, of the truth, and of what knows less."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from sklearn.metrics import average_precision_score
from torch import Tensor
from torch.nn import functional as F

from cavmae_sync.embedding import Embedder
from cavmae_sync.inputs import InputConfig
from cavmae_sync.tasks.localization.controls import (
    centre_maps,
    localization_controls,
    oracle_maps,
    rows_of_other_classes,
    unlike_background_maps,
)
from cavmae_sync.tasks.localization.evaluate import (
    LocalizationConfig,
    ScoreMaps,
    evaluate_localization,
    localization_report,
)
from cavmae_sync.tasks.localization.examples import Target
from cavmae_sync.tasks.localization.maps import prompt_vectors


@dataclass
class Painted:
    """A red square on grey for each row: in the left half of even rows, in the right half of odd ones."""

    targets: Sequence[Target]
    config: Mapping[str, Any] = field(default_factory=dict)
    counts: Mapping[str, int] = field(default_factory=dict)
    clip_list: str = "c" * 64

    def picture(self, row: int, *, pixels: int) -> NDArray[np.uint8]:
        picture_HWC = np.full((pixels, pixels, 3), 90, np.uint8)
        picture_HWC[grown(self.targets[row].mask(), pixels)] = (255, 0, 0)
        return picture_HWC

    def prompt(self, row: int, config: InputConfig) -> Tensor:
        generator = torch.Generator().manual_seed(row)
        return torch.randn(1 + row % 2, config.segment_length, 128, generator=generator)

    def heard(self, row: int, config: InputConfig) -> Tensor:
        return torch.ones(1 + row % 2, config.segment_length // 16, dtype=torch.bool)

    def sound(self, row: int) -> tuple[NDArray[np.float32], float | None]:
        return np.zeros(16_000, np.float32), 0.5 * row

    def salient(self, row: int) -> NDArray[np.bool_] | None:
        return self.targets[row].mask()


def grown(mask_HW: NDArray[np.bool_], pixels: int) -> NDArray[np.bool_]:
    as_float = torch.from_numpy(mask_HW.astype(np.float32))[None, None]
    return F.interpolate(as_float, size=(pixels, pixels), mode="nearest")[0, 0].numpy() > 0.5


def mask(row: int) -> NDArray[np.bool_]:
    mask_HW = np.zeros((8, 8), bool)
    mask_HW[2:6, (1 if row % 2 == 0 else 5) :][:, :2] = True
    return mask_HW


@pytest.fixture
def painted() -> Painted:
    return Painted(
        targets=[
            Target.of(
                mask(row),
                name=f"row {row}",
                unit=row,
                class_name="dog" if row < 3 else "horn",
                groups=("several_objects",) if row in (1, 4) else (),
            )
            for row in range(6)
        ]
    )


def by(maps: Sequence[Tensor]) -> ScoreMaps:
    return ScoreMaps(maps=maps, said_by="test")


def test_masks_survive_packing(painted: Painted):
    for row, target in enumerate(painted.targets):
        np.testing.assert_array_equal(target.mask(), mask(row))


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
    with pytest.raises(ValueError, match="2 maps for 6 rows"):
        localization_report(by([torch.zeros(1, 1)] * 2), painted)


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


def test_a_prompt_of_several_windows_is_their_mean(embedder: Embedder, painted: Painted):
    vectors_RD = prompt_vectors(embedder, painted)
    windows_KD = embedder.embed_segments(painted.prompt(3, embedder.model.config.inputs))
    torch.testing.assert_close(vectors_RD[3], windows_KD.mean(dim=0))


def test_controls_of_a_model(embedder: Embedder, painted: Painted):
    report = evaluate_localization(embedder, painted, LocalizationConfig(num_bootstrap=20))
    controls = {m.said_by: m for m in localization_controls(embedder, painted, report.maps)}
    assert set(controls) == {
        "oracle", "untrained", "swapped_sound", "mirrored_map", "mirrored_picture", "every_object",
        "unlike_background", "centre", "constant",
    }  # fmt: skip
    torch.testing.assert_close(controls["mirrored_map"].maps[0], report.maps.maps[0].flip(1))
    again = localization_report(report.maps, painted, LocalizationConfig(num_bootstrap=20))
    assert again.to_json() == report.to_json()
    assert report.weights == controls["swapped_sound"].weights
    assert controls["oracle"].weights == ""
