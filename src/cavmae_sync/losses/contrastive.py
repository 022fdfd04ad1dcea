"""The contrastive loss: embeddings of matching (clip, frame) pairs in, one scalar out.

P pairs of this process, G pairs gathered from all processes, D width.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import torch
from pydantic import Field, field_validator
from torch import Tensor
from torch.nn import functional as F

from cavmae_sync import paper
from cavmae_sync.config import Config

Direction = Literal["video_to_audio", "both"]

_SHARD = re.compile(r"shard:([1-9][0-9]*)")


@dataclass(frozen=True, kw_only=True, slots=True)
class Gathered:
    """Rows of all processes, and where this process's own rows begin in them."""

    rows_GD: Tensor
    offset: int


#: Brings rows of all processes together, with gradients. The loss does not know how many there are.
Gather = Callable[[Tensor], Gathered]


def gather_nothing(rows_PD: Tensor) -> Gathered:
    """The gather of a single process: its own rows."""
    return Gathered(rows_GD=rows_PD, offset=0)


class ContrastConfig(Config):
    """How aligned tokens are compared."""

    temperature: float = Field(paper.TEMPERATURE, gt=0)
    """Divides the cosines."""
    direction: Direction = "video_to_audio"
    """"video_to_audio": given a frame, find its sound (released code). "both": mean of both ways."""
    negatives: str = f"shard:{paper.NEGATIVES_SHARD}"
    """Candidates of one softmax: "shard:n" splits a batch into shards of n, "local" is the batch of one
    process, "global" the batch of all processes."""
    representation: Literal["global", "patch_mean", "both"] = "global"
    """What is compared: global tokens (patch means where a model has none), patch means, or the mean of
    both losses."""

    @field_validator("negatives")
    @classmethod
    def _known(cls, value: str) -> str:
        if value not in ("local", "global") and _SHARD.fullmatch(value) is None:
            raise ValueError('negatives must be "shard:n" with n > 0, "local" or "global"')
        return value

    @property
    def shard_size(self) -> int | None:
        """The n of `shard:n`, else None."""
        match = _SHARD.fullmatch(self.negatives)
        return int(match[1]) if match else None


@dataclass(frozen=True, kw_only=True, slots=True)
class Contrast:
    """Scalars of one comparison: `loss` in nats; `accuracy`, how often a frame's nearest sound is its own."""

    loss: Tensor
    accuracy: Tensor


def contrastive_loss(
    audio_PD: Tensor, visual_PD: Tensor, *, config: ContrastConfig, gather: Gather = gather_nothing
) -> Contrast:
    """Cross-entropy of matching pairs among candidates, over cosines divided by the temperature.

    Cosines are float32 (at least) whatever the precision around it: in half precision the spacing near
    the largest logit is 0.016.

    Args:
        audio_PD: Embeddings `[P, D]`, any length.
        visual_PD: Embeddings `[P, D]`; row i belongs to row i of the audio.
        config: Temperature, direction and candidates.
        gather: Used for `negatives="global"` only. Its gradient must reach the other processes, and the
            gradients of processes are averaged, so that the result equals that of one process.

    Raises:
        ValueError: A shard size does not divide the batch.

    Source:
        Spec 2.8 and 3.3.
    """
    wide = torch.promote_types(audio_PD.dtype, torch.float32)
    audio_PD, visual_PD = (F.normalize(rows.to(wide), dim=-1) for rows in (audio_PD, visual_PD))
    if config.shard_size is None:
        return _contrast(
            audio_PD, visual_PD, config, gather if config.negatives == "global" else gather_nothing
        )
    if len(audio_PD) % config.shard_size:
        raise ValueError(f"negatives={config.negatives!r} must divide the batch of {len(audio_PD)} pairs")
    shards = [
        _contrast(audio, visual, config, gather_nothing)
        for audio, visual in zip(
            audio_PD.split(config.shard_size), visual_PD.split(config.shard_size), strict=True
        )
    ]
    return Contrast(
        loss=torch.stack([shard.loss for shard in shards]).mean(),
        accuracy=torch.stack([shard.accuracy for shard in shards]).mean(),
    )


def _contrast(audio_PD: Tensor, visual_PD: Tensor, config: ContrastConfig, gather: Gather) -> Contrast:
    with torch.autocast(device_type=audio_PD.device.type, enabled=False):
        sounds = gather(audio_PD)
        targets_P = sounds.offset + torch.arange(len(audio_PD), device=audio_PD.device)
        logits_PG = visual_PD @ sounds.rows_GD.T / config.temperature
        loss = F.cross_entropy(logits_PG, targets_P)
        if config.direction == "both":
            frames = gather(visual_PD)
            loss = (loss + F.cross_entropy(audio_PD @ frames.rows_GD.T / config.temperature, targets_P)) / 2
        accuracy = (logits_PG.argmax(dim=1) == targets_P).to(logits_PG.dtype).mean()
    return Contrast(loss=loss, accuracy=accuracy)
