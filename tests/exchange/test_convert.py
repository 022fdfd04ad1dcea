"""Weights into our file and back: bit for bit, with everything that a header must say."""

import json
import re
from pathlib import Path

import pytest
import torch
from safetensors import safe_open
from safetensors.torch import load_file, save_file
from torch import Tensor
from torch.nn import functional as F

from cavmae_sync.embedding import Embedder
from cavmae_sync.errors import ConfigError, WeightsError
from cavmae_sync.exchange import convert as conversion
from cavmae_sync.exchange.conversion import Conversion
from cavmae_sync.exchange.convert import HeadOptions, convert_back
from cavmae_sync.exchange.proof import check_proof
from cavmae_sync.model import CAVMAESync, Modality, ModelConfig
from cavmae_sync.model.heads import HeadConfig, make_head
from cavmae_sync.tasks.classification.features import features_of
from cavmae_sync.tasks.classification.probe import Probe
from cavmae_sync.weights import (
    Provenance,
    load_model,
    load_weights,
    read_provenance,
    save_model,
    weights_fingerprint,
)
from cavmae_sync.weights.layouts.finetuned import HeadWeights
from cavmae_sync.weights.layouts.read import is_ours
from cavmae_sync.weights.provenance import sha256_of
from cavmae_sync.weights.weights_file import read_file

from ..model.conftest import tiny_inputs
from ..weights import official_files as files

#: Of the published width, but as shallow as can be.
PUBLISHED = ModelConfig(depth=1, decoder=None, mlp_ratio=1)
GOLDEN = Path(__file__).parents[1] / "golden"


def convert(source: Path, target: Path, **options) -> Conversion:
    """With the numbers of heads said, which no tensor of so narrow a model shows."""
    read = read_file(source)
    if not is_ours(read) and "overrides" not in options:
        options["overrides"] = files.words(read.tensors)
    return conversion.convert(source, target, **options)


def half(state: dict[str, Tensor]) -> dict[str, Tensor]:
    return {name: value if "pos_embed" in name else value.half() for name, value in state.items()}


def double(state: dict[str, Tensor]) -> dict[str, Tensor]:
    """More digits than ours hold."""
    return {name: value.double() * (1 + 1e-12) for name, value in state.items()}


def odd(state: dict[str, Tensor]) -> dict[str, Tensor]:
    """Another order, a negative zero, and tables that differ in the last bit."""
    state = dict(reversed(state.items()))
    for name in state:
        if "pos_embed" in name:
            state[name] = state[name].nextafter(torch.tensor(9.0))
    state["module.norm.bias"] = torch.full_like(state["module.norm.bias"], -0.0)
    state["module.blocks_a.0.norm1_v.bias"] = torch.full((64,), torch.nan)
    return state


EVERY_FILE = [
    pytest.param(files.sync_file(), id="sync"),
    pytest.param(files.sync_file(prefix=""), id="sync without prefix"),
    pytest.param(half(files.sync_file()), id="sync in float16"),
    pytest.param(double(files.sync_file()), id="sync in float64"),
    pytest.param(odd(files.sync_file()), id="sync, odd"),
    pytest.param(files.sync_file(has_contrastive_heads=True), id="sync with contrastive heads"),
    pytest.param(files.cavmae_file(), id="cavmae"),
    pytest.param(files.cavmae_finetuned_file(), id="finetuned cavmae"),
    pytest.param({"model": files.mae_file()}, id="mae, wrapped"),
    pytest.param(files.mae_file(), id="mae"),
    pytest.param(files.timm_file(), id="timm"),
    pytest.param(files.timm_file(norm="fc_norm"), id="timm, fc_norm"),
    pytest.param(files.huggingface_file(), id="huggingface"),
    pytest.param(files.huggingface_file(has_decoder=False), id="huggingface, encoder"),
]


@pytest.mark.parametrize("state", EVERY_FILE)
def test_every_layout_comes_back_bit_for_bit(tmp_path: Path, state: dict):
    torch.save(state, tmp_path / "theirs.pth")
    convert(tmp_path / "theirs.pth", tmp_path / "ours.safetensors")
    convert_back(tmp_path / "ours.safetensors", tmp_path / "back.pth")
    assert_same(torch.load(tmp_path / "back.pth", weights_only=True), state)


