"""Files of every layout: told apart by names, read exactly, and what they may not be."""

import json
import re
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file
from torch import Tensor, nn

from cavmae_sync.choices import Layout
from cavmae_sync.errors import ConfigError, WeightsError
from cavmae_sync.inputs import InputConfig
from cavmae_sync.model import CAVMAESync, DecoderConfig, ModelConfig
from cavmae_sync.weights import load_model, load_weights
from cavmae_sync.weights.layouts.check import MAE_HEADS, heads_of
from cavmae_sync.weights.layouts.official_names import their_shapes
from cavmae_sync.weights.layouts.recognize import recognize
from cavmae_sync.weights.weights_file import read_file

from ...model.conftest import tiny_inputs
from .. import official_files as files

INPUTS = InputConfig(frame_pixels=32, segment_length=32)
SMALL = ModelConfig(
    inputs=INPUTS,
    width=64,
    depth=2,
    heads=1,
    registers=2,
    decoder=DecoderConfig(width=32, depth=1, heads=1),
)
PLAIN = SMALL.model_copy(
    update={
        "inputs": InputConfig(frame_pixels=32, segment_length=1024),
        "registers": 0,
        "global_token": False,
    }
)
STARTED = ModelConfig(
    inputs=InputConfig(frame_pixels=32),
    width=64,
    heads=1,
    decoder=DecoderConfig(width=32, depth=1, heads=1),
)


def changed(config: ModelConfig, **changes: object) -> ModelConfig:
    return config.model_copy(update=changes)


EVERY_LAYOUT = [
    pytest.param(files.sync_file(), "sync", SMALL, id="sync"),
    pytest.param(files.sync_file(prefix=""), "sync", SMALL, id="sync without prefix"),
    pytest.param(files.sync_file(registers=0), "sync", changed(SMALL, registers=0), id="sync, no registers"),
    pytest.param(
        files.sync_file(has_contrastive_heads=True),
        "sync",
        changed(SMALL, contrastive_head_depth=2),
        id="sync with contrastive heads",
    ),
    pytest.param(
        files.sync_file(segment_length=96, depth=3, width=128),
        "sync",
        changed(SMALL, inputs=InputConfig(frame_pixels=32, segment_length=96), depth=3, width=128, heads=2),
        id="sync, other sizes",
    ),
    pytest.param(
        files.sync_file(decoder_width=None), "sync", changed(SMALL, decoder=None), id="sync, encoders"
    ),
    pytest.param(files.cavmae_file(), "cavmae", PLAIN, id="cavmae"),
    pytest.param(
        files.finetuned_file(),
        "finetuned",
        changed(SMALL, decoder=None, learned_positions=True),
        id="finetuned",
    ),
    pytest.param(
        files.finetuned_file(trained_tables=False, modalities=1),
        "finetuned",
        changed(SMALL, decoder=None),
        id="finetuned on one modality, fixed positions",
    ),
    pytest.param(
        files.cavmae_finetuned_file(),
        "finetuned",
        changed(PLAIN, decoder=None, learned_positions=True),
        id="finetuned cavmae",
    ),
    pytest.param(files.mae_file(), "mae", STARTED, id="mae"),
    pytest.param(files.timm_file(), "timm", changed(STARTED, decoder=None), id="timm"),
    pytest.param(files.timm_file(norm="fc_norm"), "timm", changed(STARTED, decoder=None), id="timm, fc_norm"),
    pytest.param(files.huggingface_file(), "huggingface", STARTED, id="huggingface"),
    pytest.param(
        files.huggingface_file(has_decoder=False),
        "huggingface",
        changed(STARTED, decoder=None),
        id="huggingface, encoder",
    ),
]


def load(path: Path, *, overrides: Sequence[str] = (), config: ModelConfig | None = None, seed: int = 0):
    """With the numbers of heads said, since no tensor of so narrow a model shows them."""
    words = files.words(read_file(path).tensors) if config is None else []
    return load_weights(path, overrides=[*words, *overrides], config=config, seed=seed)


