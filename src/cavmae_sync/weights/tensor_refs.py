"""Tensors that a pickle of torch names, as references into the file that holds their numbers.

torch describes a tensor by a few functions of its own. They are known here by name; none of them is called.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

import torch

#: Names that torch gives to storages -> type of their numbers.
_STORAGES: Final = {
    "DoubleStorage": torch.float64,
    "FloatStorage": torch.float32,
    "HalfStorage": torch.float16,
    "BFloat16Storage": torch.bfloat16,
    "LongStorage": torch.int64,
    "IntStorage": torch.int32,
    "ShortStorage": torch.int16,
    "CharStorage": torch.int8,
    "ByteStorage": torch.uint8,
    "BoolStorage": torch.bool,
    "ComplexFloatStorage": torch.complex64,
    "ComplexDoubleStorage": torch.complex128,
}


class DamagedPickleError(ValueError):
    """A pickle is damaged, none that torch.save writes, or larger than is allowed."""


@dataclass(frozen=True, slots=True, eq=False)
class Skipped:
    """Value that is neither a tensor nor plain, and was not made.

    Attributes:
        name: Function or class that it asks for, or its type.
    """

    name: str


@dataclass(frozen=True, slots=True, eq=False)
class StorageRef:
    """Storage: numbers in a file, by the key that the file has for them."""

    key: str
    dtype: torch.dtype
    num_values: int


@dataclass(frozen=True, slots=True, eq=False)
class TensorRef:
    """Tensor: a view of a storage. Whether its numbers are in the file is not checked here."""

    storage: StorageRef
    offset: int
    shape: tuple[int, ...]
    strides: tuple[int, ...]


@dataclass(frozen=True, slots=True, eq=False)
class GlobalName:
    """Name of a function or class that a pickle asks for."""

    text: str


def parse_storage(entry: Any) -> StorageRef | Skipped:
    """Storage that an entry of torch refers to: ("storage", type, key, device, number of values)."""
    skipped = Skipped("a storage of another kind")
    if not isinstance(entry, tuple) or entry[0] != "storage" or entry[5:] not in ((), (None,)):
        return skipped
    _, kind, key, _, num_values = entry[:5]
    module, _, name = kind.text.rpartition(".") if isinstance(kind, GlobalName) else ("", "", "")
    is_known = module in ("torch", "torch.storage", "torch.cuda") and name in _STORAGES
    if is_known and isinstance(key, str) and type(num_values) is int and num_values >= 0:
        return StorageRef(key, _STORAGES[name], num_values)
    return skipped


def rebuild(function: Any, arguments: Any) -> Any:
    """Result of a call that describes a tensor; `Skipped` for every other call."""
    if not (isinstance(function, GlobalName) and isinstance(arguments, tuple)):
        return Skipped("something that is called")
    known = _REBUILDERS.get(function.text)
    return Skipped(function.text) if known is None else known(*arguments)


def _dictionary(*pairs: Any) -> dict[Any, Any] | Skipped:
    return Skipped("a dictionary of pairs") if pairs else {}


def _shape(*sizes: Any) -> Any:
    return sizes[0] if sizes and isinstance(sizes[0], tuple) else Skipped("a shape")


def _of_type(function: Any, _: Any, arguments: Any, *__: Any) -> Any:
    return rebuild(function, arguments)


def _parameter(tensor: Any, *_: Any) -> Any:
    return tensor


def _newer_tensor(*arguments: Any) -> Skipped:
    kind = arguments[6]  # types without a storage class, such as float8
    return Skipped(kind.text if isinstance(kind, GlobalName) else "a tensor of another kind")


def _tensor(storage: Any, offset: Any, shape: Any, strides: Any, *_: Any) -> TensorRef | Skipped:
    numbers = (offset, *shape, *strides)
    if not isinstance(storage, StorageRef) or not all(type(each) is int and each >= 0 for each in numbers):
        return Skipped("torch.Tensor of another kind")
    if len(shape) != len(strides):
        raise DamagedPickleError(f"a tensor of shape {shape} has strides {strides}")
    return TensorRef(storage, offset, tuple(shape), tuple(strides))


_REBUILDERS: Final[dict[str, Callable[..., Any]]] = {
    "collections.OrderedDict": _dictionary,
    "torch.Size": _shape,
    "torch._utils._rebuild_tensor": _tensor,
    "torch._utils._rebuild_tensor_v2": _tensor,
    "torch._utils._rebuild_tensor_v3": _newer_tensor,
    "torch._utils._rebuild_parameter": _parameter,
    "torch._utils._rebuild_parameter_with_state": _parameter,
    "torch._tensor._rebuild_from_type_v2": _of_type,
}
