"""Weights on disk: exact, complete, and nothing in a file is ever executed."""

import contextlib
import json
import os
import pickle
import stat
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from safetensors.torch import load_file, save_file

from cavmae_sync.errors import WeightsError
from cavmae_sync.model import CAVMAESync, DecoderConfig
from cavmae_sync.weights import (
    Provenance,
    load_exactly,
    load_model,
    read_provenance,
    read_pth,
    reconfigured,
    save_model,
    to_official,
)
from cavmae_sync.weights.weights_file import read_file

from ..model.conftest import tiny_config, tiny_inputs


def make_model(**changes: object) -> CAVMAESync:
    return CAVMAESync(tiny_config(**changes), generator=torch.Generator().manual_seed(0))


@pytest.mark.parametrize(
    "changes", [{}, {"registers": 0, "global_token": False}, {"contrastive_head_depth": 1}], ids=str
)
def test_what_is_saved_is_loaded(tmp_path: Path, changes: dict[str, object]):
    model = make_model(**changes)
    save_model(model, tmp_path / "model.safetensors")
    loaded = load_model(tmp_path / "model.safetensors")
    assert loaded.config == model.config
    assert not loaded.training
    for name, value in model.state_dict().items():
        assert torch.equal(loaded.state_dict()[name], value)


def test_a_loaded_model_has_its_positions_and_learns(tmp_path: Path):
    """Fixed position tables are in no file, and weights that are read are as good as fresh ones."""
    model = make_model()
    save_model(model, tmp_path / "model.safetensors")
    loaded = load_model(tmp_path / "model.safetensors")
    tables = dict(model.named_buffers())
    assert tables
    assert tables.keys() == dict(loaded.named_buffers()).keys()
    for name, table in loaded.named_buffers():
        assert torch.equal(table, tables[name])
    gradients = {name: value.requires_grad for name, value in loaded.named_parameters()}
    assert gradients == {name: value.requires_grad for name, value in model.named_parameters()}


def test_loaded_weights_are_copies_of_the_file(tmp_path: Path):
    """safetensors maps a file into memory; a file that is written over must not change a model."""
    path = tmp_path / "model.safetensors"
    save_model(make_model(), path)
    loaded = load_model(path)
    before = {name: value.clone() for name, value in loaded.state_dict().items()}
    with path.open("r+b") as file:
        file.write(bytes(path.stat().st_size))
    for name, value in loaded.state_dict().items():
        assert torch.equal(value, before[name])


def test_loading_draws_no_fresh_weights(tmp_path: Path):
    """Drawing them took longer than reading, and torch's symbolic shapes 1.3 s to import."""
    path = tmp_path / "model.safetensors"
    save_model(make_model(), path)
    script = (
        "import sys, torch, cavmae_sync as cs; before = torch.random.get_rng_state(); "
        f"cs.load_model({str(path)!r}); assert torch.equal(before, torch.random.get_rng_state()); "
        "assert 'sympy' not in sys.modules and 'torch._dynamo' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", script], check=True)


def test_saving_leaves_one_readable_file(tmp_path: Path):
    save_model(make_model(), tmp_path / "model.safetensors")
    save_model(make_model(), tmp_path / "model.safetensors")
    assert [path.name for path in tmp_path.iterdir()] == ["model.safetensors"]
    mask = os.umask(0)
    os.umask(mask)
    assert stat.S_IMODE((tmp_path / "model.safetensors").stat().st_mode) == 0o666 & ~mask


def test_the_same_weights_give_the_same_bytes(tmp_path: Path):
    """safetensors writes the texts of a header in an order that chance decides: three have six."""
    model, path = make_model(), tmp_path / "model.safetensors"
    about = Provenance(layout="ours", num_frames=4, licence='"Grün"\n\t\x1f\\')
    contents = set()
    for _ in range(20):
        save_model(model, path, provenance=about)
        contents.add(path.read_bytes())
    assert len(contents) == 1
    assert read_provenance(path) == about


def test_a_failed_save_leaves_the_old_file(tmp_path: Path):
    path = tmp_path / "model.safetensors"
    save_model(make_model(), path)
    before = path.read_bytes()
    with torch.device("meta"):
        without_values = make_model().to("meta")
    with pytest.raises(NotImplementedError):
        save_model(without_values, path)
    assert path.read_bytes() == before
    assert len(list(tmp_path.iterdir())) == 1


def test_the_authors_layout_loads_from_a_pth(tmp_path: Path):
    model = make_model(width=64, heads=1, decoder=DecoderConfig(width=32, depth=1, heads=1)).eval()
    torch.save(to_official(model), tmp_path / "official.pth")
    loaded = load_model(tmp_path / "official.pth", overrides=["heads=1", "decoder.heads=1"])
    inputs = tiny_inputs(model.config)
    with torch.no_grad():
        expected, found = model.encode(*inputs), loaded.encode(*inputs)
    assert torch.equal(expected.audio.global_token_PD, found.audio.global_token_PD)


def test_a_pth_is_written_in_the_authors_layout(tmp_path: Path):
    """Read back with the configuration, since no tensor shows the number of heads of so narrow a model."""
    model = make_model()
    save_model(model, tmp_path / "theirs.pth")
    theirs = torch.load(tmp_path / "theirs.pth", weights_only=True)
    assert theirs.keys() == to_official(model).keys()
    again = load_model(tmp_path / "theirs.pth", config=model.config).state_dict()
    assert all(torch.equal(again[name], value) for name, value in model.state_dict().items())