@pytest.mark.parametrize(("state", "layout", "config"), EVERY_LAYOUT)
@pytest.mark.parametrize("kind", ["pth", "safetensors", "wrapped"])
def test_every_layout_tells_itself_apart_loads_and_encodes(
    tmp_path: Path, state: dict[str, Tensor], layout: Layout, config: ModelConfig, kind: str
):
    path = tmp_path / f"weights.{'safetensors' if kind == 'safetensors' else 'pth'}"
    if kind == "safetensors":
        save_file(state, path, metadata={"format": "pt"})
    else:
        torch.save({"epoch": 3, "model": state} if kind == "wrapped" else state, path)
    loaded = load(path)
    assert (loaded.read.layout, loaded.model.config) == (layout, config)
    pair = loaded.model.encode(*tiny_inputs(config, count=1))
    assert all(tokens.representation().isfinite().all() for tokens in (pair.audio, pair.visual))


@pytest.mark.parametrize(
    ("shapes", "config", "num_tensors", "num_values"),
    [
        ({"registers": 8}, ModelConfig(), 650, 190_660_864),
        (
            {"registers": 0, "has_global_tokens": False, "segment_length": 1024},
            ModelConfig(registers=0, global_token=False, inputs=InputConfig(segment_length=1024)),
            647,
            191_036_160,
        ),
        (
            {"registers": 8, "has_contrastive_heads": True},
            ModelConfig(contrastive_head_depth=2),
            730,
            219_036_928,
        ),
    ],
    ids=["released", "plain CAV-MAE", "with contrastive heads"],
)
def test_the_published_sizes(shapes: dict, config: ModelConfig, num_tensors: int, num_values: int):
    """The key table of the specification, and our model in the authors' names: two ways to the same files."""
    full = {"width": 768, "depth": 11, "segment_length": 416, "frame_pixels": 224}
    table = files.sync_shapes(**full | {"decoder_width": 512, "decoder_depth": 8} | shapes)
    assert (len(table), files.num_values(table)) == (num_tensors, num_values)
    assert {name: tuple(shape) for name, shape in their_shapes(config).items()} == table


def test_the_published_sizes_of_the_audioset_classifier():
    backbone = files.sync_shapes(
        width=768, depth=11, segment_length=416, frame_pixels=224, registers=8, decoder_width=None
    )
    head = files.classifier_shapes(width=1536, num_classes=527)
    assert files.num_values(backbone) == 164_280_576
    assert files.num_values(head) == 57_502_223
    assert files.num_values(backbone | head) == 221_782_799
    assert {name: tuple(shape) for name, shape in their_shapes(ModelConfig(decoder=None)).items()} == backbone


class TestMae:
    """Every way to name an ImageNet MAE gives the same start (spec 3.5)."""

    @pytest.fixture
    def published(self, tmp_path: Path) -> CAVMAESync:
        return started(files.mae_file(), tmp_path / "mae.pth")

    def test_hugging_faces_names_give_the_same_weights(self, published: CAVMAESync, tmp_path: Path):
        other = started(files.huggingface_file(), tmp_path / "hf.pth")
        assert_same_weights(published, other)

    @pytest.mark.parametrize("norm", ["norm", "fc_norm"])
    def test_timms_names_give_the_same_encoders(self, published: CAVMAESync, tmp_path: Path, norm: str):
        state = {
            re.sub(r"^norm\.", f"{norm}.", name): value
            for name, value in files.mae_file().items()
            if not name.startswith(("decoder", "mask"))
        }
        other = started(state, tmp_path / "timm.pth")
        assert other.decoder is None
        for part in ("audio.blocks", "visual.blocks", "visual.patch_embed", "joint"):
            assert_same_weights(published.get_submodule(part), other.get_submodule(part))

    def test_what_stays_fresh_is_returned_and_warned_of(self, tmp_path: Path):
        torch.save(files.mae_file(), tmp_path / "mae.pth")
        assert load(tmp_path / "mae.pth").fresh == (
            "audio.global_token",
            "audio.modality",
            "audio.registers",
            "decoder.modality_a",
            "decoder.modality_v",
            "visual.global_token",
            "visual.modality",
            "visual.registers",
        )
        with pytest.warns(UserWarning, match="the start of a model, not a trained one: fresh from seed 0"):
            load_model(tmp_path / "mae.pth", overrides=files.words(files.mae_file()))

    def test_fresh_parts_follow_from_the_seed(self, tmp_path: Path):
        torch.save(files.mae_file(), tmp_path / "mae.pth")
        first, again, other = (load(tmp_path / "mae.pth", seed=seed).model for seed in (1, 1, 2))
        assert_same_weights(first, again)
        assert not torch.equal(first.audio.modality, other.audio.modality)

    def test_another_vit_is_refused(self, tmp_path: Path):
        """A supervised ViT has the same names, and positions that were trained."""
        torch.save(
            files.checkpoint(files.mae_shapes(decoder_width=None), trained_tables=True), tmp_path / "vit.pth"
        )
        with pytest.raises(WeightsError, match=r"not MAE's fixed .* table\. These are weights of another"):
            load(tmp_path / "vit.pth")


