"""What a model must do in every configuration, and what single settings change (spec 7)."""

from typing import Any

import pytest
import torch
from torch import Tensor

from cavmae_sync.errors import WeightsError
from cavmae_sync.inputs import InputConfig
from cavmae_sync.losses import pretrain_losses
from cavmae_sync.model import (
    CAVMAESync,
    DecoderConfig,
    EncodedPair,
    Mask,
    MaskPair,
    ModelConfig,
    PretrainOutput,
)

from .conftest import tiny_config, tiny_inputs

CONFIGS: dict[str, dict[str, Any]] = {
    "published": {},
    "plain CAV-MAE": {"global_token": False, "registers": 0},
    "no global token": {"global_token": False},
    "no registers": {"registers": 0},
    "registers in joint": {"registers_in_joint": True},
    "three joint blocks": {"joint_depth": 3},
    "contrastive heads": {"contrastive_head_depth": 2},
    "everything": {"registers_in_joint": True, "joint_depth": 2, "contrastive_head_depth": 1},
    "long segments": {"inputs": InputConfig(frame_pixels=32, segment_length=112)},
    "large frames": {"inputs": InputConfig(frame_pixels=64, segment_length=32)},
    "learned positions": {"learned_positions": True},
    "wide decoder": {"decoder": DecoderConfig(width=24, depth=2, heads=3)},
}
every_config = pytest.mark.parametrize("changes", CONFIGS.values(), ids=CONFIGS)


def make_model(seed: int = 0, **changes: Any) -> CAVMAESync:
    """A tiny model in float64 whose tokens and norms are not at their symmetric start."""
    generator = torch.Generator().manual_seed(seed)
    model = CAVMAESync(tiny_config(**changes), generator=generator).double()
    with torch.no_grad():
        for parameter in model.parameters():
            parameter += 0.1 * torch.randn(parameter.shape, generator=generator, dtype=torch.float64)
    return model.eval()


def inputs_of(model: CAVMAESync, count: int = 3, seed: int = 0) -> tuple[Tensor, Tensor]:
    segments, frames = tiny_inputs(model.config, count=count, seed=seed)
    return segments.double(), frames.double()


def masks_of(model: CAVMAESync, count: int = 3, ratio: float = 0.5, seed: int = 5) -> MaskPair:
    generator = torch.Generator().manual_seed(seed)
    audio, visual = (
        Mask.from_noise(torch.rand(count, rows * columns, generator=generator), ratio=ratio)
        for rows, columns in (model.config.audio_grid, model.config.visual_grid)
    )
    return MaskPair(audio=audio, visual=visual)


def masked_pass(model: CAVMAESync, *, ratio: float = 0.5, **more: Any) -> PretrainOutput:
    masks = masks_of(model, ratio=ratio)
    return model(*inputs_of(model), audio_mask=masks.audio, visual_mask=masks.visual, **more)


def global_tokens(encoded: EncodedPair) -> Tensor:
    return torch.stack([encoded.audio.representation(), encoded.visual.representation()])


