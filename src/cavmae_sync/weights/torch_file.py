"""Files of `torch.save`, read without unpickling: first the description, then the numbers it names."""

import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

import torch
from torch import Tensor

from cavmae_sync.weights.pickle_parser import parse_pickle
from cavmae_sync.weights.tensor_refs import DamagedPickleError, Skipped, StorageRef, TensorRef

#: Most bytes of the pickle that describes the tensors. A ViT-B with its optimiser takes half a million.
_MAX_BYTES: Final = 1 << 24
#: Most levels of values inside each other.
_MAX_NESTED: Final = 64
#: First number of a file that is no archive, as torch wrote them until 2020.
_MAGIC: Final = 0x1950A86A20F9469CFC6C
_LENGTH_BYTES: Final = 8

#: Reads the bytes of a storage.
_Fetch = Callable[[StorageRef], bytearray]


class TorchFile:
    """A file of `torch.save`: what it holds, and its tensors one by one.

    Attributes:
        content: Plain values; tensors are `TensorRef`, everything else is `Skipped`.
    """

    content: Any

    def __init__(self, path: Path) -> None:
        """Read what the file holds; the numbers stay in it.

        Raises:
            ValueError: It is damaged, not a file of torch.save, or larger than is allowed.
            OSError: It cannot be read.
        """
        self._storages: dict[tuple[str, torch.dtype], Tensor] = {}
        with path.open("rb") as file:
            is_archive = file.read(4) == b"PK\x03\x04"
        self.content, self._fetch = _open_archive(path) if is_archive else _open_legacy(path)

    def tensor(self, ref: TensorRef) -> Tensor:
        """Read a tensor. Tensors that share numbers in the file share memory.

        Raises:
            ValueError: The file does not hold all its numbers.
        """
        storage = ref.storage
        num_values = 1
        last = ref.offset
        for size, stride in zip(ref.shape, ref.strides, strict=True):
            num_values *= size
            last += (size - 1) * stride
        if num_values and (last >= storage.num_values or num_values > storage.num_values):
            raise ValueError(
                f"it declares a tensor of shape {ref.shape} without holding that many values: damaged, or "
                "made to fill the memory"
            )
        if not num_values:
            return torch.empty(ref.shape, dtype=storage.dtype)
        key = (storage.key, storage.dtype)
        if key not in self._storages:
            self._storages[key] = torch.frombuffer(self._fetch(storage), dtype=storage.dtype)
        return self._storages[key].as_strided(ref.shape, ref.strides, ref.offset)

    def plain(self) -> Any:
        """Read the whole content, tensors included.

        Raises:
            ValueError: Something is neither a tensor nor a plain value; names it.
        """
        return self._resolved(self.content, {}, _MAX_NESTED)

    def _resolved(self, value: Any, known: dict[int, Any], depth: int) -> Any:
        if isinstance(value, TensorRef):
            return self.tensor(value)
        if isinstance(value, Skipped):
            raise ValueError(asks_for(value))  # noqa: TRY004 (the file is wrong, not the caller)
        if not isinstance(value, (dict, list, tuple)):
            return value
        if depth == 0:
            raise ValueError("its values are nested too deeply")
        if id(value) not in known:  # a value that is named a million times is read once
            known[id(value)] = self._inside(value, known, depth - 1)
        return known[id(value)]

    def _inside(self, value: Any, known: dict[int, Any], depth: int) -> Any:
        if isinstance(value, dict):
            if odd := next((key for key in value if isinstance(key, Skipped)), None):
                raise ValueError(asks_for(odd))
            return {key: self._resolved(each, known, depth) for key, each in value.items()}
        return type(value)(self._resolved(each, known, depth) for each in value)


def asks_for(skipped: Skipped) -> str:
    """Reason why a value is not read, for a message."""
    cause = "an object was saved whole, or the file is made to harm"
    return f"it asks for {skipped.name}, which is not a tensor: {cause}"


def _open_archive(path: Path) -> tuple[Any, _Fetch]:
    with zipfile.ZipFile(path) as archive:
        members = {member.filename: member for member in archive.infolist()}
        descriptions = [name for name in members if name.rpartition("/")[2] == "data.pkl"]
        if len(descriptions) != 1 or len(members) != len(archive.infolist()):
            raise ValueError("it is an archive, but none that torch.save wrote")
        folder = descriptions[0].removesuffix("data.pkl")
        order = f"{folder}byteorder"
        if order in members and archive.read(order)[:8].strip() != b"little":
            raise ValueError(
                "its numbers have the most significant byte first; save it anew on another machine"
            )
        if members[descriptions[0]].file_size > _MAX_BYTES:
            raise ValueError(f"its description has {members[descriptions[0]].file_size} bytes")
        content = parse_pickle(archive.read(descriptions[0])).content

    def fetch(storage: StorageRef) -> bytearray:
        name = f"{folder}data/{storage.key}"
        needed = storage.num_values * storage.dtype.itemsize
        if name not in members or members[name].file_size < needed:
            found = members[name].file_size if name in members else 0
            raise ValueError(f"{name} has {found} bytes, {needed} are needed")
        numbers = bytearray(needed)
        with zipfile.ZipFile(path) as archive, archive.open(name) as file:
            _fill(numbers, file)
        return numbers

    return content, fetch


def _open_legacy(path: Path) -> tuple[Any, _Fetch]:
    with path.open("rb") as file:
        head = file.read(_MAX_BYTES)
        parts = [parse_pickle(head)]
        if parts[0].content != _MAGIC:
            raise DamagedPickleError(f"it holds {_kind_of(parts[0].content)} and is not a file of torch.save")
        for _ in ("protocol", "system", "content", "keys"):
            parts.append(parse_pickle(head, start=parts[-1].stop))
        described, keys = parts[3], parts[4].content
        positions: dict[str, tuple[int, int]] = {}
        position, num_bytes = parts[4].stop, path.stat().st_size
        for key in keys if isinstance(keys, list) else ():
            file.seek(position)
            count = int.from_bytes(file.read(_LENGTH_BYTES), "little", signed=True)
            position += _LENGTH_BYTES
            if not isinstance(key, str) or key not in described.storages:
                raise ValueError(f"nothing says of what kind the numbers {key!s:.20} are")
            length = count * described.storages[key].dtype.itemsize
            if not 0 <= length <= num_bytes - position:
                raise ValueError(f"it is cut off: {length} bytes of numbers are missing")
            positions[key] = (position, length)
            position += length

    def fetch(storage: StorageRef) -> bytearray:
        start, length = positions.get(storage.key, (0, 0))
        needed = storage.num_values * storage.dtype.itemsize
        if length < needed:
            raise ValueError(f"storage {storage.key} has {length} bytes, {needed} are needed")
        numbers = bytearray(needed)
        with path.open("rb") as file:
            file.seek(start)
            _fill(numbers, file)
        return numbers

    return described.content, fetch


def _fill(numbers: bytearray, file: Any) -> None:
    if file.readinto(numbers) != len(numbers):
        raise ValueError("it is cut off in the middle of its numbers")


def _kind_of(value: Any) -> str:
    return value.name if isinstance(value, Skipped) else type(value).__name__
