"""One pretraining step: masks are given; forward, backward, update."""

from collections.abc import Callable
from functools import partial

import numpy as np
import torch
from torch import Tensor, nn

from benchmarks.models import base_training, fresh, small_training
from benchmarks.part import Answer, Part, Setting, Variant, Work
from benchmarks.textbook import training as textbook_training
from benchmarks.textbook.model import TextbookModel
from cavmae_sync.choices import TrainingPrecision
from cavmae_sync.data import Draw
from cavmae_sync.data.draws import Purpose
from cavmae_sync.losses import gather_nothing
from cavmae_sync.model.block import compile_blocks
from cavmae_sync.model.flops import pretraining_flops
from cavmae_sync.paper import NUM_MELS
from cavmae_sync.training import PretrainConfig
from cavmae_sync.training.masks import MaskSampler, StepMasks
from cavmae_sync.training.optim import Updater
from cavmae_sync.training.step import PretrainStep

#: Makes the configuration of a run with batches of so many pairs.
MakeConfig = Callable[[int], PretrainConfig]
#: Numbers of each gradient that are compared.
_COMPARED = 4096
#: The pairs whose loss and gradients are compared.
_FEW = slice(2)


def textbook(setting: Setting, *, make_config: MakeConfig, batch_size: int) -> Work:
    """Eager float32, plain Adam, everything predicted, the allocator as it is."""
    config = _config(setting, make_config, batch_size)
    segments, frames, masks = noise_batch(config, torch.device(setting.device))
    keep = {"audio_keep": masks.audio.keep_PK, "visual_keep": masks.visual.keep_PK}
    model = TextbookModel.like(fresh(config.model, setting)).to(setting.device)
    optimizer = textbook_training.plain_adam(model, config)

    def repeat() -> None:
        textbook_training.step(model, optimizer, segments, frames, **keep, config=config)

    def few_losses(again: TextbookModel) -> Tensor:
        few = {name: kept[_FEW] for name, kept in keep.items()}
        return textbook_training.losses(again, segments[_FEW], frames[_FEW], **few, config=config)

    def answer() -> Answer:
        again = TextbookModel.like(fresh(config.model, setting)).to(setting.device)
        return _gradients(again, few_losses(again))

    def warm_up() -> None:
        few_losses(model).backward()
        optimizer.step()

    return Work(repeat=repeat, answer=answer, operations=needed_operations(config), warm_up=warm_up)


def package(
    setting: Setting,
    *,
    make_config: MakeConfig,
    batch_size: int,
    precision: TrainingPrecision,
    is_compiled: bool = False,
) -> Work:
    """The step of `cavmae-sync pretrain`."""
    config = _config(setting, make_config, batch_size)
    segments, frames, masks = noise_batch(config, torch.device(setting.device))

    def losses(model: nn.Module, pairs: slice) -> Tensor:
        step = PretrainStep(model, config.losses, precision=precision, gather=gather_nothing)
        return step(segments[pairs], frames[pairs], masks.part(pairs)).total

    model = fresh(config.model, setting)
    if is_compiled:
        compile_blocks(model)
    updater = Updater(model.parameters(), config.optim, precision=precision)

    def repeat() -> None:
        updater.backward(losses(model, slice(None)))
        updater.update(learning_rate=config.optim.learning_rate)

    def answer() -> Answer:
        again = fresh(config.model, setting)
        if is_compiled:
            compile_blocks(again)
        return _gradients(again, losses(again, _FEW))

    return Work(
        repeat=repeat,
        answer=answer,
        operations=needed_operations(config),
        precision=precision,
        warm_up=repeat,
    )


def _config(setting: Setting, make_config: MakeConfig, batch_size: int) -> PretrainConfig:
    return setting.pick(make_config, small_training)(batch_size)


def noise_batch(config: PretrainConfig, device: torch.device) -> tuple[Tensor, Tensor, StepMasks]:
    """Segments and frames of noise, and the masks of the first step."""
    count, inputs = config.loop.batch_size, config.model.inputs
    generator = torch.Generator().manual_seed(1)
    segments = torch.randn(count, inputs.segment_length, NUM_MELS, generator=generator)
    frames = torch.randn(count, 3, inputs.frame_pixels, inputs.frame_pixels, generator=generator)
    source = MaskSampler(config.model, config.masking, seed=0, purpose=Purpose.MASK)
    masks = source.draw([Draw(0, index) for index in range(count)])
    return segments.to(device), frames.to(device), masks.to(device)


def needed_operations(config: PretrainConfig) -> float:
    return config.loop.batch_size * pretraining_flops(config.model, mask_ratio=config.masking.ratio)


def _gradients(model: nn.Module, loss: Tensor) -> Answer:
    """The loss, and the first numbers of every gradient."""
    loss.backward()
    parts = [
        (torch.zeros_like(weight) if weight.grad is None else weight.grad).flatten()[:_COMPARED].float().cpu()
        for _, weight in sorted(model.named_parameters())
    ]
    return {"loss": np.array([loss.item()]), "gradient": torch.cat(parts).numpy()}


def _part(name: str, title: str, make_config: MakeConfig, batch_size: int, **how: object) -> Part:
    targets: dict[str, float] = {"bfloat16": 4.5} if name == "training-base-8" else {}
    ours = [
        Variant(
            name=precision,
            make=partial(package, make_config=make_config, batch_size=batch_size, precision=precision),
            target=targets.get(precision),
            precision=precision,
            rounds_where_slow=1 if batch_size == 8 else 0,
            is_set_up=True,
        )
        for precision in ("float32", "bfloat16")
    ]
    first = Variant(
        name="textbook float32", make=partial(textbook, make_config=make_config, batch_size=batch_size)
    )
    return Part(
        name=name,
        title=title,
        unit="step",
        variants=(first, *ours),
        # Their rate is timed by the clock on the wall, which says nothing of processor seconds.
        products=() if how.get("is_one_thread") else ("float32", "bfloat16"),
        **how,
    )


BASE = tuple(
    _part(
        f"training-base-{size}",
        f"training step, ViT-B, batch {size}",
        base_training,
        size,
        rounds=rounds,
        is_alone=True,
    )
    for size, rounds in ((8, 3), (32, 1))
)
SMALL = (
    *(
        _part(
            f"training-small-{size}", f"training step, the demo's model, batch {size}", small_training, size
        )
        for size in (8, 32)
    ),
    _part(
        "training-small-64",
        "training step, the demo's model, batch 64, seconds of one thread",
        small_training,
        64,
        is_one_thread=True,
    ),
)
