"""Parts of the sound that belong to a frame, against the truth of a stage."""

import numpy as np
import pytest

from cavmae_sync.data import PreparedDataset
from cavmae_sync.embedding import Embedder
from cavmae_sync.stage import StageTruth
from cavmae_sync.tasks.localization.evaluate import LocalizationConfig
from cavmae_sync.tasks.localization.sound_parts import evaluate_sound_parts, share_of_weight

from ...small_models import small_model

CONFIG = LocalizationConfig(num_bootstrap=20, num_masks=6)


def test_share_counts_positive_weight_only():
    truth_L = np.array([True, False, True, False])
    assert share_of_weight(np.float32([3, 1, 0, 0]), truth_L) == 0.75
    assert share_of_weight(np.float32([1, -5, 1, 0]), truth_L) == 1.0
    assert share_of_weight(np.float32([-1, -5, 0, -2]), truth_L) == 0.5, "no weight is a guess"


@pytest.fixture
def listener() -> Embedder:
    return Embedder(small_model(frame_pixels=32, segment_length=96), device="cpu")


@pytest.mark.parametrize("contrast", [False, True])
def test_a_report_has_the_model_and_its_controls(
    listener: Embedder, prepared: PreparedDataset, stage_folder, contrast: bool
):
    done = []
    config = CONFIG.model_copy(update={"contrast": contrast})
    report = evaluate_sound_parts(
        listener, prepared.head(6), StageTruth(stage_folder), config, on_progress=lambda *d: done.append(d)
    )
    groups = {name.rpartition("/")[0] for name in report.metrics}
    assert groups == {"", "swapped_frame", "untrained", "whole_segments", "loudness"}
    assert done[-1] == (12, 12)
    for value in report.metrics.values():
        assert 0 < value.chance < 1
        assert value.low <= value.value <= value.high
    # Weights from the same generator: the untrained model is this one.
    assert report.metrics["untrained/share_of_weight"] == report.metrics["share_of_weight"]
    assert (
        report.metrics["loudness/share_of_weight"].value > report.metrics["loudness/share_of_weight"].chance
    )
    assert report.counts["frames"] > 0