@pytest.mark.parametrize("modalities", [1, 2])
def test_a_fine_tuned_classifier_comes_back_from_its_folder(tmp_path: Path, modalities: int):
    state = files.finetuned_file(num_classes=527, modalities=modalities)
    torch.save(state, tmp_path / "theirs.pth")
    head = HeadOptions(modality="audio" if modalities == 1 else None, heads=8)
    convert(tmp_path / "theirs.pth", tmp_path / "folder", head=head)
    convert_back(tmp_path / "folder", tmp_path / "back.pth")
    assert_same(torch.load(tmp_path / "back.pth", weights_only=True), state)
    (tmp_path / "folder" / "probe.safetensors").unlink()
    with pytest.raises(WeightsError, match="with the probe beside the weights"):
        convert_back(tmp_path / "folder" / "weights.safetensors", tmp_path / "again.pth")


@pytest.mark.parametrize("name", ["sync_4s_8reg", "cavmae_10s"])
def test_the_golden_files_come_back_bit_for_bit(tmp_path: Path, name: str):
    """Random unused norms, float16, and position tables of the official code."""
    state = torch.load(GOLDEN / f"{name}.pt", weights_only=True)["state_dict"]
    torch.save(state, tmp_path / "theirs.pth")
    words = ["heads=4", "decoder.heads=4"]
    convert(tmp_path / "theirs.pth", tmp_path / "ours.safetensors", overrides=words)
    convert_back(tmp_path / "ours.safetensors", tmp_path / "back.pth")
    assert_same(torch.load(tmp_path / "back.pth", weights_only=True), dict(state))


def test_foreign_safetensors_come_back_as_such(tmp_path: Path):
    state = files.huggingface_file()
    save_file(state, tmp_path / "model.safetensors", metadata={"format": "pt"})
    convert(tmp_path / "model.safetensors", tmp_path / "ours.safetensors")
    convert_back(tmp_path / "ours.safetensors", tmp_path / "back.safetensors")
    back = load_file(tmp_path / "back.safetensors")
    assert_same({name: back[name] for name in state}, state)


def assert_same(found: dict, expected: dict) -> None:
    assert list(found) == list(expected)
    for name, value in expected.items():
        if isinstance(value, dict):
            assert_same(found[name], value)
        else:
            assert (found[name].dtype, found[name].shape) == (value.dtype, value.shape), name
            assert found[name].numpy().tobytes() == value.numpy().tobytes(), name


def test_what_no_tensor_shows_is_told_unless_it_was_said(tmp_path: Path):
    torch.save(files.sync_file(), tmp_path / "a.pth")
    words = ["heads=1", "inputs.alignment=valid"]
    done = conversion.convert(
        tmp_path / "a.pth", tmp_path / "a.safetensors", overrides=[*words, "decoder.heads=1"]
    )
    assert done.assumed == {
        "registers_in_joint": "false",
        "inputs.spectrogram_mean": "-5.081",
        "inputs.spectrogram_std": "4.4849",
    }
    assert "registers_in_joint=false" in dict(done.rows())["taken as published"]
    again = convert(tmp_path / "a.safetensors", tmp_path / "b.safetensors")
    assert again.assumed == {}
    torch.save(files.finetuned_file(num_classes=309), tmp_path / "ft.pth")
    done = convert(tmp_path / "ft.pth", tmp_path / "folder", head=HeadOptions(heads=4))
    assert done.assumed["--loss"] == "ce"
    assert "--classifier-heads" not in done.assumed


def test_what_follows_from_the_model_is_not_kept_twice(tmp_path: Path):
    """A checkpoint as the authors' class makes it, with unused norms at 1 and 0: nothing is kept but tables
    that differ in the last bit."""
    state = files.sync_file()
    for name, value in state.items():
        if re.search(r"(blocks_[av]|decoder_blocks)\.\d+\.norm[12]_[av]", name):
            value.fill_(1.0 if name.endswith("weight") else 0.0)
    torch.save(state, tmp_path / "theirs.pth")
    done = convert(tmp_path / "theirs.pth", tmp_path / "ours.safetensors")
    assert all("pos_embed" in name for name in done.kept)
    convert_back(tmp_path / "ours.safetensors", tmp_path / "back.pth")
    assert_same(torch.load(tmp_path / "back.pth", weights_only=True), state)


