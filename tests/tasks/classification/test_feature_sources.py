"""Features from files and features computed for each batch: the same, unless clips are changed."""

import pytest
import torch

from cavmae_sync.data import Draw, PreparedDataset
from cavmae_sync.data.loading.targets import class_names, label_vectors, smoothed
from cavmae_sync.embedding import Embedder
from cavmae_sync.inputs.augment import AugmentConfig
from cavmae_sync.model import CAVMAESync
from cavmae_sync.tasks.classification.feature_cache import StoredFeatures
from cavmae_sync.tasks.classification.feature_sources import Changes, ComputedSource, StoredSource
from cavmae_sync.tasks.classification.features import FeatureConfig, embed_features

DRAWS = [[Draw(0, 3), Draw(0, 0)], [Draw(0, 9)]]


@pytest.fixture
def embedder(model: CAVMAESync) -> Embedder:
    return Embedder(model, device="cpu", batch_size=8)


@pytest.fixture
def is_true_NC(prepared: PreparedDataset) -> torch.Tensor:  # noqa: N802 (a tensor's name)
    return label_vectors(prepared, class_names(prepared))


def computed(embedder, prepared, is_true_NC, *, with_gradients=False, num_workers=0, changes=None):
    return ComputedSource(
        embedder,
        prepared,
        is_true_NC,
        config=FeatureConfig(),
        changes=changes or Changes(),
        with_gradients=with_gradients,
        num_workers=num_workers,
    )


def test_stored_and_computed_features_agree_to_float16(embedder, prepared, is_true_NC):
    parts = (embed_features(embedder, prepared, FeatureConfig()).numpy(),)
    stored = StoredSource(StoredFeatures(parts), is_true_NC, smoothing=0.0, device=embedder.device)
    anew = computed(embedder, prepared, is_true_NC)
    assert stored.num_clips == anew.num_clips == 14
    for one, other in zip(stored.batches(DRAWS), anew.batches(DRAWS), strict=True):
        torch.testing.assert_close(one.features_BTD, other.features_BTD, atol=2e-3, rtol=1e-3)
        assert torch.equal(one.targets_BC, other.targets_BC)


def test_with_gradients_or_without_the_features_are_the_same(embedder, prepared, is_true_NC):
    without = computed(embedder, prepared, is_true_NC)
    carrying = computed(embedder, prepared, is_true_NC, with_gradients=True)
    for one, other in zip(without.batches(DRAWS), carrying.batches(DRAWS), strict=True):
        torch.testing.assert_close(one.features_BTD, other.features_BTD, atol=1e-5, rtol=1e-5)
        assert (one.features_BTD.requires_grad, other.features_BTD.requires_grad) == (False, True)


def test_targets_belong_to_the_clips_that_were_drawn(embedder, prepared, is_true_NC):
    source = computed(embedder, prepared, is_true_NC, changes=Changes(smoothing=0.1))
    for draws, batch in zip(DRAWS, source.batches(DRAWS), strict=True):
        expected = smoothed(is_true_NC[[draw.clip for draw in draws]], smoothing=0.1)
        assert torch.equal(batch.targets_BC, expected)


def test_mixed_clips_have_mixed_targets(embedder, prepared, is_true_NC):
    changes = Changes(augment=AugmentConfig(mixup_probability=1.0), smoothing=0.1, seed=3)
    source = computed(embedder, prepared, is_true_NC, changes=changes)
    plain = computed(embedder, prepared, is_true_NC)
    for draws, mixed, alone in zip(DRAWS, source.batches(DRAWS), plain.batches(DRAWS), strict=True):
        assert not torch.allclose(mixed.features_BTD, alone.features_BTD)
        expected = source.dataset.mixing.targets(draws, is_true_NC, smoothing=0.1)
        assert torch.equal(mixed.targets_BC, expected)
        assert not torch.equal(expected, smoothed(is_true_NC[[d.clip for d in draws]], smoothing=0.1))


def test_workers_change_nothing(embedder, prepared, is_true_NC):
    """They read ahead and mix clips, this process mixes labels: both from the draw."""
    everything = AugmentConfig(
        mixup_probability=0.5,
        frequency_mask_bins=48,
        time_mask_length=192,
        rolls_time=True,
        noise_amplitude=0.1,
        crops_frames=True,
        flip_probability=0.5,
    )
    draws = [*DRAWS, [Draw(1, 3), Draw(1, 3, 1)], [Draw(2, 5)]]
    changes = Changes(augment=everything, smoothing=0.1, seed=3)
    here, there = (
        computed(embedder, prepared, is_true_NC, changes=changes, num_workers=num_workers).batches(draws)
        for num_workers in (0, 2)
    )
    for one, other in zip(here, there, strict=True):
        assert torch.equal(one.features_BTD, other.features_BTD)
        assert torch.equal(one.targets_BC, other.targets_BC)
