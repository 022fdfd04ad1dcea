"""What a run may start from, and exactly what stays fresh (spec 3.5)."""

import re
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file

from cavmae_sync.errors import WeightsError
from cavmae_sync.inputs import InputConfig
from cavmae_sync.model import CAVMAESync, DecoderConfig, ModelConfig
from cavmae_sync.weights import load_model, save_model, start_from, to_official

from .official_files import finetuned_file, huggingface_file, mae_file, timm_file

SPECIAL = ["audio.global_token", "audio.registers", "visual.global_token", "visual.registers"]


def make_model(*, seed: int = 0, segment_length: int = 32, **changes) -> CAVMAESync:
    """Widths from which the authors' files show the number of heads."""
    config = ModelConfig(
        **{
            "inputs": InputConfig(frame_pixels=32, segment_length=segment_length),
            "width": 64,
            "heads": 1,
            "depth": 1,
            "registers": 2,
            "decoder": DecoderConfig(width=32, depth=1, heads=1),
        }
        | changes
    )
    return CAVMAESync(config, generator=torch.Generator().manual_seed(seed))


def plain(seed: int = 1) -> CAVMAESync:
    return make_model(seed=seed, segment_length=1024, global_token=False, registers=0)


def written(model: CAVMAESync, path: Path) -> Path:
    if path.suffix == ".pth":
        torch.save(to_official(model), path)
    else:
        save_model(model, path)
    return path


@pytest.mark.parametrize("name", ["start.safetensors", "start.pth"])
def test_plain_cavmae_starts_sync_of_another_segment_length(tmp_path: Path, name: str):
    start, model = plain(), make_model(segment_length=32)
    before = {key: value.clone() for key, value in model.state_dict().items()}
    fresh = start_from(model, written(start, tmp_path / name))
    assert fresh == SPECIAL
    for key, value in model.state_dict().items():
        assert torch.equal(value, before[key] if key in fresh else start.state_dict()[key])


def test_heads_may_be_fresh(tmp_path: Path):
    fresh = start_from(
        make_model(contrastive_head_depth=2), written(make_model(), tmp_path / "a.safetensors")
    )
    assert fresh
    assert all(name.startswith("joint.head_") for name in fresh)


def test_the_same_shape_leaves_nothing_fresh(tmp_path: Path):
    assert start_from(make_model(), written(make_model(seed=1), tmp_path / "a.pth")) == []


@pytest.mark.parametrize(
    ("start", "changes", "says"),
    [
        (make_model(depth=1), {"depth": 2}, r"audio\.blocks\.1\..* missing"),
        (make_model(depth=2), {"depth": 1}, r"audio\.blocks\.1\..* unknown"),
        (make_model(registers=4), {}, r"audio\.registers is \(4, 64\), \(2, 64\) needed"),
        (make_model(), {"registers": 0}, r"audio\.registers unknown"),
        (make_model(heads=2), {}, r"was made with model\.heads=2, this model has 1"),
    ],
    ids=["too shallow", "too deep", "other registers", "registers unwanted", "other heads"],
)
def test_anything_else_is_refused(tmp_path: Path, start: CAVMAESync, changes: dict, says: str):
    model = make_model(**changes)
    before = {key: value.clone() for key, value in model.state_dict().items()}
    with pytest.raises(WeightsError, match=says):
        start_from(model, written(start, tmp_path / "a.safetensors"))
    assert all(torch.equal(value, before[key]) for key, value in model.state_dict().items())


DECODER = r"decoder\..+"
FROM_MAE = [
    "audio.global_token",
    "audio.modality",
    "audio.registers",
    "decoder.modality_a",
    "decoder.modality_v",
    "visual.global_token",
    "visual.modality",
    "visual.registers",
]


@pytest.mark.parametrize("state", [mae_file(), huggingface_file()], ids=["published names", "Hugging Face's"])
def test_an_imagenet_mae_leaves_fresh_what_it_does_not_have(tmp_path: Path, state: dict):
    model = make_model(depth=11)
    before = model.audio.modality.clone()
    torch.save(state, tmp_path / "mae.pth")
    assert start_from(model, tmp_path / "mae.pth") == FROM_MAE
    assert torch.equal(model.audio.modality, before)
    torch.testing.assert_close(model.visual.patch_embed.proj.weight, mae_file()["patch_embed.proj.weight"])


def test_an_encoder_alone_leaves_the_decoder_fresh_too(tmp_path: Path):
    save_file(timm_file(), tmp_path / "timm.safetensors")
    model = make_model(depth=11)
    fresh = start_from(model, tmp_path / "timm.safetensors")
    assert {name for name in fresh if not re.fullmatch(DECODER, name)} <= set(FROM_MAE)
    assert {name for name in fresh if re.fullmatch(DECODER, name)} == {
        name for name in model.state_dict() if name.startswith("decoder.")
    }


def test_load_model_gives_the_same_start(tmp_path: Path):
    """One implementation: what `--init` copies into a fresh model is what `load_model` gives."""
    torch.save(mae_file(), tmp_path / "mae.pth")
    model = make_model(depth=11, seed=5)
    start_from(model, tmp_path / "mae.pth")
    with pytest.warns(UserWarning, match="the start of a model"):
        loaded = load_model(tmp_path / "mae.pth", config=model.config, seed=5)
    assert all(torch.equal(loaded.state_dict()[name], value) for name, value in model.state_dict().items())


def test_a_fine_tuned_backbone_has_no_decoder_to_start_from(tmp_path: Path):
    torch.save(finetuned_file(trained_tables=False), tmp_path / "ft.pth")
    with pytest.raises(WeightsError, match=r"cannot start this model: decoder\..* missing"):
        start_from(make_model(depth=2), tmp_path / "ft.pth")


def test_a_missing_file_is_named(tmp_path: Path):
    with pytest.raises(WeightsError, match=r"nothing\.pth does not exist"):
        start_from(make_model(), tmp_path / "nothing.pth")
