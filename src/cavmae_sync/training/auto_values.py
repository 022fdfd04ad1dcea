"""What a run decides once, at its start, by its machine.

The decisions stand in the run's configuration, so that every process and every resumed run computes the same.
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

#: What compiled blocks must gain before they are used: less could be noise.
_CLEAR_GAIN = 1.05
_REPEATS = 7
#: Pairs of the measurement.
_NUM_PAIRS = 2


def resolve_auto(config: PretrainConfig, device: torch.device) -> tuple[PretrainConfig, dict[str, object]]:
    """Put what was decided where a configuration says "auto".

    Args:
        config: What was asked for.
        device: Where the run computes.

    Returns:
        The configuration without "auto", and why, for the description of the run's environment.

    Raises:
        ConfigError: As `check_can_compile`.
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
    """Whether a run's configuration is what was asked for; "auto" agrees with whatever was decided."""
    decided = {
        name: getattr(found.loop, name)
        for name in ("float32_products", "compile")
        if getattr(asked.loop, name) == "auto"
    }
    return found == asked.model_copy(update={"loop": asked.loop.model_copy(update=decided)})


def check_can_compile(config: PretrainConfig, device: torch.device) -> None:
    """Refuse a run whose blocks are to be compiled where nothing can.

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
    """How much faster a block of the decoder trains when compiled, and the seconds that compiling took.

    Args:
        config: Shape of the model and precision.
        device: Where.

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
