"""Value of each choice on this machine: the package as it chooses, and with one choice made otherwise.

At the sizes of ViT-B, with fewer blocks: 3 of 11 in each encoder, 2 of 8 in the decoder.
"""

from collections.abc import Callable
from functools import partial

import torch

from benchmarks.models import base_training, clip_inputs, fresh, small_training
from benchmarks.part import Part, Setting, Variant, Work
from benchmarks.parts.training import package as training_step
from cavmae_sync.compute import attention
from cavmae_sync.embedding import Embedder
from cavmae_sync.model import DecoderConfig, ModelConfig
from cavmae_sync.training import PretrainConfig

#: Changes one setting of the process.
Change = Callable[[], object]


def inference(setting: Setting, *, change: Change, batch_size: int = 64) -> Work:
    """16 frames through the visual encoder, float32."""
    change()
    config = setting.pick(_shortened(), small_training(8).model)
    embedder = Embedder(fresh(config, setting).eval(), device=setting.device, batch_size=batch_size)
    frames, _ = clip_inputs(config)

    def repeat() -> None:
        embedder.embed_frames(frames)

    return Work(repeat=repeat, answer=lambda: {"visual": embedder.embed_frames(frames[:2]).visual_PD.numpy()})


def training(setting: Setting, *, change: Change, is_compiled: bool = False) -> Work:
    """A training step of 8 pairs, float32."""
    change()
    return training_step(
        setting, make_config=_shortened_training, batch_size=8, precision="float32", is_compiled=is_compiled
    )


def nothing() -> None:
    """Change nothing: the package's own choices."""


def attend_with(kernel: attention.AttentionKernel) -> None:
    """Attention by this kernel, whatever the table says."""
    attention.choose_attention = lambda *_, **__: kernel  # a process of its own, which ends with the variant


def _shortened() -> ModelConfig:
    return ModelConfig(depth=3, decoder=DecoderConfig(depth=2))


def _shortened_training(batch_size: int) -> PretrainConfig:
    return base_training(batch_size).model_copy(update={"model": _shortened()})


def _variants(make: Callable[..., Work]) -> tuple[Variant, ...]:
    def variant(name: str, change: Change, *, is_set_up: bool = True, **how: object) -> Variant:
        return Variant(name=name, make=partial(make, change=change, **how), is_set_up=is_set_up)

    return (
        variant("as chosen", nothing),
        variant("attention: plain products", partial(attend_with, "plain")),
        variant("attention: fused kernel", partial(attend_with, "fused")),
        variant("float32 products: highest", partial(torch.set_float32_matmul_precision, "highest")),
        variant("float32 products: medium", partial(torch.set_float32_matmul_precision, "medium")),
        variant("allocator: freed memory goes back", nothing, is_set_up=False),
    )


_NOTE = (
    "A ratio below 1: slower here than what is chosen. Two rows are the choice itself; they show the noise."
)
INFERENCE = Part(
    name="choices-inference",
    title="choices, 16 frames through a shortened ViT-B, float32",
    unit="clip",
    rounds=4,
    variants=(
        *_variants(inference),
        Variant(
            name="one frame at a time",
            make=partial(inference, change=nothing, batch_size=1),
            is_set_up=True,
        ),
    ),
    note=_NOTE,
)
TRAINING = Part(
    name="choices-training",
    title="choices, training step of a shortened ViT-B, batch 8, float32",
    unit="step",
    rounds=3,
    variants=(
        *_variants(training),
        Variant(
            name="blocks compiled",
            make=partial(training, change=nothing, is_compiled=True),
            is_set_up=True,
        ),
    ),
    note=_NOTE,
)
