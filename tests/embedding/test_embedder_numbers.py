"""The embedder against the formulas of the model written out plainly, one picture at a time."""

import copy

import pytest
import torch
from torch import Tensor

from cavmae_sync.compute import float32_products_in, int8_problem
from cavmae_sync.embedding import Embedder
from cavmae_sync.inputs import InputConfig
from cavmae_sync.model import CAVMAESync, ModelConfig
from cavmae_sync.paper import LAYER_NORM_EPSILON

CPU = torch.device("cpu")


@pytest.fixture(scope="module")
def model():
    config = ModelConfig(
        inputs=InputConfig(frame_pixels=48, segment_length=32), width=64, depth=2, heads=4, decoder=None
    )
    return CAVMAESync(config, generator=torch.Generator().manual_seed(0)).eval()


@pytest.fixture(scope="module")
def frames():
    return torch.randn(5, 3, 48, 48, generator=torch.Generator().manual_seed(1))


@torch.no_grad()
def by_the_book(model: CAVMAESync, frame: Tensor) -> Tensor:
    """The unit global token of one frame, from the weights alone (spec 2.5), in their type."""
    weights = model.state_dict()

    def norm(rows, name):
        centred = rows - rows.mean(-1, keepdim=True)
        scaled = centred / (centred.square().mean(-1, keepdim=True) + LAYER_NORM_EPSILON).sqrt()
        return scaled * weights[f"{name}.weight"] + weights[f"{name}.bias"]

    def linear(rows, name):
        return rows @ weights[f"{name}.weight"].T + weights[f"{name}.bias"]

    def block(rows, name, use):
        query, key, value = linear(norm(rows, f"{name}.norm1{use}"), f"{name}.attn.qkv").chunk(3, dim=-1)
        heads = []
        for q, k, v in zip(*(part.split(16, dim=-1) for part in (query, key, value)), strict=True):
            heads.append(torch.softmax(q @ k.T / 16**0.5, dim=-1) @ v)
        rows = rows + linear(torch.cat(heads, dim=-1), f"{name}.attn.proj")
        hidden = linear(norm(rows, f"{name}.norm2{use}"), f"{name}.mlp.fc1")
        return rows + linear(hidden * (1 + torch.erf(hidden / 2**0.5)) / 2, f"{name}.mlp.fc2")

    patches = []
    for row in range(0, 48, 16):
        for column in range(0, 48, 16):
            pixels = frame[:, row : row + 16, column : column + 16].flatten()
            filters = weights["visual.patch_embed.proj.weight"].flatten(1)
            patches.append(filters @ pixels + weights["visual.patch_embed.proj.bias"])
    rows = (
        torch.stack(patches)
        + model.visual.positions_ND.to(frame.dtype).view(9, 64)
        + weights["visual.modality"]
    )
    rows = torch.cat([weights["visual.global_token"][None], rows, weights["visual.registers"]])
    for depth in range(2):
        rows = block(rows, f"visual.blocks.{depth}", "")
    rows = block(rows[:10], "joint.blocks.0", "_v")
    vector = norm(rows, "joint.norm_v")[0]
    return vector / vector.square().sum().sqrt()


@pytest.mark.parametrize("batch_size", [1, 2, 64])
@pytest.mark.parametrize("kind", ["highest", "medium"])
def test_float32_is_that_of_the_formulas_to_a_billionth(model, frames, batch_size, kind):
    """1 - cosine against float64, from the distance of the unit vectors."""
    exact_model = copy.deepcopy(model).double()
    exact = torch.stack([by_the_book(exact_model, frame.double()) for frame in frames])
    embedder = Embedder(model, device=CPU, batch_size=batch_size, float32_products=kind)
    found = embedder.embed_frames(frames).visual_PD
    assert ((found.double() - exact).square().sum(-1) / 2).max() <= 1e-9


def test_the_global_token_alone_is_the_one_beside_the_patches(model, frames):
    embedder = Embedder(model, device=CPU)
    alone, beside = embedder.embed_frames(frames), embedder.embed_frames(frames, with_patches=True)
    torch.testing.assert_close(alone.visual_PD, beside.visual_PD, atol=1e-6, rtol=0)


@pytest.mark.skipif(int8_problem(CPU) is not None, reason="no exact int8 products here")
def test_int8_is_close_finite_and_the_same_in_any_batch(model, frames):
    before = {name: value.clone() for name, value in model.state_dict().items()}
    exact = Embedder(model, device=CPU).embed_frames(frames).visual_PD
    found = [
        Embedder(model, device=CPU, precision="int8", batch_size=size).embed_frames(frames).visual_PD
        for size in (1, 2, 64)
    ]
    assert ((found[0] - exact).square().sum(-1) / 2).max() < 1e-3
    assert not torch.equal(found[0], exact)
    for other in found[1:]:  # a value between two steps may fall to either side
        torch.testing.assert_close(other, found[0], atol=2e-3, rtol=0)
    assert all(torch.equal(value, before[name]) for name, value in model.state_dict().items())


def test_made_with_says_how_it_was_computed(model):
    made_with = Embedder(model, device=CPU, float32_products="medium").made_with()
    assert (made_with["precision"], made_with["float32_products"]) == ("float32", "medium")
    for kind in ("highest", "medium"):
        with float32_products_in(kind):
            made_here = Embedder(model, device=CPU)
        assert made_here.made_with()["float32_products"] == kind
