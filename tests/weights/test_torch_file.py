"""Checkpoints as people have them are read, whatever lies beside the tensors; nothing of that is made."""

import argparse
import io
import json
import pickle
import re
import struct
import subprocess
import sys
import time
import zipfile
from collections import OrderedDict, defaultdict
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors import safe_open
from safetensors.torch import save_file
from torch import nn

from cavmae_sync.errors import WeightsError
from cavmae_sync.weights import load_model, pickle_parser, save_model
from cavmae_sync.weights.pickle_parser import parse_pickle
from cavmae_sync.weights.weights_file import read_file, read_plain

from .official_files import sync_file

#: What no tensor of the authors' layout shows.
HEADS = ("heads=1", "decoder.heads=1")
MADE: list[str] = []


class Settings:
    """Somebody's own class, whose making and state leave a trace."""

    def __init__(self, rate: float) -> None:
        self.rate = rate

    def __setstate__(self, state: dict[str, Any]) -> None:
        MADE.append("state")

    def __reduce_ex__(self, protocol: Any) -> Any:
        return _made, (self.rate,), {"rate": self.rate}


def _made(rate: float) -> Settings:
    MADE.append("made")
    return Settings(rate)


def checkpoint() -> dict[str, Any]:
    """What a training script leaves: tensors of many kinds, and everything else it had at hand."""
    base = torch.arange(24.0).reshape(4, 6)
    module = nn.Linear(3, 2)
    return {
        "model": OrderedDict(
            a=base,
            view=base.T,
            part=base[1:3, ::2],
            scalar=torch.tensor(3.5),
            empty=torch.zeros(0, 4),
            half=torch.arange(5).half(),
            brain=torch.arange(5).bfloat16(),
            double=torch.arange(5).double(),
            whole=torch.arange(5),
            flag=torch.tensor([True, False]),
            parameter=module.weight,
            buffer=nn.Parameter(torch.ones(2), requires_grad=False),
        ),
        "optimizer": torch.optim.Adam(module.parameters()).state_dict(),
        "epoch": np.int64(25),
        "best": np.float64(0.5),
        "history": np.arange(3),
        "args": argparse.Namespace(rate=1e-4, names=["x"], inner=argparse.Namespace(a=1)),
        "settings": Settings(0.1),
        "folder": Path("/data"),
        "device": torch.device("cpu"),
        "type": torch.float16,
        "counts": defaultdict(int, {"a": 1}),
        "set": {1, 2},
        "frozen": frozenset("a"),
        "number": 10**12,
        "complex": 1 + 2j,
        "bytes": b"x" * 300,
        "bytearray": bytearray(b"y" * 300),
        "text": "é猫\ud800",
        "long": "x" * 70_000,
        "tuple": (1, (2, (3, None, True))),
    }


@pytest.mark.parametrize("protocol", [2, 3, 4, 5])
@pytest.mark.parametrize("is_new", [True, False], ids=["archive", "legacy"])
def test_tensors_are_those_of_torch_and_nothing_else_is_made(tmp_path: Path, protocol: int, is_new: bool):
    path = tmp_path / "x.pth"
    torch.save(checkpoint(), path, pickle_protocol=protocol, _use_new_zipfile_serialization=is_new)
    MADE.clear()
    file = read_file(path)
    assert MADE == []
    expected = torch.load(path, weights_only=False)["model"]
    assert MADE != []
    assert list(file.tensors) == list(expected)
    for name, value in expected.items():
        assert file.tensors[name].dtype == value.dtype
        assert file.tensors[name].stride() == value.stride()
        assert torch.equal(file.tensors[name], value.detach()), name
    assert file.wrapper == "model"
    said = " ".join(file.other_entries)
    for part in ("optimizer", "args (argparse.Namespace, which is not made)", "settings (", "epoch (numpy"):
        assert part in said
    assert file.tensors["view"].untyped_storage().data_ptr() == file.tensors["a"].untyped_storage().data_ptr()


def test_what_is_read_as_plain_is_plain_or_refused_by_name(tmp_path: Path):
    plain = {"step": 3, "loss": [0.5, None], "state": {0: torch.ones(2)}, "both": (True, "x")}
    torch.save(plain, tmp_path / "x.pt")
    found = read_plain(tmp_path / "x.pt")
    assert torch.equal(found["state"].pop(0), plain["state"].pop(0))
    assert found == plain
    torch.save({"args": argparse.Namespace(a=1)}, tmp_path / "x.pt")
    with pytest.raises(WeightsError, match=r"asks for argparse\.Namespace"):
        read_plain(tmp_path / "x.pt")


