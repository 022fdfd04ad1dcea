"""Labels as numbers."""

import pytest
import torch

from cavmae_sync.data import PrepareConfig, PreparedDataset, prepare
from cavmae_sync.data.loading.targets import class_names, label_vectors, smoothed
from cavmae_sync.errors import DatasetError


def test_classes_are_all_labels_in_order(prepared: PreparedDataset):
    classes = class_names(prepared)
    assert list(classes) == sorted({name for names in prepared.labels for name in names})


def test_a_vector_says_which_labels_a_clip_has(prepared: PreparedDataset):
    classes = class_names(prepared)
    is_true_NC = label_vectors(prepared, classes)
    assert is_true_NC.dtype == torch.bool
    for row, names in enumerate(prepared.labels):
        assert {classes[c] for c in is_true_NC[row].nonzero().flatten()} == set(names)


def test_smoothing_by_hand():
    """Spec 4.2: background 0.1 / C, true classes 0.9, also where there are several."""
    is_true_C = torch.tensor([True, False, True, False])
    torch.testing.assert_close(smoothed(is_true_C, smoothing=0.1), torch.tensor([0.9, 0.025, 0.9, 0.025]))
    torch.testing.assert_close(smoothed(is_true_C, smoothing=0.0), is_true_C.float())


def test_with_one_label_a_row_sums_to_a_little_less_than_one():
    """Spec 4.2: 0.9 + 0.1 * 308 / 309 = 0.9997 for VGGSound."""
    is_true_C = torch.zeros(309, dtype=torch.bool)
    is_true_C[7] = True
    assert float(smoothed(is_true_C, smoothing=0.1).sum()) == pytest.approx(0.9 + 0.1 * 308 / 309, abs=1e-5)


def test_labels_that_training_does_not_know_are_named(prepared: PreparedDataset):
    classes = class_names(prepared)
    with pytest.raises(DatasetError, match=f"no training clip has: {classes[0]}"):
        label_vectors(prepared, classes[1:])


def test_clips_without_labels_say_how_to_prepare(stage_folder, tmp_path):
    bare = tmp_path / "bare"
    config = PrepareConfig(clip_seconds=1.0, num_frames=4, frame_pixels=32)
    prepare(stage_folder / "clips", out=bare, config=config, num_workers=0)
    with pytest.raises(DatasetError, match=r"14 of 14 clips of .* have no label: .*--labels FILE"):
        class_names(PreparedDataset.open(bare))
