"""Files that are not weights, or worse: nothing in them is executed, and each is named for what it is."""

import builtins
import io
import json
import os
import pickle
import struct
import tarfile
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file

from cavmae_sync.errors import WeightsError
from cavmae_sync.weights import load_model, read_provenance
from cavmae_sync.weights.weights_file import read_file

from .official_files import sync_file


class _Calls:
    """An object whose pickle calls a function when it is loaded."""

    def __init__(self, function: Callable[..., object], *arguments: object) -> None:
        self.call = function, arguments

    def __reduce__(self):
        return self.call


def as_pickle(content: object, path: Path) -> None:
    path.write_bytes(pickle.dumps(content))


def as_old_pickle(content: object, path: Path) -> None:
    path.write_bytes(pickle.dumps(content, protocol=0))


def as_legacy_torch(content: object, path: Path) -> None:
    torch.save(content, path, _use_new_zipfile_serialization=False)


def as_tar(content: object, path: Path) -> None:
    """As torch wrote before 2017: a tar with pickles in it."""
    with tarfile.open(path, "w") as archive:
        for name in ("sys_info", "pickle", "storages", "tensors"):
            data = pickle.dumps(content)
            member = tarfile.TarInfo(name)
            member.size = len(data)
            archive.addfile(member, io.BytesIO(data))


def as_poisoned_archive(content: object, path: Path) -> None:
    """A healthy checkpoint of the authors whose data.pkl was exchanged."""
    healthy = io.BytesIO()
    torch.save(sync_file(), healthy)
    with zipfile.ZipFile(healthy) as source, zipfile.ZipFile(path, "w", zipfile.ZIP_STORED) as target:
        for member in source.infolist():
            data = source.read(member)
            target.writestr(
                member.filename, pickle.dumps(content) if member.filename.endswith("data.pkl") else data
            )


WRITERS = [torch.save, as_legacy_torch, as_pickle, as_old_pickle, as_tar, as_poisoned_archive]


@pytest.mark.parametrize("write", WRITERS, ids=lambda write: write.__name__)
@pytest.mark.parametrize("name", ["evil.pth", "evil.pt", "evil.bin", "evil.safetensors", "evil"])
@pytest.mark.parametrize("trap", ["os.system", "builtins.eval", "builtins.exec", "os.mkdir"])
def test_nothing_in_a_file_is_executed(tmp_path: Path, write: Callable, name: str, trap: str):
    witness = tmp_path / "was_here"
    code = f"__import__('os').mkdir({str(witness)!r})"
    evil = {
        "os.system": _Calls(os.system, f"mkdir {witness}"),
        "builtins.eval": _Calls(builtins.eval, code),
        "builtins.exec": _Calls(builtins.exec, code),
        "os.mkdir": _Calls(os.mkdir, str(witness)),
    }[trap]
    path = tmp_path / name
    write({"weight": evil}, path)
    for read in (load_model, read_provenance):
        with pytest.raises(WeightsError, match=name) as caught:
            read(path)
        assert "\n" not in str(caught.value)
        assert not witness.exists()
    pickle.loads(pickle.dumps(evil))  # the trap does work
    assert witness.exists()


class TestNamedForWhatTheyAre:
    @pytest.mark.parametrize("name", ["a.pth", "a.safetensors"])
    @pytest.mark.parametrize(
        ("content", "says"),
        [
            (b"", "is empty. Download it again"),
            (b"<!DOCTYPE html><html><title>Google Drive - Virus scan warning", "is a web page, not weights"),
            (b"\n  <html lang='en'>", "is a web page, not weights"),
            (
                b"version https://git-lfs.github.com/spec/v1\noid sha256:a035\nsize 762886272\n",
                "is a git-lfs pointer, not the weights themselves",
            ),
            (b'{"error": "Repository not found"}', r"is text \(JSON\), not weights"),
            (b"%PDF-1.7\n", "is not a weights file but a document, an image, a sound or a video"),
            (b"\0\0\0\x20ftypisom", "is not a weights file but a document, an image, a sound or a video"),
        ],
        ids=["empty", "web page", "another web page", "git-lfs", "answer of a server", "PDF", "MP4"],
    )
    def test_what_downloads_leave(self, tmp_path: Path, name: str, content: bytes, says: str):
        (tmp_path / name).write_bytes(content)
        with pytest.raises(WeightsError, match=f"{name} {says}"):
            read_file(tmp_path / name)

    @pytest.mark.parametrize("name", ["a.pth", "a.safetensors"])
    @pytest.mark.parametrize("keep", [1, 7, 100, 20_000, -1])
    def test_a_file_cut_off(self, tmp_path: Path, name: str, keep: int):
        path = tmp_path / name
        if name.endswith(".pth"):
            torch.save(sync_file(), path)
        else:
            save_file(sync_file(), path)
        path.write_bytes(path.read_bytes()[:keep])
        with pytest.raises(WeightsError, match=f"{name}.*(cannot be read as weights|cut off)") as caught:
            read_file(path)
        assert "\n" not in str(caught.value)

    def test_a_pickle_that_calls_itself_safetensors(self, tmp_path: Path):
        torch.save(sync_file(), tmp_path / "a.safetensors")
        with pytest.raises(WeightsError, match=r"is named \.safetensors but holds a pickle"):
            read_file(tmp_path / "a.safetensors")

    def test_safetensors_that_call_themselves_a_pickle(self, tmp_path: Path):
        save_file(sync_file(), tmp_path / "a.pth")
        with pytest.raises(WeightsError, match=r"holds safetensors\. Rename it to \.safetensors"):
            read_file(tmp_path / "a.pth")

    def test_a_folder(self, tmp_path: Path):
        with pytest.raises(WeightsError, match=r"it is a folder\. Name the weights file in it"):
            read_file(tmp_path)

    def test_other_things_beside_tensors(self, tmp_path: Path):
        torch.save({"a": 1, "b": torch.zeros(2)}, tmp_path / "a.pth")
        assert (list((file := read_file(tmp_path / "a.pth")).tensors), file.other_entries) == (["b"], ("a",))
        torch.save({"a": 1, "b": "x"}, tmp_path / "a.pth")
        with pytest.raises(WeightsError, match="holds a dictionary of int, str, not a dictionary of tensors"):
            read_file(tmp_path / "a.pth")