class TestEveryConfiguration:
    @every_config
    def test_shapes_follow_from_the_configuration(self, changes: dict[str, Any]):
        model = make_model(**changes)
        config, output = model.config, masked_pass(model)
        for encoded, grid in ((output.audio, config.audio_grid), (output.visual, config.visual_grid)):
            kept = int(grid[0] * grid[1] * 0.5)
            assert encoded.patch_tokens_PND.shape == (3, kept, config.width)
            assert (encoded.global_token_PD is not None) == config.global_token
            assert encoded.representation().shape == (3, config.width)
        rows, columns = config.audio_grid
        assert output.audio_reconstruction_PNX.shape == (3, rows * columns, 256)
        rows, columns = config.visual_grid
        assert output.visual_reconstruction_PNX.shape == (3, rows * columns, 768)

    @every_config
    def test_a_gradient_reaches_every_parameter(self, changes: dict[str, Any]):
        model = make_model(**changes)
        pretrain_losses(masked_pass(model), *inputs_of(model)).total.backward()
        untouched = [
            name
            for name, parameter in model.named_parameters()
            if parameter.grad is None or not parameter.grad.abs().sum() > 0
        ]
        assert untouched == []

    @every_config
    def test_a_batch_of_one_equals_a_row_of_a_batch(self, changes: dict[str, Any]):
        model = make_model(**changes)
        segments, frames = inputs_of(model)
        together, alone = model.encode(segments, frames), model.encode(segments[1:2], frames[1:2])
        assert alone.audio.representation().shape == (1, model.config.width)
        torch.testing.assert_close(global_tokens(alone), global_tokens(together)[:, 1:2])

    @every_config
    def test_hiding_nothing_equals_showing_everything(self, changes: dict[str, Any]):
        """The order of tokens does not matter to attention, so only their order differs."""
        model = make_model(**changes)
        seen, masks = model.encode(*inputs_of(model)), masks_of(model, ratio=0.0)
        output = masked_pass(model, ratio=0.0)
        for mask, shown, masked in (
            (masks.audio, seen.audio, output.audio),
            (masks.visual, seen.visual, output.visual),
        ):
            torch.testing.assert_close(masked.patch_tokens_PND, mask.take(shown.patch_tokens_PND))
            torch.testing.assert_close(masked.representation(), shown.representation())

    @every_config
    def test_sound_does_not_touch_what_vision_gives(self, changes: dict[str, Any]):
        model = make_model(**changes)
        segments, frames = inputs_of(model)
        visual = model.encode(segments, frames).visual.representation()
        assert torch.equal(visual, model.encode(segments + 1, frames).visual.representation())

    @every_config
    def test_equal_seeds_give_equal_weights(self, changes: dict[str, Any]):
        first, second = make_model(seed=3, **changes), make_model(seed=3, **changes)
        other = make_model(seed=4, **changes)
        pairs = zip(first.parameters(), second.parameters(), other.parameters(), strict=True)
        assert all(torch.equal(a, b) and not torch.equal(a, c) for a, b, c in pairs)

    @every_config
    @pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
    def test_half_precision_is_close(self, changes: dict[str, Any], dtype: torch.dtype):
        model = CAVMAESync(tiny_config(**changes), generator=torch.Generator().manual_seed(0))
        segments, frames = tiny_inputs(model.config)
        exact = global_tokens(model.encode(segments, frames))
        with torch.autocast("cpu", dtype=dtype):
            rough = global_tokens(model.encode(segments, frames))
        assert torch.cosine_similarity(exact, rough.float(), dim=-1).min() > 0.999


class TestRegisters:
    @pytest.mark.parametrize("in_joint", [False, True])
    def test_registers_change_what_is_compared(self, in_joint: bool):
        model = make_model(registers_in_joint=in_joint)
        before = global_tokens(model.encode(*inputs_of(model)))
        with torch.no_grad():
            model.audio.registers *= -1
            model.visual.registers *= -1
        after = global_tokens(model.encode(*inputs_of(model)))
        assert ((before - after).abs().amax(dim=-1) > 1e-3).all()

    def test_they_never_leave_the_model(self):
        model = make_model(registers_in_joint=True)
        output = masked_pass(model)
        assert output.audio.register_tokens_PRD is None
        assert output.visual.register_tokens_PRD is None

    def test_taking_them_through_the_joint_layer_changes_the_result(self):
        without, within = make_model(), make_model(registers_in_joint=True)
        within.load_state_dict(without.state_dict())
        differ = global_tokens(without.encode(*inputs_of(without))) - global_tokens(
            within.encode(*inputs_of(within))
        )
        assert (differ.abs().amax(dim=-1) > 1e-4).all()

    def test_in_the_joint_layer_the_decoder_still_gets_patches_alone(self):
        """The official code decodes registers as patches (spec 6.2, defect 12). With attention switched off
        no token sees another, so that the fused tokens must be those of a model without registers."""
        within, without = make_model(registers_in_joint=True), make_model(registers=0)
        without.load_state_dict({k: v for k, v in within.state_dict().items() if "registers" not in k})
        fused = []
        for model in (within, without):
            with torch.no_grad():
                for name, parameter in model.named_parameters():
                    if ".attn.proj." in name:
                        parameter.zero_()
            masks = masks_of(model)
            fused.append(model.joint.fuse(model.trunk(*inputs_of(model), masks)))
        for with_registers, reference in zip(*fused, strict=True):
            torch.testing.assert_close(with_registers, reference)