class TestHeader:
    def test_it_says_where_the_weights_come_from(self, tmp_path: Path):
        torch.save(files.sync_file(), tmp_path / "theirs.pth")
        convert(tmp_path / "theirs.pth", tmp_path / "ours.safetensors")
        about = read_provenance(tmp_path / "ours.safetensors")
        assert about.layout == "sync"
        assert about.source_name == "theirs.pth"
        assert about.source_sha256 == sha256_of(tmp_path / "theirs.pth")
        assert about.source_num_bytes == (tmp_path / "theirs.pth").stat().st_size
        assert about.licence is not None
        assert about.licence.startswith("BSD-2-Clause")
        assert about.num_frames == 16
        with safe_open(tmp_path / "ours.safetensors", "pt") as opened:
            assert sorted(opened.metadata()) == ["config", "format", "original", "provenance"]

    def test_it_carries_a_proof_of_what_the_model_computes(self, tmp_path: Path):
        torch.save(files.sync_file(segment_length=96, frame_pixels=48), tmp_path / "theirs.pth")
        convert(tmp_path / "theirs.pth", tmp_path / "ours.safetensors")
        proof = read_provenance(tmp_path / "ours.safetensors").proof
        assert proof is not None
        model = load_model(tmp_path / "ours.safetensors")
        assert all(check.is_equal for check in check_proof(Embedder(model), proof))

    @pytest.mark.parametrize(
        ("state", "licence", "num_frames"),
        [
            (files.cavmae_file(), "BSD-2-Clause (CAV-MAE model zoo)", 10),
            (files.mae_file(), "CC-BY-NC-4.0 (ImageNet MAE; not for commercial use)", None),
        ],
        ids=["cavmae", "mae"],
    )
    def test_licence_and_frames_follow_from_the_layout(
        self, tmp_path: Path, state: dict, licence: str, num_frames: int | None
    ):
        torch.save(state, tmp_path / "a.pth")
        about = convert(tmp_path / "a.pth", tmp_path / "a.safetensors").provenance
        assert (about.licence, about.num_frames) == (licence, num_frames)

    def test_licence_and_frames_can_be_said(self, tmp_path: Path):
        torch.save(files.sync_file(), tmp_path / "a.pth")
        convert(tmp_path / "a.pth", tmp_path / "a.safetensors", licence="MIT", num_frames=12)
        about = read_provenance(tmp_path / "a.safetensors")
        assert (about.licence, about.num_frames) == ("MIT", 12)

    def test_converting_again_keeps_what_it_says(self, tmp_path: Path):
        torch.save(files.sync_file(), tmp_path / "a.pth")
        first = convert(tmp_path / "a.pth", tmp_path / "a.safetensors")
        second = convert(tmp_path / "a.safetensors", tmp_path / "b.safetensors")
        assert (second.provenance, second.kept) == (first.provenance, first.kept)

    def test_weights_that_were_trained_here(self, tmp_path: Path):
        torch.save(files.sync_file(), tmp_path / "a.pth")
        trained = load_model(tmp_path / "a.pth", overrides=files.words(files.sync_file()))
        save_model(trained, tmp_path / "trained.safetensors", provenance=Provenance(num_frames=4))
        about = convert(tmp_path / "trained.safetensors", tmp_path / "published.safetensors").provenance
        assert (about.layout, about.source_name, about.num_frames) == ("ours", "trained.safetensors", 4)
        assert about.licence is not None
        assert about.licence.startswith("not stated")
        done = convert_back(tmp_path / "published.safetensors", tmp_path / "official.pth")
        assert done.written_layout == "sync"
        back = load_model(tmp_path / "official.pth", overrides=files.words(files.sync_file()))
        assert weights_fingerprint(back) == weights_fingerprint(trained)

    def test_older_files_of_ours_have_an_empty_provenance(self, tmp_path: Path):
        torch.save(files.sync_file(), tmp_path / "a.pth")
        model = load_model(tmp_path / "a.pth", overrides=files.words(files.sync_file()))
        save_model(model, tmp_path / "a.safetensors")
        assert read_provenance(tmp_path / "a.safetensors") == Provenance()

    def test_of_a_foreign_file_it_is_computed(self, tmp_path: Path):
        torch.save(files.mae_file(), tmp_path / "mae.pth")
        about = read_provenance(tmp_path / "mae.pth")
        assert (about.layout, about.source_sha256) == ("mae", sha256_of(tmp_path / "mae.pth"))

    @pytest.mark.parametrize("text", ["{", '{"layout": "theirs"}', '{"source_sha256": "no hash"}'])
    def test_a_damaged_one_is_refused(self, tmp_path: Path, text: str):
        torch.save(files.sync_file(), tmp_path / "a.pth")
        convert(tmp_path / "a.pth", tmp_path / "a.safetensors")
        with safe_open(tmp_path / "a.safetensors", "pt") as opened:
            metadata = opened.metadata() | {"provenance": text}
        save_file(load_file(tmp_path / "a.safetensors"), tmp_path / "a.safetensors", metadata)
        with pytest.raises(WeightsError, match="no valid provenance in its header"):
            load_model(tmp_path / "a.safetensors")