@pytest.mark.parametrize(
    "rename",
    [
        lambda name: name.removeprefix("module."),
        lambda name: f"module.{name}",
        lambda name: f"module.module.{name}",
        lambda name: name.replace("module.", "_orig_mod."),
        lambda name: f"_orig_mod.{name}",
        lambda name: name.replace("module.", "module._orig_mod."),
        lambda name: name.replace("norm", "_orig_mod.norm") if ".1." in name else name,
    ],
)
def test_what_wrappers_put_into_names_is_taken_off(tmp_path: Path, rename: Any):
    torch.save(sync_file(), tmp_path / "plain.pth")
    torch.save({rename(name): value for name, value in sync_file().items()}, tmp_path / "x.pth")
    plain, found = (
        load_model(tmp_path / name, overrides=HEADS).state_dict() for name in ("plain.pth", "x.pth")
    )
    assert all(torch.equal(found[name], value) for name, value in plain.items())


def test_two_tensors_of_one_name_are_refused(tmp_path: Path):
    state = sync_file()
    name = next(iter(state))
    torch.save({f"module.{name}": state[name], **state}, tmp_path / "x.pth")
    with pytest.raises(WeightsError, match="is there more than once"):
        load_model(tmp_path / "x.pth", overrides=HEADS)


@pytest.mark.parametrize("value", [float("nan"), float("inf"), -float("inf")])
@pytest.mark.parametrize("name", ["x.pth", "x.safetensors"])
def test_weights_that_are_no_numbers_are_refused_by_name(tmp_path: Path, name: str, value: float):
    if name == "x.pth":
        state = sync_file()
        tensor = "module.blocks_a.0.attn.proj.weight"
        state[tensor] = state[tensor].clone()
        state[tensor][0, 0] = value
        torch.save(state, tmp_path / name)
    else:
        torch.save(sync_file(), tmp_path / "plain.pth")
        model = load_model(tmp_path / "plain.pth", overrides=HEADS)
        tensor = "audio.blocks.0.attn.proj.weight"
        model.state_dict()[tensor][0, 0] = value
        save_model(model, tmp_path / name)
    with pytest.raises(WeightsError, match=rf"{tensor} hold NaN or infinity"):
        load_model(tmp_path / name, overrides=HEADS if name == "x.pth" else ())


LOAD = """
import re, sys
from pathlib import Path
from cavmae_sync.weights import load_model
from cavmae_sync.errors import CavMaeSyncError

def peak():  # of this process alone: `getrusage` begins with the size of the parent
    return int(re.search(r"VmHWM:\\s+(\\d+)", Path("/proc/self/status").read_text())[1])

for path in sys.argv[1:]:
    before = peak()
    try:
        load_model(path)
    except CavMaeSyncError as error:
        print((peak() - before) // 1024, str(error)[:300])
"""

