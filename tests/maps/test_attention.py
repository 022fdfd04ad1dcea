"""Vectors of patches by attention: against a pass written out head by head, and where the answer is known."""

import pytest
import torch
from torch import Tensor

from cavmae_sync.embedding import Embedder
from cavmae_sync.errors import ConfigError
from cavmae_sync.maps import MapConfig, patch_vectors
from cavmae_sync.model import CAVMAESync
from cavmae_sync.model.block import Attention, Block

from ..small_models import small_model

ATTENTION = MapConfig(map="attention")


def embedder(**changes) -> Embedder:
    return Embedder(small_model(frame_pixels=64, segment_length=96, **changes), device="cpu")


def frames(num: int = 3) -> Tensor:
    return torch.randn(num, 3, 64, 64, generator=torch.Generator().manual_seed(0))


def test_parts_of_attention_and_its_bias_sum_to_its_result():
    torch.manual_seed(0)
    attention, tokens_BND = Attention(16, heads=4), torch.randn(2, 7, 16)
    parts_BND = attention.parts_of_first(tokens_BND)
    expected_BD = attention(tokens_BND)[:, 0]
    torch.testing.assert_close(parts_BND.sum(dim=1) + attention.proj.bias, expected_BD)


def _block(block: Block, x_ND: Tensor, norms: tuple) -> tuple[Tensor, Tensor]:
    """One frame through a block; and what each token adds to the first, head by head and token by token."""
    h, width = norms[0](x_ND), x_ND.shape[1]
    attention, size = block.attn, width // block.attn.heads
    q, k, v = (
        h @ w.T + b
        for w, b in zip(attention.qkv.weight.split(width), attention.qkv.bias.split(width), strict=True)
    )
    mixed, parts = torch.zeros_like(x_ND), torch.zeros_like(x_ND)
    for head in range(attention.heads):
        own = slice(head * size, (head + 1) * size)
        weights = torch.softmax(q[:, own] @ k[:, own].T / size**0.5, dim=1)
        mixed[:, own] = weights @ v[:, own]
        for token in range(len(x_ND)):
            parts[token] += attention.proj.weight[:, own] @ (weights[0, token] * v[token, own])
    x_ND = x_ND + attention.proj(mixed)
    return x_ND + block.mlp(norms[1](x_ND)), parts


def _written_out(model: CAVMAESync, frame_CHW: Tensor) -> Tensor:
    visual, joint = model.visual, model.joint
    patches = visual.embed_patches(frame_CHW[None])[0]
    x = torch.cat([visual.global_token[None], patches, visual.registers])
    total = torch.zeros_like(patches)
    for block in visual.blocks:
        x, parts = _block(block, x, (block.norm1, block.norm2))
        total = total + parts[1 : len(patches) + 1]
    x = x[: len(patches) + 1]
    for block in joint.blocks:
        x, parts = _block(block, x, (block.norm1_v, block.norm2_v))
        total = total + parts[1:]
    # The last norm, applied to the sum and to the parts by its derivative-free linear rule.
    mean, deviation = x[0].mean(), (x[0].var(unbiased=False) + joint.norm_v.eps).sqrt()
    token = (x[0] - mean) / deviation * joint.norm_v.weight + joint.norm_v.bias
    return (total - total.mean(dim=1, keepdim=True)) / deviation * joint.norm_v.weight / token.norm()


def test_equals_a_pass_written_out_head_by_head():
    found = embedder()
    with torch.no_grad():
        for name, parameter in found.model.named_parameters():
            if "norm" in name:  # fresh norms would hide a forgotten factor
                parameter.add_(0.3 * torch.randn(parameter.shape, generator=torch.Generator().manual_seed(1)))
        expected = torch.stack([_written_out(found.model, frame) for frame in frames()])
    torch.testing.assert_close(patch_vectors(found, frames(), ATTENTION), expected, atol=1e-5, rtol=1e-4)


def test_frames_do_not_see_each_other_and_nothing_is_left_on_the_model():
    found = embedder()
    together = patch_vectors(found, frames(), ATTENTION)
    alone = torch.cat([patch_vectors(found, frame[None], ATTENTION) for frame in frames()])
    torch.testing.assert_close(together, alone, atol=1e-5, rtol=1e-4)
    assert all(not layer._forward_hooks for layer in found.model.modules())


def test_also_with_a_head_behind_the_joint_layer():
    deep = embedder(contrastive_head_depth=1)
    assert patch_vectors(deep, frames(), ATTENTION).shape == (3, 16, 16)


@pytest.mark.parametrize("changes", [{"global_token": False}, {"representation": "patch_mean"}])
def test_a_mean_of_patches_is_an_error_that_says_what_to_use(changes: dict):
    representation = changes.pop("representation", "global")
    found = embedder(**changes).replace(representation=representation)
    with pytest.raises(ConfigError, match="map=masking"):
        patch_vectors(found, frames(), ATTENTION)
