"""The authors' key layout and the ImageNet MAE start (spec 2.3, 3.5, 7.1, 7.14)."""

import math
from typing import Any

import pytest
import torch
from torch import Tensor
from torch._subclasses.fake_tensor import FakeTensorMode

from cavmae_sync.errors import WeightsError
from cavmae_sync.inputs import InputConfig
from cavmae_sync.model import CAVMAESync, DecoderConfig, ModelConfig
from cavmae_sync.weights import from_mae, from_official, to_official

from ...model.conftest import tiny_config
from ..official_files import mae_file

PLAIN = ModelConfig(global_token=False, registers=0, inputs=InputConfig(segment_length=1024))


def shapes_of(config: ModelConfig) -> dict[str, tuple[int, ...]]:
    """Shapes in the authors' layout. Fake tensors hold no memory."""
    with FakeTensorMode():
        theirs = to_official(CAVMAESync(config))
    return {key: tuple(value.shape) for key, value in theirs.items()}


@pytest.fixture(scope="module")
def released() -> dict[str, tuple[int, ...]]:
    return shapes_of(ModelConfig())


def test_the_released_model_has_the_published_counts(released: dict[str, tuple[int, ...]]):
    num_values = {key: math.prod(shape) for key, shape in released.items()}
    assert len(released) == 650
    assert sum(num_values.values()) == 190_660_864
    positions = sum(num for key, num in num_values.items() if "pos_embed" in key)
    assert sum(num_values.values()) - positions == 190_143_744


def test_we_build_all_but_the_norms_that_no_pass_uses():
    with FakeTensorMode():
        ours = sum(parameter.numel() for parameter in CAVMAESync(ModelConfig()).parameters())
    assert ours + 167_936 == 190_143_744


@pytest.mark.parametrize(
    ("config", "num_tensors", "num_values"),
    [(PLAIN, 647, 191_036_160), (ModelConfig(contrastive_head_depth=2), 730, 219_036_928)],
    ids=["plain CAV-MAE", "with heads"],
)
def test_other_published_counts(config: ModelConfig, num_tensors: int, num_values: int):
    shapes = shapes_of(config)
    assert len(shapes) == num_tensors
    assert sum(math.prod(shape) for shape in shapes.values()) == num_values


@pytest.mark.parametrize(
    ("key", "shape"),
    [
        ("pos_embed_a", (1, 208, 768)),
        ("register_tokens", (16, 768)),
        ("cls_token_v", (1, 1, 768)),
        ("patch_embed_a.proj.weight", (768, 1, 16, 16)),
        ("blocks_a.10.norm2_v.bias", (768,)),
        ("blocks_u.0.attn.qkv.weight", (2304, 768)),
        ("decoder_blocks.7.mlp.fc1.weight", (2048, 512)),
        ("decoder_pred_v.weight", (768, 512)),
    ],
)
def test_published_keys_and_shapes(released: dict[str, tuple[int, ...]], key: str, shape: tuple[int, ...]):
    assert released[f"module.{key}"] == shape


READABLE = {"width": 64, "heads": 1, "decoder": DecoderConfig(width=32, depth=1, heads=1)}
WORDS = ["heads=1", "decoder.heads=1"]


@pytest.mark.parametrize(
    "changes",
    [{}, {"registers": 0}, {"global_token": False}, {"joint_depth": 2}, {"contrastive_head_depth": 2}],
    ids=str,
)
def test_a_round_trip_keeps_configuration_and_weights(changes: dict[str, Any]):
    model = CAVMAESync(tiny_config(**READABLE | changes))
    config, state = from_official(to_official(model), overrides=WORDS)
    assert config == model.config
    assert state.keys() == model.state_dict().keys()
    assert all(torch.equal(state[name], value) for name, value in model.state_dict().items())


def test_the_prefix_is_optional():
    theirs = to_official(CAVMAESync(tiny_config(**READABLE)))
    bare = {key.removeprefix("module."): value for key, value in theirs.items()}
    assert from_official(bare, overrides=WORDS)[0] == from_official(theirs, overrides=WORDS)[0]


