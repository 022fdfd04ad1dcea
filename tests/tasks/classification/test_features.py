"""Features of frames and segments: each kind by hand, in the order sound, frames."""

import pytest
import torch

from cavmae_sync.data import ClipDataset, PreparedDataset
from cavmae_sync.embedding import Embedder
from cavmae_sync.errors import ConfigError
from cavmae_sync.inputs.model_input import ModelInput
from cavmae_sync.model import CAVMAESync, segment_image
from cavmae_sync.tasks.classification.features import (
    FeatureConfig,
    embed_features,
    features_of,
    features_of_inputs,
)

WIDTH = 16


@pytest.fixture
def pairs() -> tuple[torch.Tensor, torch.Tensor]:
    """Three different pairs."""
    generator = torch.Generator().manual_seed(1)
    return (
        torch.randn(3, 416, 128, generator=generator),
        torch.randn(3, 3, 32, 32, generator=generator),
    )


@torch.no_grad()
def test_published_features_are_the_global_tokens_before_the_joint_layer(model: CAVMAESync, pairs):
    """Spec 2.10: concat(a[:, 0], v[:, 0]), before the joint layer, not normalised."""
    audio = model.audio(segment_image(pairs[0]))
    visual = model.visual(pairs[1])
    by_hand = torch.cat([audio.to_sequence()[:, 0], visual.to_sequence()[:, 0]], dim=1)
    torch.testing.assert_close(features_of(model, *pairs, FeatureConfig()), by_hand)


@torch.no_grad()
@pytest.mark.parametrize("tokens", ["global", "patch_mean", "register_mean"])
def test_kinds_of_token(model: CAVMAESync, pairs, tokens):
    row = model.visual(pairs[1]).to_sequence()  # 1 global token, 4 patches, 2 registers
    by_hand = {
        "global": row[:, 0],
        "patch_mean": row[:, 1:5].mean(dim=1),
        "register_mean": row[:, 5:].mean(dim=1),
    }[tokens]
    config = FeatureConfig(tokens=tokens, modalities="visual")
    torch.testing.assert_close(features_of(model, *pairs, config), by_hand)


@torch.no_grad()
def test_features_behind_the_joint_layer_are_what_retrieval_compares(model: CAVMAESync, pairs):
    features = features_of(model, *pairs, FeatureConfig(depth="joint", modalities="audio"))
    torch.testing.assert_close(features, model.encode_audio(pairs[0]).representation())


@torch.no_grad()
def test_the_released_code_for_one_modality(model: CAVMAESync, pairs):
    """Spec 2.10: joint block with the norms of the joint pass, `norm`, mean over all tokens, global too."""
    row = model.audio(segment_image(pairs[0])).without_registers().to_sequence()
    for block in model.joint.blocks:
        row = row + block.attn(block.norm1(row))
        row = row + block.mlp(block.norm2(row))
    by_hand = model.joint.norm(row).mean(dim=1)
    config = FeatureConfig(depth="official", modalities="audio")
    torch.testing.assert_close(features_of(model, *pairs, config), by_hand)


@torch.no_grad()
def test_both_is_audio_then_visual_and_one_ignores_the_other(model: CAVMAESync, pairs):
    both, audio, visual = (
        features_of(model, *pairs, FeatureConfig(modalities=which)) for which in ("both", "audio", "visual")
    )
    assert torch.equal(both, torch.cat([audio, visual], dim=1))
    silent = features_of(model, torch.zeros_like(pairs[0]), pairs[1], FeatureConfig(modalities="visual"))
    torch.testing.assert_close(silent, visual)


def test_gradients_reach_the_model_also_through_rows_that_repeat(model: CAVMAESync, pairs):
    """Three equal windows are encoded once, and weigh three times in the gradient."""
    segments = pairs[0][:1].expand(3, -1, -1)
    config = FeatureConfig(modalities="audio")
    features_of(model, segments, pairs[1], config).sum().backward()
    thrice = model.audio.modality.grad.clone()
    model.zero_grad()
    features_of(model, segments[:1], pairs[1], config).sum().backward()
    torch.testing.assert_close(thrice, 3 * model.audio.modality.grad)


def test_a_dataset_a_clip_and_a_batch_give_the_same(model: CAVMAESync, prepared: PreparedDataset):
    inputs = model.config.inputs
    embedder = Embedder(model, device="cpu", batch_size=8)
    stored = embed_features(embedder, prepared, FeatureConfig())
    assert (stored.dtype, stored.shape) == (torch.float16, (14, 4, 2 * WIDTH))
    batch = ClipDataset(prepared, inputs=inputs)[3]
    clip = ModelInput(frames_TCHW=batch.normalized_frames(), segments_TLM=batch.segments_PLM)
    alone = features_of_inputs(embedder, clip, FeatureConfig())
    with torch.no_grad():
        together = features_of(model, batch.segments_PLM, batch.normalized_frames(), FeatureConfig())
    torch.testing.assert_close(alone, together, atol=1e-5, rtol=1e-5)
    torch.testing.assert_close(stored[3].float(), alone, atol=1e-3, rtol=1e-3)  # float16


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"depth": "joint", "tokens": "register_mean"}, "has no registers"),
        ({"depth": "official"}, "needs modalities=audio or visual"),
        ({"depth": "official", "modalities": "audio", "tokens": "patch_mean"}, "leaves tokens as they are"),
    ],
)
def test_contradictions_are_refused(fields, message):
    with pytest.raises(ValueError, match=message):
        FeatureConfig(**fields)


def test_tokens_that_a_model_lacks_are_refused(plain_model: CAVMAESync):
    with pytest.raises(ConfigError, match="no global token"):
        FeatureConfig().width(plain_model.config)
    with pytest.raises(ConfigError, match="no registers"):
        FeatureConfig(tokens="register_mean").width(plain_model.config)
    assert FeatureConfig(tokens="patch_mean").width(plain_model.config) == 2 * WIDTH


@torch.no_grad()
def test_features_of_unit_length_are_what_libraries_hold(model: CAVMAESync, pairs):
    embedder = Embedder(model, device="cpu")
    config = FeatureConfig(depth="joint", length="unit")
    features = features_of(model, *pairs, config)
    torch.testing.assert_close(features[:, :WIDTH], embedder.embed_segments(pairs[0]))
    torch.testing.assert_close(features[:, WIDTH:], embedder.embed_frames(pairs[1]).visual_PD)