def started(state: dict[str, Tensor], path: Path) -> CAVMAESync:
    torch.save(state, path)
    return load(path).model


def assert_same_weights(one: nn.Module, other: nn.Module) -> None:
    mine, theirs = one.state_dict(), other.state_dict()
    assert mine.keys() == theirs.keys()
    for name, value in mine.items():
        assert torch.equal(value, theirs[name]), name


def transformers_model(**changes):
    """Hugging Face's own implementation, small. Our epsilon of norms is 1e-5."""
    from transformers import ViTMAEConfig, ViTMAEForPreTraining

    settings = {
        "hidden_size": 64,
        "num_hidden_layers": 12,
        "num_attention_heads": 1,
        "intermediate_size": 256,
        "image_size": 32,
        "decoder_hidden_size": 32,
        "decoder_num_hidden_layers": 1,
        "decoder_num_attention_heads": 1,
        "decoder_intermediate_size": 128,
        "layer_norm_eps": 1e-5,
        "mask_ratio": 0.0,
    }
    generator = torch.Generator().manual_seed(0)
    model = ViTMAEForPreTraining(ViTMAEConfig(**settings | changes)).eval()
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            if "pos" in name:
                parameter.copy_(torch.from_numpy(files.table("pos_embed", tuple(parameter.shape))))
            else:
                is_scale = "norm" in name and name.endswith("weight")
                parameter.copy_(torch.randn(parameter.shape, generator=generator) * 0.1 + is_scale)
    return model


@pytest.mark.parametrize("written", ["in memory", "as saved"])
def test_hugging_faces_own_encoder_gives_our_tokens(tmp_path: Path, written: str):
    """An independent implementation: ViTMAE of transformers, with its class token as our global token."""
    theirs = transformers_model()
    if written == "as saved":
        theirs.save_pretrained(tmp_path)
        path = tmp_path / "model.safetensors"
    else:
        path = tmp_path / "memory.pth"
        torch.save(theirs.state_dict(), path)
    ours = load(path, overrides=["registers=0"]).model
    frames = torch.randn(3, 3, 32, 32, generator=torch.Generator().manual_seed(1))
    with torch.no_grad():
        ours.visual.modality.zero_()
        assert ours.visual.global_token is not None
        ours.visual.global_token.copy_(theirs.vit.embeddings.cls_token.flatten())
        expected = theirs.vit(frames, noise=torch.arange(4.0).repeat(3, 1)).last_hidden_state
        found = ours.encode_visual(frames)
    torch.testing.assert_close(found.to_sequence(), expected, atol=1e-5, rtol=0)