def broken(**changes: Tensor | None) -> dict[str, Tensor]:
    theirs = to_official(CAVMAESync(tiny_config(**READABLE)))
    for name, value in changes.items():
        if value is None:
            del theirs[f"module.{name}"]
        else:
            theirs[f"module.{name}"] = value
    return theirs


@pytest.mark.parametrize(
    ("state", "says"),
    [
        ({"weight": torch.zeros(2)}, r"a model that is not known here \(1: weight\)"),
        (broken(decoder_pos_embed_v=None), "not exactly that: missing: decoder_pos_embed_v"),
        (broken(pos_embed_a=torch.zeros(1, 16, 64)), "pos_embed_a .* is not the fixed sine-cosine table"),
    ],
    ids=["no weights of theirs", "no table", "learned positions"],
)
def test_other_files_are_refused(state: dict[str, Tensor], says: str):
    with pytest.raises(WeightsError, match=says):
        from_official(state, overrides=WORDS)


def test_heads_that_no_tensor_shows_are_asked_for():
    says = r"heads of width 16 and decoder\.heads of width 8 .*width 768 has 12 and width 512 has 16.*heads=N"
    with pytest.raises(WeightsError, match=says):
        from_official(to_official(CAVMAESync(tiny_config())))


def mae_checkpoint(*, depth: int = 12) -> dict[str, Tensor]:
    """An ImageNet MAE ViT with decoder, made up, with the keys of the published one."""
    return mae_file(width=16, decoder_width=8, depth=depth)


class TestFromMae:
    model = CAVMAESync(tiny_config(depth=11))

    def test_exactly_the_published_parts_stay_fresh(self):
        fresh = self.model.state_dict().keys() - from_mae(mae_checkpoint()).keys()
        assert fresh == {
            "audio.global_token",
            "visual.global_token",
            "audio.registers",
            "visual.registers",
            "audio.modality",
            "visual.modality",
            "decoder.modality_a",
            "decoder.modality_v",
        }

    def test_nothing_is_left_over_and_every_shape_fits(self):
        state, own = from_mae(mae_checkpoint()), self.model.state_dict()
        assert state.keys() <= own.keys()
        assert {name: value.shape for name, value in state.items()} == {n: own[n].shape for n in state}

    def test_both_encoders_start_alike_and_the_twelfth_block_is_the_joint_one(self):
        mae = mae_checkpoint()
        state = from_mae(mae)
        for name in ("audio.blocks.3", "visual.blocks.3"):
            assert torch.equal(state[f"{name}.attn.qkv.weight"], mae["blocks.3.attn.qkv.weight"])
        for suffix in ("", "_a", "_v"):
            assert torch.equal(state[f"joint.blocks.0.norm1{suffix}.bias"], mae["blocks.11.norm1.bias"])
            assert torch.equal(state[f"joint.norm{suffix}.weight"], mae["norm.weight"])

    def test_a_grey_picture_gives_the_same_tokens_as_sound(self):
        """The audio filters are the sum of the colour filters (spec 7.14)."""
        own = self.model.state_dict()
        self.model.load_state_dict(own | from_mae(mae_checkpoint()))
        grey = torch.rand(2, 1, 32, 32)
        with torch.no_grad():
            torch.testing.assert_close(
                self.model.audio.patch_embed(grey),
                self.model.visual.patch_embed(grey.expand(-1, 3, -1, -1)),
                atol=1e-4,
                rtol=0,
            )

    def test_the_audio_prediction_takes_the_first_rows(self):
        mae = mae_checkpoint()
        assert torch.equal(from_mae(mae)["decoder.predict_a.weight"], mae["decoder_pred.weight"][:256])

    @pytest.mark.parametrize(
        ("state", "says"),
        [
            ({"norm.weight": torch.ones(2)}, "a model that is not known here"),
            (mae_checkpoint(depth=24), "24 blocks; ViT-B with 12 is needed"),
            (mae_checkpoint() | {"head.weight": torch.ones(2)}, "not exactly that: unknown: head.weight"),
        ],
        ids=["one tensor", "ViT-L", "fine-tuned"],
    )
    def test_other_checkpoints_are_refused(self, state: dict[str, Tensor], says: str):
        with pytest.raises(WeightsError, match=says):
            from_mae(state)
