"""Configurations that train in a moment; shared with the scripts that tests start as processes."""

from typing import Any

from cavmae_sync.inputs import InputConfig
from cavmae_sync.losses import ContrastConfig, LossConfig
from cavmae_sync.model import DecoderConfig, ModelConfig
from cavmae_sync.training import LoopConfig, PretrainConfig

TINY_MODEL = ModelConfig(
    inputs=InputConfig(frame_pixels=32, segment_length=32, alignment="valid"),
    width=16,
    depth=1,
    heads=2,
    registers=2,
    decoder=DecoderConfig(width=8, depth=1, heads=2),
)


def tiny_run(
    *, loop: dict[str, Any] | None = None, negatives: str = "local", **changes: Any
) -> PretrainConfig:
    """Seven steps of four clips, an epoch being three steps. Nothing is measured."""
    steps = {"batch_size": 4, "num_steps": 7, "num_workers": 0, "log_every_steps": 2}
    steps |= {"float32_products": "highest"}
    return PretrainConfig(
        name="tiny",
        model=TINY_MODEL,
        loop=LoopConfig(**steps | (loop or {})),
        **{"losses": LossConfig(contrast=ContrastConfig(negatives=negatives))} | changes,
    )