class TestSaidByTheFile:
    """Numbers of heads that a file tells itself need no word; a word wins."""

    def test_a_config_of_hugging_face(self, tmp_path: Path):
        save_file(files.huggingface_file(), tmp_path / "model.safetensors", metadata={"format": "pt"})
        about = {"num_attention_heads": 4, "decoder_num_attention_heads": 2, "layer_norm_eps": 1e-12}
        (tmp_path / "config.json").write_text(json.dumps(about))
        config = load_weights(tmp_path / "model.safetensors").model.config
        assert (config.heads, config.decoder.heads) == (4, 2)
        said = load_weights(tmp_path / "model.safetensors", overrides=["heads=2"]).model.config
        assert (said.heads, said.decoder.heads) == (2, 2)

    @pytest.mark.parametrize("text", ["{", "[1]", "[" * 100_000])
    def test_a_damaged_config_is_named(self, tmp_path: Path, text: str):
        save_file(files.huggingface_file(), tmp_path / "model.safetensors", metadata={"format": "pt"})
        (tmp_path / "config.json").write_text(text)
        with pytest.raises(WeightsError, match=r"config\.json, which belongs to these weights, is no JSON"):
            load_weights(tmp_path / "model.safetensors")

    def test_the_header_of_a_safetensors_file(self, tmp_path: Path):
        about = {"num_heads": "4", "decoder_num_heads": "2"}
        save_file(files.sync_file(), tmp_path / "a.safetensors", metadata=about)
        config = load_weights(tmp_path / "a.safetensors").model.config
        assert (config.heads, config.decoder.heads) == (4, 2)
        save_file(files.sync_file(), tmp_path / "b.safetensors", metadata={"num_heads": "four"})
        with pytest.raises(WeightsError, match="Say how many: heads=N"):
            load_weights(tmp_path / "b.safetensors")

    @pytest.mark.parametrize(
        "beside",
        [
            {"num_heads": 4, "decoder_num_heads": 2},
            {"args": {"num_heads": 4, "decoder_num_heads": 2, "lr": 1e-4}, "epoch": 3},
        ],
    )
    def test_plain_values_beside_the_tensors(self, tmp_path: Path, beside: dict):
        torch.save({"model": files.sync_file(), **beside}, tmp_path / "a.pth")
        config = load_weights(tmp_path / "a.pth").model.config
        assert (config.heads, config.decoder.heads) == (4, 2)
        torch.save(files.sync_file() | beside, tmp_path / "open.pth")
        assert load_weights(tmp_path / "open.pth").model.config == config
        torch.save({"model": files.sync_file(), "args": {"num_heads": -4}}, tmp_path / "b.pth")
        with pytest.raises(WeightsError, match=r"Say how many: heads=N decoder\.heads=N"):
            load_weights(tmp_path / "b.pth")


