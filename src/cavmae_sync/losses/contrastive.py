"""The contrastive loss: embeddings of matching (clip, frame) pairs in, one scalar out.

P pairs of this process, G pairs gathered from all processes, K of them in one block, C clips with M moments
each, D width.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, Literal

import torch
from pydantic import Field, field_validator
from torch import Tensor
from torch.nn import functional as F
from torch.utils.checkpoint import checkpoint

from cavmae_sync import paper
from cavmae_sync.config import Config

Direction = Literal["video_to_audio", "both"]
SameClip = Literal["compared", "left_out"]

_SHARD = re.compile(r"shard:([1-9][0-9]*)")

#: Most similarities held at once (64 MiB in float32). A larger table is computed in blocks of candidates,
#: and again in the backward pass.
_MAX_SIMILARITIES: Final = 1 << 24


@dataclass(frozen=True, kw_only=True, slots=True)
class Gathered:
    """Rows of all processes, and the place of this process's first row among them."""

    rows_GD: Tensor
    offset: int


#: Brings rows `[P, ...]` of all processes together, with gradients. The loss knows of no other process.
Gather = Callable[[Tensor], Gathered]


def gather_nothing(rows_PD: Tensor) -> Gathered:
    """Gather of a single process: its own rows."""
    return Gathered(rows_GD=rows_PD, offset=0)


class ContrastConfig(Config):
    """Comparison of aligned tokens."""

    temperature: float = Field(paper.TEMPERATURE, gt=0)
    """Divides the cosines."""
    learns_temperature: bool = False
    """Whether the temperature is trained with the model, from `temperature` on and not below 0.01 (CLIP's
    limit). It belongs to the run, not to the weights."""
    direction: Direction = "video_to_audio"
    """"video_to_audio": given a frame, find its sound (released code). "both": mean of both ways."""
    negatives: str = f"shard:{paper.NEGATIVES_SHARD}"
    """Candidates of one softmax: "shard:n" splits a batch into shards of n, "local" is the batch of one
    process, "global" the batch of all processes."""
    representation: Literal["global", "patch_mean", "both"] = "global"
    """What is compared: global tokens (patch means where a model has none), patch means, or the mean of
    both losses."""
    same_clip: SameClip = "compared"
    """Whether other moments of the same clip are candidates, where a step has several
    (`loop.moments_per_clip`). "left_out": which clip is learned here, and which moment by
    `within_clip_weight`."""
    within_clip_weight: float = Field(0.0, ge=0)
    """Weight of a second comparison, whose candidates are the moments of one clip in the step. It is part of
    the contrastive loss."""

    @field_validator("negatives")
    @classmethod
    def _known(cls, value: str) -> str:
        if value not in ("local", "global") and _SHARD.fullmatch(value) is None:
            raise ValueError('negatives must be "shard:n" with n > 0, "local" or "global"')
        return value

    @property
    def shard_size(self) -> int | None:
        """Clips that one softmax compares, where negatives are those of a shard; None otherwise."""
        match = _SHARD.fullmatch(self.negatives)
        return int(match[1]) if match else None


@dataclass(frozen=True, kw_only=True, slots=True)
class Contrast:
    """Scalars of a comparison: `loss` in nats; `accuracy`, the part of frames nearest to their own sound."""

    loss: Tensor
    accuracy: Tensor


def contrastive_loss(
    audio_PD: Tensor,
    visual_PD: Tensor,
    *,
    config: ContrastConfig,
    gather: Gather = gather_nothing,
    moments_per_clip: int = 1,
    temperature: Tensor | None = None,
) -> Contrast:
    """Cross-entropy of matching pairs among candidates, over cosines divided by the temperature.

    Cosines are float32 at least, whatever the precision of the model: the largest logit is 20, and numbers of
    float16 near it are 0.016 apart.

    Args:
        audio_PD: Embeddings `[P, D]`, any length.
        visual_PD: Embeddings `[P, D]`; row i belongs to row i of the audio.
        config: Temperature, direction and candidates.
        gather: Used for `negatives="global"` only. Its gradient must reach the other processes, and the
            gradients of processes are averaged, so that the result equals that of one process.
        moments_per_clip: Pairs of each clip, which stand one behind the other.
        temperature: Learned temperature; None takes that of the configuration.

    Raises:
        ValueError: A shard size does not divide the batch, or clips are not whole.

    Source:
        Code: Sync, `forward_contrastive`. A shard is what one device of DataParallel compared there.
    """
    wide = torch.promote_types(audio_PD.dtype, torch.float32)
    audio_PD, visual_PD = (F.normalize(rows.to(wide), dim=-1) for rows in (audio_PD, visual_PD))
    rule = _Rule(
        config=config,
        temperature=config.temperature if temperature is None else temperature.to(wide),
        moments_per_clip=moments_per_clip,
    )
    if config.shard_size is None:
        return _contrast(
            audio_PD, visual_PD, rule, gather if config.negatives == "global" else gather_nothing
        )
    if len(audio_PD) % config.shard_size:
        raise ValueError(f"negatives={config.negatives!r} must divide the batch of {len(audio_PD)} pairs")
    shards = [
        _contrast(audio, visual, rule, gather_nothing)
        for audio, visual in zip(
            audio_PD.split(config.shard_size), visual_PD.split(config.shard_size), strict=True
        )
    ]
    return Contrast(
        loss=torch.stack([shard.loss for shard in shards]).mean(),
        accuracy=torch.stack([shard.accuracy for shard in shards]).mean(),
    )