def test_the_same_weights_under_another_configuration():
    model = make_model()
    other = reconfigured(model, model.config.model_copy(update={"registers_in_joint": True}))
    segments, frames = tiny_inputs(model.config)
    assert not torch.equal(
        model.encode(segments, frames).audio.global_token_PD,
        other.encode(segments, frames).audio.global_token_PD,
    )
    with pytest.raises(WeightsError, match="unknown"):
        reconfigured(model, model.config.model_copy(update={"registers": 0}))


def test_a_header_may_be_of_any_length(tmp_path: Path):
    """Its length comes first in the file, and may begin with the byte that pickles begin with."""
    path, first_bytes = tmp_path / "x.safetensors", set()
    for padding in range(0, 256, 8):
        save_file({"a": torch.ones(1)}, path, metadata={"text": "x" * padding})
        first_bytes.add(path.read_bytes()[0])
        assert read_file(path).tensors.keys() == {"a"}
    assert 0x80 in first_bytes


class TestRefused:
    def test_missing_unknown_and_misshapen_tensors_are_listed(self):
        state = make_model().state_dict()
        del state["audio.modality"]
        state["audio.colour"] = torch.zeros(3)
        state["joint.norm.bias"] = torch.zeros(5)
        with pytest.raises(WeightsError) as caught:
            load_exactly(make_model(), state, source="file.safetensors")
        message = str(caught.value)
        assert message.startswith("file.safetensors does not fit the model.")
        for part in (
            "missing: audio.modality",
            "unknown: audio.colour",
            "shapes: joint.norm.bias is (5,), the model needs (16,)",
        ):
            assert part in message

    def test_long_lists_are_cut(self):
        with pytest.raises(WeightsError, match=r"missing: .* and \d+ more"):
            load_exactly(make_model(), {}, source="empty")

    def test_a_missing_file(self, tmp_path: Path):
        with pytest.raises(WeightsError, match=r"nothing\.safetensors does not exist"):
            load_model(tmp_path / "nothing.safetensors")

    def test_a_folder(self, tmp_path: Path):
        with pytest.raises(WeightsError, match="does not exist"):
            load_model(tmp_path)

    @pytest.mark.parametrize("keep", [0, 4, 100, 2000])
    @pytest.mark.parametrize("name", ["model.safetensors", "model.pth"])
    def test_a_file_cut_off(self, tmp_path: Path, keep: int, name: str):
        path = tmp_path / name
        if name.endswith(".pth"):
            torch.save(to_official(make_model()), path)
        else:
            save_model(make_model(), path)
        path.write_bytes(path.read_bytes()[:keep])
        with pytest.raises(WeightsError, match=name):
            load_model(path)

    @pytest.mark.parametrize(
        ("metadata", "says"),
        [
            (None, r"a model that is not known here \(1: weight\)"),
            (
                {"format": "cavmae-sync probe/1"},
                "'cavmae-sync probe/1' in its header, 'cavmae-sync/1' is needed",
            ),
        ],
        ids=["somebody else's", "a probe"],
    )
    def test_other_safetensors(self, tmp_path: Path, metadata: dict[str, str] | None, says: str):
        save_file({"weight": torch.zeros(2)}, tmp_path / "other.safetensors", metadata=metadata)
        with pytest.raises(WeightsError, match=says):
            load_model(tmp_path / "other.safetensors")

    @pytest.mark.parametrize("config", ["{", json.dumps({"width": 7}), json.dumps({"hue": 1})])
    def test_a_header_without_valid_configuration(self, tmp_path: Path, config: str):
        path = tmp_path / "model.safetensors"
        save_model(make_model(), path)
        save_file(load_file(path), path, metadata={"format": "cavmae-sync/1", "config": config})
        with pytest.raises(WeightsError, match="no valid configuration in its header"):
            load_model(path)

    def test_weights_of_another_shape_than_asked_for(self, tmp_path: Path):
        path = tmp_path / "model.safetensors"
        save_model(make_model(), path)
        with pytest.raises(WeightsError, match="shapes: "):
            load_model(path, config=tiny_config(width=32))

    @pytest.mark.parametrize("content", [[1, 2], {"a": 1}, torch.zeros(2), "text"], ids=str)
    def test_a_pth_that_holds_something_else(self, tmp_path: Path, content: object):
        torch.save(content, tmp_path / "x.pth")
        with pytest.raises(WeightsError, match="not a dictionary of tensors"):
            read_pth(tmp_path / "x.pth")


class _Executes:
    """An object whose pickle runs a command when it is loaded."""

    def __init__(self, witness: Path) -> None:
        self.witness = witness

    def __reduce__(self):
        return os.mkdir, (str(self.witness),)


@pytest.mark.parametrize("write", [torch.save, lambda content, path: path.write_bytes(pickle.dumps(content))])
def test_code_in_a_file_is_not_executed(tmp_path: Path, write):
    witness = tmp_path / "was_here"
    write({"weight": _Executes(witness)}, tmp_path / "evil.pth")
    with pytest.raises(WeightsError, match="nothing in a file is executed"):
        load_model(tmp_path / "evil.pth")
    assert not witness.exists()
    pickle.loads(pickle.dumps(_Executes(witness)))  # the trap does work
    assert witness.exists()


@given(flips=st.lists(st.tuples(st.floats(0, 1, exclude_max=True), st.integers(0, 255)), max_size=4))
def test_a_damaged_file_gives_tensors_or_our_error(tmp_path_factory: pytest.TempPathFactory, flips):
    path = tmp_path_factory.mktemp("damaged") / "x.pth"
    torch.save({"a": torch.ones(3)}, path, _use_new_zipfile_serialization=False)
    data = bytearray(path.read_bytes())
    for place, value in flips:
        data[int(place * len(data))] = value
    path.write_bytes(data)
    with contextlib.suppress(WeightsError):
        assert all(isinstance(value, torch.Tensor) for value in read_pth(path).values())