#: Headers that ask for gigabytes, or for as many blocks as take minutes to build.
GREEDY = (
    {"inputs": {"segment_length": 10_000_000 // 16 * 16}},
    {"inputs": {"frame_pixels": 1_600_000}},
    {"width": 4_000_000, "heads": 1},
    {"depth": 10**6},
    {"joint_depth": 10**6},
    {"contrastive_head_depth": 10**6},
    {"registers": 10**9},
    {"mlp_ratio": 10**9},
    {"decoder": {"width": 4_000_000, "depth": 1, "heads": 1}},
    {"decoder": {"width": 64, "depth": 10**6, "heads": 1}},
    {"width": 10**30, "heads": 1},
    {"learned_positions": True, "inputs": {"segment_length": 16384, "frame_pixels": 2048}},
)


def test_a_header_that_asks_for_gigabytes_is_refused_before_they_are_taken(tmp_path: Path):
    """All in one process: each may raise its peak by less than 400 MB, and all together take little time."""
    torch.save(sync_file(), tmp_path / "plain.pth")
    save_model(load_model(tmp_path / "plain.pth", overrides=HEADS), tmp_path / "x.safetensors")
    with safe_open(tmp_path / "x.safetensors", framework="pt") as opened:
        metadata = opened.metadata()
        tensors = {name: opened.get_tensor(name) for name in opened.keys()}  # noqa: SIM118
    paths = [tmp_path / f"greedy{number}.safetensors" for number in range(len(GREEDY))]
    for path, config in zip(paths, GREEDY, strict=True):
        about = json.loads(metadata["config"])
        for name, value in config.items():
            about[name] = about[name] | value if isinstance(about.get(name), dict) else value
        save_file(tensors, path, metadata | {"config": json.dumps(about)})
    ran = subprocess.run(
        [sys.executable, "-c", LOAD, *paths], capture_output=True, text=True, check=True, timeout=60
    )
    lines = ran.stdout.strip().split("\n")
    for path, line in zip(paths, lines, strict=True):
        megabytes, message = line.split(" ", maxsplit=1)
        assert str(path) in message
        assert int(megabytes) < 400, line


def archive(path: Path, description: bytes, storages: dict[str, bytes] | None = None) -> Path:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_STORED) as file:
        file.writestr("x/data.pkl", description)
        for name, content in (storages or {}).items():
            file.writestr(f"x/data/{name}", content)
    return path


def short(text: str) -> bytes:
    return b"\x8c" + bytes([len(text)]) + text.encode()


def whole(number: int) -> bytes:
    return b"\x8a\x08" + struct.pack("<q", number)


def tensor_of(offset: int, shape: tuple[int, ...], strides: tuple[int, ...], num_values: int = 4) -> bytes:
    """A dictionary with one tensor."""
    pid = b"(" + short("storage") + b"ctorch\nFloatStorage\n" + short("0") + short("cpu") + whole(num_values)
    sizes = b"(" + b"".join(map(whole, shape)) + b"t"
    steps = b"(" + b"".join(map(whole, strides)) + b"t"
    made = b"ctorch._utils\n_rebuild_tensor_v2\n(" + pid + b"tQ" + whole(offset) + sizes + steps
    return b"\x80\x04}" + short("w") + made + b"\x89}tRs."


def test_a_tensor_by_hand(tmp_path: Path):
    """The files below differ from this one by what is wrong with them."""
    path = archive(tmp_path / "x.pth", tensor_of(1, (3,), (1,)), {"0": np.arange(4, dtype="<f4").tobytes()})
    assert torch.equal(read_file(path).tensors["w"], torch.tensor([1.0, 2.0, 3.0]))


@pytest.mark.parametrize(
    ("description", "says"),
    [
        (tensor_of(2, (3,), (1,)), "without holding that many values"),
        (tensor_of(0, (3,), (2,)), "without holding that many values"),
        (tensor_of(0, (10**9, 10**9), (0, 0)), "without holding that many values"),
        (tensor_of(2**62, (1,), (1,)), "without holding that many values"),
        (tensor_of(0, (2**62, 2**62), (2**62, 2**62)), "without holding that many values"),
        (tensor_of(-1, (1,), (1,)), "hold no floating-point numbers"),
        (tensor_of(0, (-1,), (1,)), "hold no floating-point numbers"),
        (tensor_of(0, (4,), (-1,)), "hold no floating-point numbers"),
        (tensor_of(0, (4, 1), (1,)), r"a tensor of shape .* has strides"),
        (tensor_of(0, (5,), (1,), num_values=5), "has 16 bytes, 20 are needed"),
        (tensor_of(0, (10**12,), (1,), num_values=10**12), "has 16 bytes, 4000000000000 are needed"),
        (tensor_of(0, (1,), (1,)).replace(short("0"), short("../../data.pkl")), "has 0 bytes, 16 are needed"),
    ],
)
def test_tensors_that_lie_outside_of_their_numbers(tmp_path: Path, description: bytes, says: str):
    path = archive(tmp_path / "x.pth", description, {"0": bytes(16)})
    with pytest.raises(WeightsError, match=says):
        read_file(path)


def hash_bomb() -> bytes:
    """Tuples of tuples of tuples as a key: 2**60 of them to hash."""
    return b"\x80\x04}" + short("x") + b"\x85" + b"2\x86" * 60 + b"Ns."


def nested() -> bytes:
    return b"\x80\x04" + b"]" * 100_000 + b"a" * 99_999 + b"."


@pytest.mark.parametrize(
    ("description", "says"),
    [
        (b"\x80\x04\x8b\xff\xff\xff\x7f" + b"1" * 100 + b".", "a number of 2147483647 bytes"),
        (b"\x80\x04\x8b\xff\xff\xff\xff.", "ends too early"),
        (b"\x80\x05\x96" + struct.pack("<Q", 2**62) + b".", "ends too early"),
        (b"\x80\x05\x8e" + struct.pack("<Q", 2**40) + b".", "ends too early"),
        (b"\x80\x04\x8d" + struct.pack("<Q", 2**63) + b".", "ends too early"),
        (b"\x80\x04T" + struct.pack("<i", -5) + b".", "ends too early"),
        (b"\x80\x04X\xff\xff\xff\xff.", "ends too early"),
        (b"\x80\x04\x95" + struct.pack("<Q", 2**60), "ends too early"),
        (b"\x80\x09.", "has protocol 9"),
        (b"\x80\x04.", "is damaged at byte"),
        (b"\x80\x04t.", "is damaged at byte"),
        (b"\x80\x04h\x05.", "is damaged at byte"),
        (b"\x80\x04\x97.", "parts outside of the file"),
        (b"\x80\x04\x82\x01)R.", "asks for extension 1"),
        (b"\x80\x04\x84\x01\x00\x00\x00)R.", "asks for extension 1"),
        (b"\x80\x04(ios\nsystem\n.", "asks for os.system"),
        (b"\x80\x04(S'true'\nios\nsystem\n.", "has an instruction b'S'"),
        (b"\x80\x04(cos\nsystem\n" + short("true") + b"o.", "asks for os.system"),
        (b"\x80\x04cos\nsystem\n" + short("true") + b"\x85R.", "asks for os.system"),
        (b"\x80\x04" + short("os") + short("system") + b"\x93" + short("true") + b"\x85\x81.", "os.system"),
        (b"\x80\x04cos\nsystem\n)}\x92.", "asks for os.system"),
        (b"\x80\x04cos\nsystem\n)R" + short("x") + b"b.", "asks for os.system"),
        (b"\x80\x04c" + b"x" * 1000, "ends too early"),
        (b"\x80\x04cos\nsystem\n.", "not a dictionary of tensors"),
        (b"\x80\x04" + short("x") + b"Q.", "asks for a storage of another kind"),
        (hash_bomb(), "not a dictionary of tensors"),
        (nested(), "not a dictionary of tensors"),
        (b"\x80\x04N" + b"2\x86" * 100 + b".", "not a dictionary of tensors"),
        (b"\x80\x04]" + b"q\x00h\x00a" * 1000 + b".", "not a dictionary of tensors"),
        (b"N" * (1 << 24) + b"N.", "its description has 16777218 bytes"),
    ],
    ids=range(30),
)
def test_pickles_made_to_harm_end_in_a_message(tmp_path: Path, description: bytes, says: str):
    path = archive(tmp_path / "x.pth", description)
    began = time.process_time()
    with pytest.raises(WeightsError, match=re.escape(says)):
        read_file(path)
    with suppress(WeightsError):  # some are plain values
        read_plain(path)
    assert time.process_time() - began < 20


def test_a_pickle_without_end_is_left_off(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """Two million instructions take seconds; here fewer are allowed."""
    monkeypatch.setattr(pickle_parser, "_MAX_STEPS", 20_000)
    path = archive(tmp_path / "x.pth", b"\x80\x04" + b"]" * 30_000 + b".")
    with pytest.raises(WeightsError, match="more than 20000 instructions"):
        read_file(path)


def test_a_dag_that_unfolds_without_end_is_read_once(tmp_path: Path):
    path = archive(tmp_path / "x.pth", b"\x80\x04]" + b"2\x86" * 50 + b".")
    found = read_plain(path)
    for _ in range(49):
        assert found[0] is found[1]
        found = found[0]


def test_archives_that_torch_never_wrote(tmp_path: Path):
    twice = io.BytesIO()
    with zipfile.ZipFile(twice, "w") as file:
        file.writestr("x/data.pkl", b"\x80\x04N.")
        with pytest.warns(UserWarning, match="Duplicate name"):
            file.writestr("x/data.pkl", b"\x80\x04}.")
    (tmp_path / "x.pth").write_bytes(twice.getvalue())
    with pytest.raises(WeightsError, match=r"none that torch\.save wrote"):
        read_file(tmp_path / "x.pth")
    with zipfile.ZipFile(tmp_path / "y.pth", "w") as file:
        file.writestr("x/byteorder", "big")
        file.writestr("x/data.pkl", b"\x80\x04}.")
    with pytest.raises(WeightsError, match="most significant byte"):
        read_file(tmp_path / "y.pth")


def test_our_machine_agrees_with_pickle_on_plain_values():
    rng = np.random.default_rng(0)

    def value(depth: int) -> Any:
        kind = rng.integers(9 if depth else 6)
        simple = [
            None,
            bool(rng.integers(2)),
            int(rng.integers(-(2**60), 2**60)),
            float(rng.normal()),
            "é" * 5,
        ]
        if kind < 5:
            return simple[kind]
        if kind == 5:
            return bytes(rng.bytes(int(rng.integers(300))))
        parts = [value(depth - 1) for _ in range(rng.integers(5))]
        if kind == 6:
            return parts
        return tuple(parts) if kind == 7 else {f"k{number}": part for number, part in enumerate(parts)}

    for _ in range(300):
        content = value(4)
        for protocol in (2, 3, 4, 5):
            if protocol > 2 or b"_codecs" not in pickle.dumps(content, protocol):
                assert parse_pickle(pickle.dumps(content, protocol)).content == content