@dataclass(frozen=True, kw_only=True, slots=True)
class _Rule:
    """What a comparison needs besides embeddings."""

    config: ContrastConfig
    temperature: float | Tensor
    moments_per_clip: int

    def logits(self, queries_PD: Tensor, part_KD: Tensor, targets_P: Tensor, first: int) -> Tensor:
        """Logits `[P, K]` of candidates, of which the first has place `first` among all."""
        logits_PK = queries_PD @ part_KD.T / self.temperature
        if self.moments_per_clip == 1 or self.config.same_clip == "compared":
            return logits_PK
        places_K = first + torch.arange(len(part_KD), device=part_KD.device)
        is_of_clip_PK = (targets_P // self.moments_per_clip)[:, None] == places_K // self.moments_per_clip
        return logits_PK.masked_fill(is_of_clip_PK & (targets_P[:, None] != places_K), -torch.inf)


def _contrast(audio_PD: Tensor, visual_PD: Tensor, rule: _Rule, gather: Gather) -> Contrast:
    config = rule.config
    if len(audio_PD) % rule.moments_per_clip:
        raise ValueError(f"{len(audio_PD)} pairs are no clips of {rule.moments_per_clip} moments")
    with torch.autocast(device_type=audio_PD.device.type, enabled=False):
        # Sounds and frames go in one transfer; one direction needs the sounds of other processes only.
        if config.direction == "both":
            gathered = gather(torch.stack([audio_PD, visual_PD], dim=1))
            sounds_GD, frames_GD = gathered.rows_GD.unbind(1)
        else:
            gathered = gather(audio_PD)
            sounds_GD, frames_GD = gathered.rows_GD, None
        targets_P = gathered.offset + torch.arange(len(audio_PD), device=audio_PD.device)
        loss, nearest_P = _cross_entropy(visual_PD, sounds_GD, targets_P, rule)
        if frames_GD is not None:
            back, _ = _cross_entropy(audio_PD, frames_GD, targets_P, rule)
            loss = (loss + back) / 2
        if config.within_clip_weight:
            loss = loss + config.within_clip_weight * _within_clips(audio_PD, visual_PD, rule)
        accuracy = (nearest_P == targets_P).to(loss.dtype).mean()
    return Contrast(loss=loss, accuracy=accuracy)


def _within_clips(audio_PD: Tensor, visual_PD: Tensor, rule: _Rule) -> Tensor:
    """Mean cross-entropy of moments among the moments of their clip, in the directions of the comparison."""
    shape = (-1, rule.moments_per_clip)
    audio_CMD, visual_CMD = audio_PD.unflatten(0, shape), visual_PD.unflatten(0, shape)
    logits_CMM = visual_CMD @ audio_CMD.mT / rule.temperature
    targets_CM = torch.arange(rule.moments_per_clip, device=audio_PD.device).expand(len(logits_CMM), -1)
    loss = F.cross_entropy(logits_CMM.mT, targets_CM)  # classes stand in the second axis
    if rule.config.direction == "both":
        loss = (loss + F.cross_entropy(logits_CMM, targets_CM)) / 2
    return loss


def _cross_entropy(
    queries_PD: Tensor, candidates_GD: Tensor, targets_P: Tensor, rule: _Rule
) -> tuple[Tensor, Tensor]:
    """Mean cross-entropy, and the nearest candidate of each query.

    Where the P x G similarities are many, they never exist at once: each block of candidates gives its
    log-sum-exp, and the backward pass computes it again. With more processes only the gathered rows grow.
    """
    block = max(1, _MAX_SIMILARITIES // len(queries_PD))
    if len(candidates_GD) <= block:
        logits_PG = rule.logits(queries_PD, candidates_GD, targets_P, 0)
        return F.cross_entropy(logits_PG, targets_P), logits_PG.detach().argmax(dim=1)
    # The logit of the own candidate by itself: it lies in one of the blocks, another one for each query.
    own_P = (queries_PD * candidates_GD[targets_P]).sum(dim=1) / rule.temperature
    sums, largest, places = zip(
        *(
            checkpoint(
                _summary,
                queries_PD,
                part_KD,
                targets_P,
                number * block,
                rule,
                use_reentrant=False,
                preserve_rng_state=False,
            )
            for number, part_KD in enumerate(candidates_GD.split(block))
        ),
        strict=True,
    )
    best_P = torch.stack(largest).argmax(dim=0)
    nearest_P = best_P * block + torch.stack(places).gather(0, best_P[None])[0]
    return (torch.stack(sums).logsumexp(dim=0) - own_P).mean(), nearest_P


def _summary(
    queries_PD: Tensor, part_KD: Tensor, targets_P: Tensor, first: int, rule: _Rule
) -> tuple[Tensor, Tensor, Tensor]:
    """Log-sum-exp of one block of candidates, its largest value and the place of that."""
    logits_PK = rule.logits(queries_PD, part_KD, targets_P, first)
    largest_P, place_P = logits_PK.detach().max(dim=1)
    return logits_PK.logsumexp(dim=1), largest_P, place_P
