"""Arithmetic counted by hand on a toy, against the published sizes, and against torch's own counter."""

import pytest
import torch
from torch.utils.flop_counter import FlopCounterMode

from cavmae_sync.compute import float32_products_in
from cavmae_sync.inputs import InputConfig
from cavmae_sync.model import CAVMAESync, DecoderConfig, Mask, MaskPair, ModelConfig, RequestedOutputs
from cavmae_sync.model.flops import block_flops, embedding_flops, pretraining_flops

TOY = ModelConfig(
    inputs=InputConfig(frame_pixels=32, segment_length=32),
    width=16,
    depth=2,
    heads=2,
    registers=3,
    decoder=DecoderConfig(width=8, depth=2, heads=2),
)


@pytest.fixture
def counter():
    """Torch's counter. It does not know the fused kernel of the CPU, which "medium" does not choose."""
    with float32_products_in("medium"), FlopCounterMode(display=False) as counter:
        yield counter


def test_a_block_counted_by_hand():
    """3 tokens of width 4, hidden width 8: qkv, projection, perceptron, attention."""
    products = 3 * 4 * 12 + 3 * 4 * 4 + 2 * 3 * 4 * 8 + 2 * 3 * 3 * 4
    assert block_flops(3, width=4, mlp_ratio=2) == 2 * products


def test_a_block_that_is_asked_for_one_token_computes_keys_and_values_of_all():
    products = 3 * 4 * 8 + 1 * 4 * 4 + 1 * 4 * 4 + 2 * 1 * 4 * 8 + 2 * 1 * 3 * 4
    assert block_flops(3, width=4, mlp_ratio=2, num_queries=1) == 2 * products


def test_the_published_sizes():
    """Counted before on the published code: 1200.6 billion for 16 frames and segments, 136 for a step."""
    published = ModelConfig()
    features = embedding_flops(published, num_frames=16, num_segments=16, with_patches=True)
    step = pretraining_flops(published, mask_ratio=0.75, only_wanted=False)
    assert features / 1e9 == pytest.approx(1200.6, abs=0.05)
    assert step / 1e9 == pytest.approx(136, abs=0.5)


@pytest.mark.parametrize("with_patches", [True, False])
@pytest.mark.parametrize(
    "changes", [{}, {"registers_in_joint": True, "contrastive_head_depth": 1}, {"joint_depth": 2}]
)
def test_embedding_is_what_torch_counts(with_patches, changes, counter):
    config = TOY.model_copy(update=changes)
    model = CAVMAESync(config).eval()
    with torch.inference_mode():
        model.encode_audio(torch.zeros(2, 32, 128), with_patches=with_patches)
        model.encode_visual(torch.zeros(3, 3, 32, 32), with_patches=with_patches)
    counted = embedding_flops(config, num_frames=3, num_segments=2, with_patches=with_patches)
    assert counted == counter.get_total_flops()


def test_a_pretraining_pass_is_what_torch_counts(counter):
    model = CAVMAESync(TOY)
    masks = {
        f"{name}_mask": Mask.from_noise(torch.rand(1, count), ratio=0.75)
        for name, count in (("audio", 16), ("visual", 4))
    }
    with torch.no_grad():
        wanted = RequestedOutputs(predicted="hidden", patch_tokens=False)
        model(torch.zeros(1, 32, 128), torch.zeros(1, 3, 32, 32), **masks, outputs=wanted)
    forward = pretraining_flops(TOY, mask_ratio=0.75) / 3
    assert forward == counter.get_total_flops()


def test_a_second_pass_and_fewer_reconstructions_are_what_torch_counts(counter):
    model = CAVMAESync(TOY)
    first, second = (
        [Mask.from_noise(torch.rand(4, count), ratio=ratio) for count in (16, 4)] for ratio in (0.75, 0.5)
    )
    with torch.no_grad():
        wanted = RequestedOutputs(predicted="hidden", predict_every=4, patch_tokens=False)
        model(
            torch.zeros(4, 32, 128),
            torch.zeros(4, 3, 32, 32),
            audio_mask=first[0],
            visual_mask=first[1],
            contrastive_masks=MaskPair(audio=second[0], visual=second[1]),
            outputs=wanted,
        )
    pair = pretraining_flops(TOY, mask_ratio=0.75, contrastive_mask_ratio=0.5, reconstruct_every=4)
    assert 4 * pair / 3 == counter.get_total_flops()


def test_a_model_without_decoder_cannot_be_pretrained():
    with pytest.raises(ValueError, match="without a decoder"):
        pretraining_flops(TOY.model_copy(update={"decoder": None}), mask_ratio=0.75)