class TestRefused:
    def test_mixed_prefixes(self):
        mixed = ["module.norm.weight", "module.blocks_a.0.norm1.weight", "norm.bias"]
        with pytest.raises(WeightsError, match=r"2 of 3 names begin with 'module\.'.*norm\.bias.*mixed"):
            recognize(mixed)

    def test_every_difference_is_named_with_the_layout(self, tmp_path: Path):
        state = files.sync_file()
        del state["module.blocks_v.1.norm2_a.weight"], state["module.norm.bias"]
        state["module.colour"] = torch.zeros(3)
        state["module.decoder_pred_a.bias"] = torch.zeros(5)
        with pytest.raises(WeightsError) as caught:
            load(saved(state, tmp_path))
        for part in (
            "odd.pth: recognised as CAV-MAE Sync (authors), but it is not exactly that",
            "missing: blocks_v.1.norm2_a.weight, norm.bias",
            "unknown: colour",
            "shapes: decoder_pred_a.bias is (5,), the model needs (256,)",
        ):
            assert part in str(caught.value)
        assert "\n" not in str(caught.value)

    def test_a_model_that_cannot_be(self, tmp_path: Path):
        state = {name: value for name, value in files.sync_file().items() if "decoder_blocks" not in name}
        with pytest.raises(WeightsError, match="its tensors show an impossible model"):
            load(saved(state, tmp_path))

    def test_a_gap_in_a_stack_is_missing_not_a_shallower_model(self, tmp_path: Path):
        state = {name: value for name, value in files.sync_file(depth=3).items() if "blocks_a.1." not in name}
        with pytest.raises(WeightsError, match=r"missing: blocks_a\.1\..* and 12 more"):
            load(saved(state, tmp_path))

    @pytest.mark.parametrize(
        ("make", "changes"),
        [
            (files.sync_file, {"width": 48, "decoder_width": 20}),
            (files.sync_file, {"width": 192, "decoder_width": 64}),  # a ViT's 3 heads, or the class's own 12?
            (files.cavmae_file, {"width": 64}),
            (files.mae_file, {"width": 192}),
            (files.huggingface_file, {}),
        ],
    )
    def test_numbers_of_heads_that_no_shape_shows_are_asked_for(self, tmp_path: Path, make, changes):
        path = saved(make(**changes), tmp_path)
        with pytest.raises(WeightsError, match=r"no tensor shows .*: heads=N decoder\.heads=N"):
            load_weights(path)
        with pytest.raises(WeightsError, match=r"Say how many: decoder\.heads=N"):
            load_weights(path, overrides=["heads=4"])
        config = load_weights(path, overrides=["heads=4", "decoder.heads=1"]).model.config
        assert (config.heads, config.decoder.heads) == (4, 1)
        with pytest.raises(ConfigError, match="must be a multiple of heads=5"):
            load_weights(path, overrides=["heads=5", "decoder.heads=1"])

    def test_published_widths_have_the_published_heads(self):
        assert heads_of(768, 512, []) == (12, 16)
        assert heads_of(768, None, [], published=MAE_HEADS) == (12, None)
        assert heads_of(1024, 512, [], published=MAE_HEADS) == (16, 16)
        with pytest.raises(WeightsError, match="width 1024"):
            heads_of(1024, 512, [])

    def test_trained_positions_of_a_pretrained_model_must_be_wanted(self, tmp_path: Path):
        state = files.checkpoint(files.sync_shapes(), trained_tables=True)
        path = saved(state, tmp_path)
        with pytest.raises(WeightsError, match=r"not the fixed .* table.*give learned_positions=true"):
            load(path)
        model = load(path, overrides=["learned_positions=true"]).model
        assert torch.equal(model.audio.positions_ND, state["pos_embed_a"][0])

    def test_integers(self, tmp_path: Path):
        state = files.sync_file() | {"module.norm.bias": torch.zeros(64, dtype=torch.int64)}
        with pytest.raises(WeightsError, match=r"module\.norm\.bias \(torch\.int64\) hold no floating"):
            load(saved(state, tmp_path))

    @pytest.mark.parametrize("kind", [torch.int64, torch.complex64, torch.float8_e4m3fn])
    @pytest.mark.parametrize("make", [files.sync_file, files.mae_file, files.timm_file])
    def test_types_that_could_not_be_given_back(self, tmp_path: Path, make: Callable, kind: torch.dtype):
        state = make()
        name = next(name for name in state if name.endswith("norm.bias"))
        state[name] = state[name].to(kind)
        with pytest.raises(WeightsError, match=rf"norm\.bias \({kind}\) hold no floating"):
            load(saved(state, tmp_path))

    @pytest.mark.parametrize(
        ("make", "name", "shape", "says"),
        [
            (files.mae_file, "pos_embed", (5,), "shape"),
            (files.finetuned_file, "classifier_head.weight", (5, 0), "without a proper classifier_head"),
            (files.finetuned_file, "pos_embed_x", (1, 4, 32), "unknown: pos_embed_x"),
        ],
    )
    def test_shapes_that_show_no_model(
        self, tmp_path: Path, make: Callable, name: str, shape: tuple[int, ...], says: str
    ):
        state = make()
        prefix = "module." if next(iter(state)).startswith("module.") else ""
        state[prefix + name] = torch.zeros(shape)
        with pytest.raises(WeightsError, match=says):
            load(saved(state, tmp_path))

    def test_a_number_of_blocks_that_no_file_can_hold(self, tmp_path: Path):
        state = files.sync_file()
        state["module.blocks_a.9999.norm1.weight"] = torch.zeros(64)
        with pytest.raises(WeightsError, match=r"blocks_a has a block 9999, but the file only \d+ tensors"):
            load(saved(state, tmp_path))

    def test_our_tensors_without_configuration(self, tmp_path: Path):
        path = saved(CAVMAESync(SMALL).state_dict(), tmp_path)
        with pytest.raises(WeightsError, match="our tensors without a configuration"):
            load(path)
        assert load(path, config=SMALL).model.config == SMALL

    def test_a_deep_model_that_a_header_claims_takes_no_memory(self, tmp_path: Path):
        model = CAVMAESync(SMALL)
        config = SMALL.model_copy(update={"depth": 10**9}).model_dump_json()
        save_file(
            model.state_dict(),
            tmp_path / "a.safetensors",
            metadata={"format": "cavmae-sync/1", "config": config},
        )
        with pytest.raises(WeightsError, match="1000000000 blocks"):
            load(tmp_path / "a.safetensors")


def saved(state: dict[str, Tensor], folder: Path) -> Path:
    torch.save(state, folder / "odd.pth")
    return folder / "odd.pth"