class TestJointLayer:
    def test_the_first_of_several_blocks_gets_a_contrastive_gradient(self):
        model = make_model(joint_depth=3)
        losses = pretrain_losses(masked_pass(model), *inputs_of(model), reconstruction_weight=0)
        losses.total.backward()
        for block in model.joint.blocks:
            assert block.attn.qkv.weight.grad.abs().sum() > 0

    def test_blocks_are_chained(self):
        """Two blocks equal the first, then the second: written out by hand."""
        model = make_model(joint_depth=2)
        segments, _ = inputs_of(model)
        tokens = model.audio(segments.transpose(1, 2).unsqueeze(1)).without_registers().to_sequence()
        for block in model.joint.blocks:
            tokens = tokens + block.attn(block.norm1_a(tokens))
            tokens = tokens + block.mlp(block.norm2_a(tokens))
        expected = model.joint.norm_a(tokens)
        encoded = model.encode_audio(segments)
        torch.testing.assert_close(encoded.global_token_PD, expected[:, 0])
        torch.testing.assert_close(encoded.patch_tokens_PND, expected[:, 1:])

    @pytest.mark.parametrize(
        ("names", "changes_aligned", "changes_decoded"),
        [
            (("norm1", "norm2"), False, True),
            (("norm1_a", "norm2_a", "norm1_v", "norm2_v"), True, False),
        ],
    )
    def test_each_pass_uses_its_own_norms_in_the_blocks(
        self, names: tuple[str, ...], changes_aligned: bool, changes_decoded: bool
    ):
        model = make_model()
        self.check(
            model,
            [getattr(model.joint.blocks[0], name) for name in names],
            aligned=changes_aligned,
            decoded=changes_decoded,
        )

    def test_the_last_norm_of_the_joint_pass_reaches_the_decoder_alone(self):
        model = make_model()
        self.check(model, [model.joint.norm], aligned=False, decoded=True)

    def test_the_last_norms_of_each_modality_reach_the_comparison_alone(self):
        model = make_model()
        self.check(model, [model.joint.norm_a, model.joint.norm_v], aligned=True, decoded=False)

    def check(self, model: CAVMAESync, norms: list[torch.nn.Module], *, aligned: bool, decoded: bool) -> None:
        before = masked_pass(model)
        with torch.no_grad():
            for norm in norms:
                norm.weight += torch.linspace(0, 1, len(norm.weight))
        after = masked_pass(model)
        for side in ("audio", "visual"):
            same_tokens = torch.equal(
                getattr(before, side).global_token_PD, getattr(after, side).global_token_PD
            )
            name = f"{side}_reconstruction_PNX"
            same_pixels = torch.equal(getattr(before, name), getattr(after, name))
            assert (not same_tokens, not same_pixels) == (aligned, decoded)


