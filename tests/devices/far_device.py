"""An accelerator that is not there: its tensors are elsewhere, as those of CUDA and MPS, and computed here.

A far tensor keeps its numbers on the CPU and says that it is on `far:0`. Where a real accelerator refuses, it
refuses: an operation on tensors of both places, NumPy, float64 (as on Apple's processors). So a CPU that has
no accelerator finds a tensor made in the wrong place, and results can be compared with the CPU's.
"""

from typing import Any

import torch
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves, tree_map
from torch.utils.backend_registration import _setup_privateuseone_for_python_backend

#: As on CUDA: these take tensors of both places.
_CROSSES = ("aten::_to_copy", "aten::copy_", "aten::index", "aten::index_put", "aten::index_put_")

#: Operations that brought numbers to the CPU: each time the device was waited for.
READINGS: list[str] = []


class _Backend:
    """What torch asks of the module of a device."""

    def is_available(self) -> bool:
        return True

    def device_count(self) -> int:
        return 1

    def current_device(self) -> int:
        return 0

    def is_initialized(self) -> bool:
        return True

    def _is_in_bad_fork(self) -> bool:
        return False

    def get_amp_supported_dtype(self) -> list[torch.dtype]:
        return [torch.bfloat16, torch.float16]


class FarTensor(torch.Tensor):
    """A tensor on `far:0`; `near` holds its numbers."""

    @staticmethod
    def __new__(cls, near: torch.Tensor) -> "FarTensor":
        return torch.Tensor._make_wrapper_subclass(
            cls,
            near.size(),
            strides=near.stride(),
            storage_offset=near.storage_offset(),
            dtype=near.dtype,
            device=torch.device("far:0"),
        )

    def __init__(self, near: torch.Tensor) -> None:
        self.near = near

    def __reduce_ex__(self, protocol: int) -> Any:
        return self.near.__reduce_ex__(protocol)  # saved like any tensor, and read on the CPU

    @classmethod
    def __torch_function__(cls, func: Any, _types: Any, args: Any = (), kwargs: Any = None) -> Any:
        if func is torch.Tensor.tolist:
            return args[0].near.tolist()
        if func in (torch.Tensor.numpy, torch.Tensor.__array__):
            raise TypeError("can't convert far:0 device type tensor to numpy. Use Tensor.cpu().")
        with torch._C.DisableTorchFunctionSubclass():
            return func(*args, **(kwargs or {}))

    @classmethod
    def __torch_dispatch__(cls, func: Any, _types: Any, args: Any = (), kwargs: Any = None) -> Any:
        with torch.inference_mode(False), torch.no_grad():
            return _compute(func, args, kwargs or {})


class FarDevice(TorchDispatchMode):
    """While it is entered, tensors can be made on the device."""

    def __torch_dispatch__(self, func: Any, _types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = kwargs or {}
        if _is_far(kwargs.get("device")):
            with torch.inference_mode(False), torch.no_grad():
                return _compute(func, args, kwargs)
        return func(*args, **kwargs)


def _is_far(device: Any) -> bool:
    return device is not None and torch.device(device).type == "far"


def _near(value: Any) -> Any:
    return value.near if isinstance(value, FarTensor) else value


def _compute(func: Any, args: Any, kwargs: dict[str, Any]) -> Any:
    """The operation on the CPU, and its results where they belong."""
    name = func._schema.name
    tensors = [value for value in tree_leaves((args, kwargs)) if isinstance(value, torch.Tensor)]
    far = [value for value in tensors if isinstance(value, FarTensor)]
    others = [value for value in tensors if not isinstance(value, FarTensor)]
    if far and name not in _CROSSES and any(value.ndim for value in others):
        raise RuntimeError(f"{name}: expected all tensors on one device, found far:0 and cpu.")
    goes_far = _is_far(kwargs["device"]) if kwargs.get("device") is not None else bool(far)
    near_kwargs = {key: _near(value) if key != "device" else None for key, value in kwargs.items()}
    if kwargs.get("device") is not None:
        near_kwargs["device"] = torch.device("cpu")
    found = func(*tree_map(_near, args), **tree_map(_near, near_kwargs))
    if far and _is_reading(name, args, found, goes_far=goes_far):
        READINGS.append(name)
    if not goes_far or (name == "aten::copy_" and not isinstance(args[0], FarTensor)):
        return found
    known = {id(value.near): value for value in far}  # what was changed in place stays the tensor it was
    return tree_map(lambda value: known[id(value)] if id(value) in known else _far(value), found)


def _is_reading(name: str, args: Any, found: Any, *, goes_far: bool) -> bool:
    if not goes_far or (name == "aten::copy_" and not isinstance(args[0], FarTensor)):
        return True
    numbers = [value for value in tree_leaves(found) if value is not None]
    return bool(numbers) and not any(isinstance(value, torch.Tensor) for value in numbers)


def _far(value: Any) -> Any:
    if not isinstance(value, torch.Tensor):
        return value
    if value.dtype is torch.float64:
        raise TypeError("Cannot make a float64 tensor on far:0, as on MPS. Use float32.")
    return FarTensor(value)


def _empty_strided(size: Any, stride: Any, *, dtype: Any = None, **_: Any) -> Any:
    return _far(torch.empty_strided(size, stride, dtype=dtype))


def _copy_from(source: torch.Tensor, target: torch.Tensor, non_blocking: bool = False) -> torch.Tensor:
    _near(target).copy_(_near(source), non_blocking)
    return target


def register() -> list[torch.library.Library]:
    """Tell torch of the device. Holds as long as the result lives; changes the whole process for good."""
    _setup_privateuseone_for_python_backend("far", backend_module=_Backend())
    kernels, autocast = torch.library.Library("aten", "IMPL"), torch.library.Library("_", "IMPL")
    # `torch.tensor(..., device=...)` asks for these below the level of Python.
    kernels.impl("empty_strided", _empty_strided, "PrivateUse1")
    kernels.impl("_copy_from", _copy_from, "PrivateUse1")
    autocast.fallback(torch.library.fallthrough_kernel, "AutocastPrivateUse1")
    return [kernels, autocast]
