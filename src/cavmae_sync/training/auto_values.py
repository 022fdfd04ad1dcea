"""Values of a configuration that are "auto": decided once, when a run starts, by its machine.

The decisions are written into the run's configuration, so every process and every resumed run computes alike.
"""

import os
import shutil
import statistics
import time
import warnings
from collections.abc import Callable
from typing import Literal

import torch
from torch import Tensor

from cavmae_sync.compute import float32_products_in, matrix_products_in, resolve_float32_products
from cavmae_sync.errors import ConfigError
from cavmae_sync.model.block import Block, compile_blocks
from cavmae_sync.training.config import PretrainConfig

#: Compiled blocks are used from this gain on. Less could be noise of the measurement.
_CLEAR_GAIN = 1.05
_REPEATS = 7
#: (clip, frame) pairs in the measurement.
_NUM_PAIRS = 2


def resolve_auto(config: PretrainConfig, device: torch.device) -> tuple[PretrainConfig, dict[str, object]]:
    """Replace "auto" in a configuration by what this machine decides.

    Args:
        config: The configuration of a caller.
        device: Where the run computes.

    Returns:
        The configuration without "auto", and the reasons, for the run's environment.json.

    Raises:
        ConfigError: Blocks are to be compiled, and nothing can compile here.
    """
    check_can_compile(config, device)
    facts: dict[str, object] = {}
    products, compiles = resolve_float32_products(config.loop.float32_products, device), config.loop.compile
    if compiles == "auto":
        with float32_products_in(products):
            compiles, facts["compile"] = _choose_compile(config, device)
    loop = config.loop.model_copy(update={"float32_products": products, "compile": compiles})
    return config.model_copy(update={"loop": loop}), facts


def is_resolved_from(found: PretrainConfig, asked: PretrainConfig) -> bool:
    """Whether a run's configuration is the one asked for; "auto" agrees with any decision."""
    decided = {
        name: getattr(found.loop, name)
        for name in ("float32_products", "compile")
        if getattr(asked.loop, name) == "auto"
    }
    return found == asked.model_copy(update={"loop": asked.loop.model_copy(update=decided)})


def check_can_compile(config: PretrainConfig, device: torch.device) -> None:
    """Refuse a run whose blocks are to be compiled on a machine without a compiler.

    Raises:
        ConfigError: This machine has no C++ compiler.
    """
    if config.loop.compile == "on" and _lacks_compiler(device):
        raise ConfigError(
            "loop.compile=on: this machine has no C++ compiler. Install g++, or begin a run with "
            "loop.compile=off."
        )


def _lacks_compiler(device: torch.device) -> bool:
    names = (os.environ.get("CXX", "g++"), "c++", "g++", "clang++")
    return device.type == "cpu" and not any(shutil.which(name) for name in names)


def _choose_compile(config: PretrainConfig, device: torch.device) -> tuple[Literal["on", "off"], str]:
    if config.masking.ratio_range is not None:
        return "off", "masks of changing size would be compiled again and again"
    if _lacks_compiler(device):
        warnings.warn(
            "loop.compile=auto: this machine has no C++ compiler, so nothing is compiled. Install g++, or "
            "set loop.compile=off.",
            stacklevel=3,
        )
        return "off", "there is no C++ compiler"
    try:
        gain, seconds = measure_compiling(config, device)
    except Exception as error:  # noqa: BLE001 (a compiler fails in every way; the run does without it)
        reason = f"{type(error).__name__}: {str(error).splitlines()[0] if str(error) else ''}"
        warnings.warn(
            f"loop.compile=auto: torch.compile fails here ({reason}), so nothing is compiled. Set "
            "loop.compile=off to say so, or TORCH_LOGS=dynamo to see why.",
            stacklevel=3,
        )
        return "off", f"torch.compile failed: {reason}"
    found = f"{gain:.2f} times as fast, after {seconds:.0f} s"
    return ("on" if gain >= _CLEAR_GAIN else "off"), f"a compiled block is {found}"


def measure_compiling(config: PretrainConfig, device: torch.device) -> tuple[float, float]:
    """Gain of a compiled decoder block over the same block as it is, and the seconds that compiling took.

    A block of the decoder stands for the model: half of a step's operations are its blocks.

    Args:
        config: Shape of the model and precision.
        device: Where the run computes.

    Returns:
        Ratio of medians, eager over compiled, taken in turns; seconds.
    """
    model = config.model
    width, heads = (
        (model.width, model.heads) if model.decoder is None else (model.decoder.width, model.decoder.heads)
    )
    tokens = sum(rows * columns for rows, columns in (model.audio_grid, model.visual_grid))
    eager, compiled = (Block(width, heads=heads, mlp_ratio=model.mlp_ratio).to(device) for _ in range(2))
    compile_blocks(compiled)
    row = torch.randn(_NUM_PAIRS, tokens, width, device=device, requires_grad=True)

    def train(block: Block) -> Tensor:
        with matrix_products_in(config.loop.precision, device):
            result = block(row)
        result.float().square().mean().backward()
        return result.flatten()[:1].cpu()  # waits for the device

    seconds = _seconds_of(lambda: train(compiled))
    train(eager)
    pairs = [
        (_seconds_of(lambda: train(eager)), _seconds_of(lambda: train(compiled))) for _ in range(_REPEATS)
    ]
    slow, fast = (statistics.median(column) for column in zip(*pairs, strict=True))
    return slow / fast, seconds


def _seconds_of(call: Callable[[], object]) -> float:
    began = time.perf_counter()
    call()
    return time.perf_counter() - began