class TestFineTuned:
    """The authors' classifier against a second implementation of their forward (spec 2.10)."""

    @pytest.mark.parametrize("heads", [2, 8, 16])
    def test_both_modalities(self, tmp_path: Path, heads: int):
        """With every number of attention heads in the classifier: no tensor shows it, other scores do."""
        state = files.finetuned_file(num_classes=527)
        folder = converted(state, tmp_path, HeadOptions(heads=heads))
        probe = Probe.load(folder)
        model = load_model(folder / "weights.safetensors")
        segments, frames = tiny_inputs(model.config, count=3)
        with torch.no_grad():
            features = features_of(model, segments, frames, probe.features)
            found = probe.head(features.unsqueeze(0))
        expected = official_logits(state, segments, frames, heads=heads)
        torch.testing.assert_close(found, expected, atol=1e-4, rtol=0)
        other = official_logits(state, segments, frames, heads=4)
        assert (found - other).abs().max() > 1e-2
        assert probe.head_config.heads == heads
        assert (probe.loss, len(probe.classes), probe.classes[7]) == ("bce", 527, "7")
        probe.check_weights(weights_fingerprint(model))

    @pytest.mark.parametrize("modality", ["audio", "visual"])
    def test_one_modality(self, tmp_path: Path, modality: str):
        state = files.finetuned_file(num_classes=309, modalities=1)
        folder = converted(state, tmp_path, HeadOptions(modality=modality, heads=4))
        probe = Probe.load(folder)
        model = load_model(folder / "weights.safetensors")
        segments, frames = tiny_inputs(model.config, count=3)
        with torch.no_grad():
            features = features_of(model, segments, frames, probe.features)
            found = probe.head(features.unsqueeze(0))
        expected = official_logits(state, segments, frames, only=modality, heads=4)
        torch.testing.assert_close(found, expected, atol=1e-4, rtol=0)
        assert probe.loss == "ce"

    def test_names_of_classes(self, tmp_path: Path):
        (tmp_path / "names.csv").write_text(
            'index,mid,display_name\n0,x0,"Dog, barking"\n1,x1,Cat\n2,x2,Bell\n'
        )
        options = HeadOptions(classes=tmp_path / "names.csv", loss="bce", heads=8)
        folder = converted(files.finetuned_file(num_classes=3), tmp_path, options)
        assert Probe.load(folder).classes == ("Dog, barking", "Cat", "Bell")

    @pytest.mark.parametrize(
        ("file", "options", "says"),
        [
            ({"num_classes": 3}, {}, "3 classes is neither AudioSet's nor VGGSound's. Say how it was"),
            ({"num_classes": 527, "modalities": 1}, {}, "do not show which. Give --modality"),
            ({"num_classes": 527}, {"modality": "audio"}, "takes both modalities. Leave --modality out"),
            ({"num_classes": 527}, {}, "classifier of width 128 do not show its attention heads"),
            ({"num_classes": 527}, {"heads": 5}, "width 128 must be a multiple of it"),
            (
                {"num_classes": 3, "modalities": 1},
                {},
                "how it was trained.* which. Give --modality .* Give --classifier-heads N",
            ),
        ],
        ids=["loss", "modality", "modality of both", "heads", "impossible heads", "all at once"],
    )
    def test_what_no_tensor_shows_must_be_said(self, tmp_path: Path, file: dict, options: dict, says: str):
        with pytest.raises(ConfigError, match=says):
            converted(files.finetuned_file(**file), tmp_path, HeadOptions(**options))
        assert not (tmp_path / "folder").exists()

    @pytest.mark.parametrize(("width", "modality"), [(1536, None), (768, "audio")])
    def test_published_widths_have_twelve_heads(self, width: int, modality: Modality | None):
        shape = HeadConfig(width=width, num_classes=527, depth=1, mlp_ratio=1)
        head = HeadWeights(config=shape, state=make_head(shape).state_dict())
        probe = Probe.of_finetuned(head, CAVMAESync(PUBLISHED), modality=modality)
        assert probe.head_config.heads == 12

    def test_a_file_for_two_files(self, tmp_path: Path):
        torch.save(files.finetuned_file(num_classes=527), tmp_path / "a.pth")
        with pytest.raises(ConfigError, match="must be a folder: a fine-tuned classifier becomes"):
            convert(tmp_path / "a.pth", tmp_path / "a.safetensors")

    def test_trained_positions_are_used(self, tmp_path: Path):
        state = files.finetuned_file(num_classes=527)
        folder = converted(state, tmp_path, HeadOptions(heads=8))
        model = load_model(folder / "weights.safetensors")
        assert torch.equal(model.visual.positions_ND, state["module.pos_embed_v"][0])

    def test_a_model_without_decoder_says_so(self, tmp_path: Path):
        folder = converted(files.finetuned_file(num_classes=527), tmp_path, HeadOptions(heads=8))
        model = load_model(folder / "weights.safetensors")
        with pytest.raises(WeightsError, match="have no decoder"):
            model(*tiny_inputs(model.config), audio_mask=None, visual_mask=None)


