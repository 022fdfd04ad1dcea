"""Parity with the official model class, whose outputs on random weights are stored in tests/golden."""

import pytest
import torch

from cavmae_sync.losses import PretrainLosses, pretrain_losses
from cavmae_sync.model import Mask, unpatchify
from cavmae_sync.weights import from_official, to_official

from .conftest import Golden

FLOAT64, FLOAT32 = 1e-5, 1e-3


def masked_pass(golden: Golden):
    audio_mask = Mask.from_noise(golden.data["noise_a"], ratio=0.75)
    visual_mask = Mask.from_noise(golden.data["noise_v"], ratio=0.75)
    return golden.model(
        golden.segments_PLM, golden.frames_PCHW, audio_mask=audio_mask, visual_mask=visual_mask
    )


def masked_losses(golden: Golden) -> PretrainLosses:
    return pretrain_losses(
        masked_pass(golden),
        golden.segments_PLM,
        golden.frames_PCHW,
        contrastive_weight=0.1,
        normalize_pixels=True,
    )


def check_features(golden: Golden, tolerance: float) -> None:
    with torch.no_grad():
        encoded = golden.model.encode(golden.segments_PLM, golden.frames_PCHW)
    for side, tokens in (("a", encoded.audio), ("v", encoded.visual)):
        found = {
            f"feat_patch_{side}": tokens.patch_tokens_PND[:2, :40],
            f"feat_patch_{side}_mean": tokens.patch_tokens_PND.mean(dim=1),
        }
        if golden.name == "sync_4s_8reg":
            found[f"feat_global_{side}"] = tokens.global_token_PD
        for key, value in found.items():
            torch.testing.assert_close(
                value,
                golden.data[key].to(golden.dtype),
                atol=tolerance,
                rtol=0,
                msg=lambda m, key=key: f"{key}: {m}",
            )


def check_losses(golden: Golden, tolerance: float) -> None:
    losses = masked_losses(golden)
    assert losses.total.item() == pytest.approx(golden.data["loss"], abs=tolerance)
    assert losses.contrastive.item() * 0.1 == pytest.approx(golden.data["loss_c_weighted"], abs=tolerance)
    assert losses.audio_reconstruction.item() == pytest.approx(golden.data["loss_mae_a"], abs=tolerance)
    assert losses.visual_reconstruction.item() == pytest.approx(golden.data["loss_mae_v"], abs=tolerance)
    assert losses.contrastive_accuracy.item() == golden.data["c_acc"]


def test_features_equal_the_official_ones(golden: Golden):
    check_features(golden, FLOAT64)


def test_features_equal_the_official_ones_in_float32(golden_float32: Golden):
    check_features(golden_float32, FLOAT32)


def test_masks_from_noise_equal_the_official_ones(golden: Golden):
    for side in "av":
        mask = Mask.from_noise(golden.data[f"noise_{side}"], ratio=0.75)
        assert torch.equal(mask.hidden_PN, golden.data[f"mask_{side}"])


def test_losses_equal_the_official_ones(golden: Golden):
    check_losses(golden, FLOAT64)


def test_losses_equal_the_official_ones_in_float32(golden_float32: Golden):
    check_losses(golden_float32, FLOAT32)


def test_reconstructions_equal_the_official_ones(golden: Golden):
    """Stored in half precision: half a unit in the last place of values below 4 is 0.001."""
    with torch.no_grad():
        output = masked_pass(golden)
    config = golden.model.config
    audio = unpatchify(output.audio_reconstruction_PNX[:1], grid=config.audio_grid).permute(0, 2, 3, 1)
    visual = unpatchify(output.visual_reconstruction_PNX[:1], grid=config.visual_grid).permute(0, 2, 3, 1)
    for found, key in ((audio, "recon_a"), (visual[:, :64], "recon_v")):
        expected = golden.data[key]
        torch.testing.assert_close(found.half(), expected, atol=2e-3, rtol=1e-3)


def test_every_gradient_equals_the_official_one(golden: Golden):
    masked_losses(golden).total.backward()
    ours = {name: parameter.grad for name, parameter in golden.model.named_parameters()}
    assert all(gradient is not None for gradient in ours.values()), "a parameter takes no part in the loss"
    # The conversion of weights is linear, so it converts gradients too.
    gradients_as_model = type(golden.model)(golden.model.config).to(golden.dtype)
    gradients_as_model.load_state_dict(ours)
    found = {key.removeprefix("module."): value for key, value in to_official(gradients_as_model).items()}
    for name, norm in golden.data["grad_norms"].items():
        if norm is not None:
            assert found[name].norm().item() == pytest.approx(norm, rel=1e-5, abs=1e-9), name


def test_the_official_layout_survives_a_round_trip(golden: Golden):
    original = golden.data["state_dict"]
    written = to_official(golden.model)
    assert written.keys() == original.keys()
    assert {key: value.shape for key, value in written.items()} == {
        key: value.shape for key, value in original.items()
    }
    _, again = from_official(written, config=golden.model.config)
    state = golden.model.state_dict()
    assert again.keys() == state.keys()
    assert all(torch.equal(again[key], state[key].float()) for key in state)
    for key, value in written.items():
        used = "_a." not in key and "_v." not in key and "pos_embed" not in key
        if used:
            torch.testing.assert_close(value.float(), original[key].float(), atol=0, rtol=0)