class TestFilesMadeToFillTheMemory:
    def test_an_archive_that_unpacks_to_more_than_it_is(self, tmp_path: Path):
        healthy = io.BytesIO()
        torch.save({"weight": torch.zeros(1_000_000)}, healthy)
        with (
            zipfile.ZipFile(healthy) as source,
            zipfile.ZipFile(tmp_path / "bomb.pth", "w", zipfile.ZIP_DEFLATED) as target,
        ):
            for member in source.infolist():
                target.writestr(member.filename, source.read(member))
        assert (tmp_path / "bomb.pth").stat().st_size < 10_000
        with pytest.raises(WeightsError, match="its parts are compressed, which torch"):
            read_file(tmp_path / "bomb.pth")

    def test_a_tensor_that_repeats_one_number_forever(self, tmp_path: Path):
        torch.save({"weight": torch.zeros(1).expand(10**6, 10**6)}, tmp_path / "bomb.pth")
        with pytest.raises(WeightsError, match="without holding that many values"):
            read_file(tmp_path / "bomb.pth")

    @pytest.mark.filterwarnings("ignore:The PyTorch API of nested tensors")
    @pytest.mark.parametrize("kind", ["meta", "nested"])
    def test_a_tensor_without_values(self, tmp_path: Path, kind: str):
        value = (
            torch.zeros(10**6, 10**6, device="meta")
            if kind == "meta"
            else torch.nested.nested_tensor([torch.zeros(2), torch.zeros(3)])
        )
        torch.save({"weight": value}, tmp_path / "bomb.pth")
        with pytest.raises(WeightsError, match=r"weight \(torch\..*\) hold no floating-point numbers"):
            read_file(tmp_path / "bomb.pth")

    def test_a_key_whose_text_is_far_longer_than_the_file(self, tmp_path: Path):
        key: tuple = ("x",)
        for _ in range(16):
            key = (key, key)
        torch.save({"model": {"weight": torch.zeros(1)}, key: 1}, tmp_path / "bomb.pth")
        assert read_file(tmp_path / "bomb.pth").other_entries == ("tuple",)

    @pytest.mark.parametrize("shape", [[10**12], [2**62, 2**62], [2**32, 2**32, 4]], ids=str)
    def test_a_safetensors_header_that_promises_too_much(self, tmp_path: Path, shape: list[int]):
        header = {"weight": {"dtype": "F32", "shape": shape, "data_offsets": [0, 4]}}
        write_header(tmp_path / "bomb.safetensors", json.dumps(header).encode(), b"\0" * 4)
        with pytest.raises(WeightsError, match="is not a safetensors file, or was cut off"):
            read_file(tmp_path / "bomb.safetensors")

    def test_a_safetensors_header_longer_than_the_file(self, tmp_path: Path):
        (tmp_path / "bomb.safetensors").write_bytes(struct.pack("<Q", 2**62) + b"{}")
        with pytest.raises(WeightsError, match="is not a safetensors file"):
            read_file(tmp_path / "bomb.safetensors")


def write_header(path: Path, header: bytes, data: bytes) -> None:
    path.write_bytes(struct.pack("<Q", len(header)) + header + data)


def test_the_message_names_what_was_asked_for_and_never_advises_to_execute_it(tmp_path: Path):
    torch.save({"weight": _Calls(os.system, "true")}, tmp_path / "evil.pth")
    with pytest.raises(WeightsError, match=r"it asks for posix\.system, which is not a tensor") as caught:
        read_file(tmp_path / "evil.pth")
    assert "weights_only" not in str(caught.value)


def test_a_wrapper_is_opened_and_what_lies_beside_it_is_named(tmp_path: Path):
    torch.save({"epoch": 25, "state_dict": {"a": torch.ones(2)}, "optimizer": {}}, tmp_path / "a.pth")
    file = read_file(tmp_path / "a.pth")
    assert list(file.tensors) == ["a"]
    assert (file.wrapper, file.other_entries) == ("state_dict", ("epoch", "optimizer"))