def converted(state: dict, folder: Path, options: HeadOptions | None = None) -> Path:
    torch.save(state, folder / "theirs.pth")
    convert(folder / "theirs.pth", folder / "folder", head=options)
    return folder / "folder"


def official_logits(
    state: dict[str, Tensor], segments: Tensor, frames: Tensor, *, heads: int, only: str | None = None
) -> Tensor:
    """The authors' forward from their tensors, written down a second time: one clip, [1, C]."""
    w = {name.removeprefix("module."): value for name, value in state.items()}
    rows = {}
    for side, picture, half_of in (("a", segments.unsqueeze(1).transpose(2, 3), 0), ("v", frames, 1)):
        tokens = F.conv2d(
            picture, w[f"patch_embed_{side}.proj.weight"], w[f"patch_embed_{side}.proj.bias"], stride=16
        )
        tokens = tokens.flatten(2).transpose(1, 2) + w[f"pos_embed_{side}"] + w[f"modality_{side}"]
        count = len(tokens)
        registers = w["register_tokens"].chunk(2)[half_of].expand(count, -1, -1)
        row = torch.cat([w[f"cls_token_{side}"].expand(count, -1, -1), tokens, registers], dim=1)
        for number in range(2):
            row = block(row, w, f"blocks_{side}.{number}", heads=1)
        rows[side] = row[:, : -registers.shape[1]]
    if only is None:
        feature = torch.cat([rows["a"][:, 0], rows["v"][:, 0]], dim=1)
    else:
        row = block(rows[only[0]], w, "blocks_u.0", heads=1)
        feature = norm(row, w, "norm").mean(dim=1)
    row = torch.cat([w["cls_cls_token"], feature.unsqueeze(0)], dim=1)
    for number in range(2):
        row = block(row, w, f"classifier_layers.{number}", heads=heads)
    row = norm(row, w, "classifier_norm")[:, 0]
    return row @ w["classifier_head.weight"].T + w["classifier_head.bias"]


def norm(row: Tensor, w: dict[str, Tensor], name: str) -> Tensor:
    centred = row - row.mean(dim=-1, keepdim=True)
    scaled = centred / (centred.square().mean(dim=-1, keepdim=True) + 1e-5).sqrt()
    return scaled * w[f"{name}.weight"] + w[f"{name}.bias"]


def block(row: Tensor, w: dict[str, Tensor], name: str, *, heads: int) -> Tensor:
    def linear(x: Tensor, layer: str) -> Tensor:
        return x @ w[f"{name}.{layer}.weight"].T + w[f"{name}.{layer}.bias"]

    query, key, value = linear(norm(row, w, f"{name}.norm1"), "attn.qkv").chunk(3, dim=-1)
    size = query.shape[-1] // heads
    mixed = [
        torch.softmax(q @ k.transpose(1, 2) / size**0.5, dim=-1) @ v
        for q, k, v in zip(*(part.split(size, dim=-1) for part in (query, key, value)), strict=True)
    ]
    row = row + linear(torch.cat(mixed, dim=-1), "attn.proj")
    return row + linear(F.gelu(linear(norm(row, w, f"{name}.norm2"), "mlp.fc1")), "mlp.fc2")


def test_a_conversion_can_be_printed_and_is_plain_for_programs(tmp_path: Path):
    torch.save({"model": files.mae_file(), "optimizer": {}}, tmp_path / "mae.pth")
    done = convert(tmp_path / "mae.pth", tmp_path / "mae.safetensors")
    rows = dict(done.rows())
    assert rows["recognised"] == "ImageNet MAE with decoder"
    assert rows["fresh, not in the file"].startswith("8: audio.global_token")
    assert rows["left behind"] == "1: optimizer"
    assert json.loads(json.dumps(done.to_dict()))["provenance"]["layout"] == "mae"
    assert load_weights(tmp_path / "mae.safetensors").fresh == ()