class TestGlobalToken:
    def test_it_has_no_position_and_no_modality(self):
        """Only patches carry them: with attention off, the global token is what was learned, transformed."""
        model = make_model(depth=1)
        with torch.no_grad():
            model.audio.blocks[0].attn.proj.weight.zero_()
            model.audio.blocks[0].attn.proj.bias.zero_()
        tokens = model.audio(inputs_of(model)[0].transpose(1, 2).unsqueeze(1))
        learned = model.audio.global_token
        block = model.audio.blocks[0]
        expected = learned + block.mlp(block.norm2(learned))
        torch.testing.assert_close(tokens.global_token_PD, expected.expand(3, -1))

    def test_without_it_the_mean_of_patch_tokens_is_compared(self):
        model = make_model(global_token=False)
        audio = model.encode(*inputs_of(model)).audio
        assert audio.global_token_PD is None
        assert torch.equal(audio.representation(), audio.patch_tokens_PND.mean(dim=1))

    def test_with_it_the_mean_can_be_asked_for(self):
        audio = make_model().encode_audio(inputs_of(make_model())[0])
        assert torch.equal(audio.representation("patch_mean"), audio.patch_tokens_PND.mean(dim=1))


class TestMasking:
    def test_pixels_of_hidden_patches_do_not_reach_the_encoder(self):
        model = make_model()
        segments, frames = inputs_of(model)
        masks = masks_of(model)
        hidden = masks.visual.hidden_PN.view(3, 1, 2, 2).repeat_interleave(16, 2).repeat_interleave(16, 3)
        changed = torch.where(hidden, 9.0, frames)
        outputs = [
            model(segments, pixels, audio_mask=masks.audio, visual_mask=masks.visual)
            for pixels in (frames, changed)
        ]
        assert torch.equal(outputs[0].visual.global_token_PD, outputs[1].visual.global_token_PD)
        assert torch.equal(outputs[0].visual_reconstruction_PNX, outputs[1].visual_reconstruction_PNX)

    def test_predictions_of_visible_patches_do_not_count(self):
        model = make_model()
        output, inputs = masked_pass(model), inputs_of(model)
        before = pretrain_losses(output, *inputs).total
        with torch.no_grad():
            for side, mask in (("audio", output.audio_mask), ("visual", output.visual_mask)):
                getattr(output, f"{side}_reconstruction_PNX")[~mask.hidden_PN] += 7
        assert torch.equal(pretrain_losses(output, *inputs).total, before)

    def test_a_second_pass_without_mask_aligns_what_inference_would(self):
        model = make_model()
        everything = MaskPair(audio=None, visual=None)
        output = masked_pass(model, contrastive_masks=everything)
        encoded = model.encode(*inputs_of(model))
        torch.testing.assert_close(output.audio.global_token_PD, encoded.audio.global_token_PD)
        torch.testing.assert_close(output.visual.global_token_PD, encoded.visual.global_token_PD)

    def test_a_second_pass_leaves_the_reconstructions_alone(self):
        model = make_model()
        once, twice = masked_pass(model), masked_pass(model, contrastive_masks=masks_of(model, seed=9))
        assert torch.equal(once.audio_reconstruction_PNX, twice.audio_reconstruction_PNX)
        assert not torch.equal(once.audio.global_token_PD, twice.audio.global_token_PD)


class TestWrongInputs:
    @pytest.mark.parametrize("shape", [(2, 48, 128), (2, 32, 64), (32, 128), (2, 1, 32, 128)])
    def test_segments_of_another_shape(self, shape: tuple[int, ...]):
        with pytest.raises(ValueError, match=r"segments must be \[P, 32, 128\], got"):
            make_model().encode_audio(torch.zeros(shape).double())

    @pytest.mark.parametrize("shape", [(2, 3, 64, 64), (2, 1, 32, 32), (3, 32, 32)])
    def test_frames_of_another_shape(self, shape: tuple[int, ...]):
        with pytest.raises(ValueError, match=r"frames must be \[P, 3, 32, 32\], got"):
            make_model().encode_visual(torch.zeros(shape).double())


def test_contrastive_heads_stand_between_joint_layer_and_comparison():
    model = make_model(contrastive_head_depth=2)
    before, inputs = masked_pass(model), inputs_of(model)
    with torch.no_grad():
        for parameter in model.joint.head_a.parameters():
            parameter.add_(0.3)
    after = masked_pass(model)
    assert not torch.equal(before.audio.global_token_PD, after.audio.global_token_PD)
    assert torch.equal(before.visual.global_token_PD, after.visual.global_token_PD)
    assert torch.equal(before.audio_reconstruction_PNX, after.audio_reconstruction_PNX)
    assert torch.equal(
        model.encode(*inputs).visual.global_token_PD,
        make_model(contrastive_head_depth=2).encode(*inputs).visual.global_token_PD,
    )


