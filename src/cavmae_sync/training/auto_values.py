"""Values of a configuration that are "auto": decided once, when a run starts, by its machine.

The decisions are written into the run's configuration, so every process and every resumed run computes alike.
"""

from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager, nullcontext
from types import MappingProxyType
from typing import Final, Literal

import torch

from cavmae_sync.compute import (
    Float32Choice,
    choose_float32_products,
    computes_bfloat16,
    float32_products_in,
)
from cavmae_sync.training.compiling import check_can_compile, choose_compile
from cavmae_sync.training.config import PretrainConfig

#: Steps between readings of an accelerator: below 1 % of the time of ten short steps.
_STEPS_BETWEEN_READINGS = 10


def resolve_auto(
    config: PretrainConfig, device: torch.device, *, num_processes: int = 1
) -> tuple[PretrainConfig, dict[str, object]]:
    """Replace "auto" in a configuration by what this machine decides.

    Args:
        config: The configuration of a caller.
        device: Where the run computes.
        num_processes: Processes that share a batch: compiling is measured on the share of one.

    Returns:
        The configuration without "auto", and the reasons, for the run's environment.json.

    Raises:
        ConfigError: Blocks are to be compiled, and nothing can compile here.
    """
    check_can_compile(config, device)
    config, facts = resolve_by_device(config, device)
    compiles = config.loop.compile
    if compiles == "measure":
        with training_products_in(config.loop.float32_products, device):
            compiles, facts["compile"] = choose_compile(config, device, num_processes=num_processes)
    return _with_loop(config, compile=compiles), facts


def resolve_by_device(
    config: PretrainConfig, device: torch.device
) -> tuple[PretrainConfig, dict[str, object]]:
    """Replace each "auto" by what it means on a device. Nothing is measured.

    Returns:
        The configuration without "auto", and the reason of each value that was "auto".
    """
    values: dict[str, object] = {}
    reasons: dict[str, object] = {}
    for name, by_device in _BY_DEVICE.items():
        if getattr(config.loop, name) == "auto":
            values[name], reasons[name] = by_device(device)
    return _with_loop(config, **values), reasons


def _precision(device: torch.device) -> tuple[str, str]:
    if device.type != "cuda":
        return "float32", f"on {device.type}, half precision is on request only"
    has_bfloat16 = computes_bfloat16(torch.cuda.get_device_capability(device))
    name = torch.cuda.get_device_name(device)
    if has_bfloat16:
        return "bfloat16", f"{name} has bfloat16 products"
    return "float32", f"{name} has no bfloat16 products"


def _float32_products(device: torch.device) -> tuple[str, str]:
    if device.type == "cuda":
        return "high", "TF32, for the products that are not in half precision"
    return choose_float32_products(device), f"the fast way that is still float32 on {device.type}"


def _compile(device: torch.device) -> tuple[str, str]:
    if device.type == "cuda":
        return "measure", "not measured yet"
    return "off", f"no gain was ever measured on {device.type}"


def _read_every_steps(device: torch.device) -> tuple[int, str]:
    if device.type == "cuda":
        return _STEPS_BETWEEN_READINGS, "a reading makes the device wait for the next step"
    return 1, f"on {device.type} each step is read"


#: What "auto" means in each field of `LoopConfig` that may be so, and why.
_BY_DEVICE: Final[Mapping[str, Callable[[torch.device], tuple[object, str]]]] = MappingProxyType(
    {
        "precision": _precision,
        "float32_products": _float32_products,
        "compile": _compile,
        "read_every_steps": _read_every_steps,
    }
)


def _with_loop(config: PretrainConfig, **values: object) -> PretrainConfig:
    return config.model_copy(update={"loop": config.loop.model_copy(update=values)})


def describe_arithmetic(config: PretrainConfig, device: torch.device) -> str:
    """One line about how a run computes, for people; with the way to plain float32 where it does not.

    Args:
        config: The run, without "auto".
        device: Where it computes.
    """
    loop = config.loop
    compiled = "compiled" if loop.compile == "on" else "not compiled"
    read = "each step" if loop.read_every_steps == 1 else f"every {loop.read_every_steps} steps"
    line = (
        f"{device.type}: precision {loop.precision}, float32 products {loop.float32_products}, {compiled}, "
        f"losses read {read}"
    )
    is_plain = loop.precision == "float32" and (device.type != "cuda" or loop.float32_products == "highest")
    return (
        line if is_plain else f"{line}. Plain float32: loop.precision=float32 loop.float32_products=highest"
    )


def training_products_in(
    products: Float32Choice | Literal["high"], device: torch.device
) -> AbstractContextManager[None]:
    """Compute float32 products of the process so inside the block.

    Args:
        products: Field of a run. "auto" changes nothing: a run of an old version has not recorded it.
        device: Where the run computes. "high" is permission for TF32, which only CUDA has: elsewhere products
            are exact, so a run that moves to another device goes on.
    """
    if products == "auto":
        return nullcontext()
    return float32_products_in("highest" if products == "high" and device.type != "cuda" else products)


def is_resolved_from(found: PretrainConfig, asked: PretrainConfig) -> bool:
    """Whether a run's configuration is the one asked for; "auto" and "measure" agree with any decision."""
    decided = {
        name: getattr(found.loop, name)
        for name in _BY_DEVICE
        if getattr(asked.loop, name) in ("auto", "measure")
    }
    return found == asked.model_copy(update={"loop": asked.loop.model_copy(update=decided)})
