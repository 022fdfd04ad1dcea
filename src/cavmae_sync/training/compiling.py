"""Whether blocks are compiled: can this machine, does it work, and is it a gain?"""

import os
import shutil
import statistics
import time
import warnings
from collections.abc import Callable
from typing import Literal

import torch
from torch import Tensor

from cavmae_sync.compute import matrix_products_in
from cavmae_sync.data import Draw
from cavmae_sync.data.draws import Purpose
from cavmae_sync.errors import ConfigError
from cavmae_sync.losses import gather_nothing
from cavmae_sync.model import CAVMAESync
from cavmae_sync.model.block import Block, compile_blocks
from cavmae_sync.paper import NUM_MELS
from cavmae_sync.training.config import PretrainConfig
from cavmae_sync.training.masks import MaskSampler
from cavmae_sync.training.step import PretrainStep

#: Compiled blocks are used from this gain on. Less could be noise of the measurement.
_CLEAR_GAIN = 1.05
_REPEATS = 7
#: (clip, frame) pairs in a measurement on the CPU.
_NUM_PAIRS_ON_CPU = 2


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


def choose_compile(
    config: PretrainConfig, device: torch.device, *, num_processes: int
) -> tuple[Literal["on", "off"], str]:
    """Whether compiling blocks is a gain here, and why.

    A block is measured; where it gains, a whole step is compiled too, whose other shapes may fail.

    Args:
        config: The run.
        device: Where it computes.
        num_processes: Processes that share a batch.
    """
    if config.masking.changes_size:
        return "off", "masks of changing size would be compiled again and again"
    if _lacks_compiler(device):
        warnings.warn(
            "loop.compile=measure: this machine has no C++ compiler, so nothing is compiled. Install g++, or "
            "set loop.compile=off.",
            stacklevel=3,
        )
        return "off", "there is no C++ compiler"
    try:
        num_pairs = _num_pairs(config, device, num_processes)
        gain, seconds = measure_compiling(config, device, num_pairs=num_pairs)
        if gain >= _CLEAR_GAIN:
            seconds += _seconds_of(lambda: compiled_step(config, device, num_pairs=num_pairs))
    except Exception as error:  # noqa: BLE001 (a compiler fails in every way; the run does without it)
        reason = f"{type(error).__name__}: {str(error).splitlines()[0] if str(error) else ''}"
        warnings.warn(
            f"loop.compile: torch.compile fails here ({reason}), so nothing is compiled. Set "
            "loop.compile=off to say so, or TORCH_LOGS=dynamo to see why.",
            stacklevel=3,
        )
        return "off", f"torch.compile failed: {reason}"
    found = f"{gain:.2f} times as fast, after {seconds:.0f} s"
    return ("on" if gain >= _CLEAR_GAIN else "off"), f"a compiled block is {found}"


def _num_pairs(config: PretrainConfig, device: torch.device, num_processes: int) -> int:
    """Few on the CPU, where time is proportional; elsewhere those of a run: few would measure launches."""
    if device.type == "cpu":
        return _NUM_PAIRS_ON_CPU
    return max(1, config.loop.batch_size // (num_processes * config.loop.accumulation))


def compiled_step(config: PretrainConfig, device: torch.device, *, num_pairs: int) -> Tensor:
    """Loss of a compiled step on noise, after its backward pass: all that a run will compile.

    Args:
        config: The run.
        device: Where it computes.
        num_pairs: (clip, frame) pairs.
    """
    model = CAVMAESync(config.model).to(device)
    compile_blocks(model)
    losses = config.losses.model_copy(
        update={"contrast": config.losses.contrast.model_copy(update={"negatives": "local"})}
    )
    step = PretrainStep(model, losses, precision=config.loop.decided_precision, gather=gather_nothing)
    inputs = config.model.inputs
    segments = torch.randn(num_pairs, inputs.segment_length, NUM_MELS, device=device)
    frames = torch.randn(num_pairs, 3, inputs.frame_pixels, inputs.frame_pixels, device=device)
    masks = MaskSampler(config.model, config.masking, seed=0, purpose=Purpose.MASK)
    drawn = masks.draw([Draw(0, k) for k in range(num_pairs)]).to(device)
    found = step(segments, frames, drawn)
    found.total.backward()
    return found.row_L.cpu()  # waits for the device


def measure_compiling(config: PretrainConfig, device: torch.device, *, num_pairs: int) -> tuple[float, float]:
    """Gain of a compiled decoder block over the same block as it is, and the seconds that compiling took.

    A block of the decoder stands for the model: half of a step's operations are its blocks.

    Args:
        config: Shape of the model and precision.
        device: Where the run computes.
        num_pairs: (clip, frame) pairs.

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
    row = torch.randn(num_pairs, tokens, width, device=device, requires_grad=True)

    def train(block: Block) -> Tensor:
        with matrix_products_in(config.loop.decided_precision, device):
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