def test_sequences_have_the_published_lengths():
    """Spec 7.2: 61 and 58 tokens in the encoders, 101 fused, 404 decoded; unmasked 217 and 205."""
    model = CAVMAESync(
        ModelConfig(width=8, depth=1, heads=2, decoder=DecoderConfig(width=8, depth=1, heads=2))
    )
    lengths: dict[str, list[int]] = {}
    for name in ("audio.blocks.0", "visual.blocks.0", "joint.blocks.0", "decoder.blocks.0"):
        model.get_submodule(name).register_forward_hook(
            lambda _module, arguments, _result, name=name: lengths.setdefault(name, []).append(
                arguments[0].shape[1]
            )
        )
    segments, frames = tiny_inputs(model.config, count=1)
    masks = masks_of(model, count=1, ratio=0.75)
    model(segments, frames, audio_mask=masks.audio, visual_mask=masks.visual)
    model.encode(segments, frames)
    assert lengths == {
        "audio.blocks.0": [61, 217],
        "visual.blocks.0": [58, 205],
        "joint.blocks.0": [101, 53, 50, 209, 197],
        "decoder.blocks.0": [404],
    }


def test_fresh_weights_have_the_published_deviations():
    """Spec 2.4: registers deviate by 1, other tokens by 0.02, norms are 1 and 0, linear biases 0."""
    config = tiny_config(width=512, heads=4, depth=1, registers=16)
    model = CAVMAESync(config, generator=torch.Generator().manual_seed(0))
    assert model.audio.registers.std().item() == pytest.approx(1, rel=0.05)
    for token in (model.audio.global_token, model.visual.modality):
        assert token.std().item() == pytest.approx(0.02, rel=0.15)
    bound = (6 / (512 + 1536)) ** 0.5
    assert model.audio.blocks[0].attn.qkv.weight.abs().max().item() == pytest.approx(bound, rel=0.01)
    assert not model.audio.blocks[0].attn.qkv.bias.any()
    assert (model.joint.norm_a.weight == 1).all()


class TestWithoutADecoder:
    """Weights of a fine-tuned classifier, or of an encoder alone."""

    config = tiny_config(decoder=None)

    def test_it_encodes_as_with_one(self):
        with_decoder = CAVMAESync(tiny_config(), generator=torch.Generator().manual_seed(0)).eval()
        model = CAVMAESync(self.config).eval()
        state = {name: v for name, v in with_decoder.state_dict().items() if not name.startswith("decoder.")}
        model.load_state_dict(state, strict=True)
        inputs = tiny_inputs(self.config)
        with torch.no_grad():
            found, expected = model.encode(*inputs), with_decoder.encode(*inputs)
        assert torch.equal(found.visual.to_sequence(), expected.visual.to_sequence())

    def test_it_refuses_to_reconstruct(self):
        segments, frames = tiny_inputs(self.config)
        with pytest.raises(WeightsError, match=r"have no decoder .* neither be pretrained nor reconstruct"):
            CAVMAESync(self.config)(segments, frames, audio_mask=None, visual_mask=None)


def test_learned_positions_are_weights_and_start_at_the_fixed_ones():
    fixed, learned = CAVMAESync(tiny_config()), CAVMAESync(tiny_config(learned_positions=True))
    added = learned.state_dict().keys() - fixed.state_dict().keys()
    assert added == {
        "audio.positions_ND",
        "visual.positions_ND",
        "decoder.positions_a_ND",
        "decoder.positions_v_ND",
    }
    assert torch.equal(learned.audio.positions_ND, fixed.audio.positions_ND)
