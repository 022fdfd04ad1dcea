"""Validation: the losses of every clip's middle frame under masks that never change."""

from collections.abc import Iterable
from dataclasses import fields

import torch

from cavmae_sync.data import Batch, Draw
from cavmae_sync.losses import PretrainLosses
from cavmae_sync.training.masks import MaskSource
from cavmae_sync.training.step import PretrainStep

LOSS_NAMES = tuple(field.name for field in fields(PretrainLosses))


@torch.no_grad()
def validate(
    step: PretrainStep, batches: Iterable[Batch], *, masks: MaskSource, device: torch.device
) -> dict[str, float]:
    """Mean losses over all clips, each counted once.

    The mask of a clip follows from its row alone, so that curves move only because the model does (the
    published validation redraws them). A softmax compares the clips of one batch; batches are the same
    each time, the last may be smaller.

    Returns:
        The fields of `PretrainLosses`.
    """
    was_training = step.training
    step.eval()
    total, count = torch.zeros(len(LOSS_NAMES), dtype=torch.float64), 0
    for batch in batches:
        drawn = masks.draw([Draw(0, row) for row in batch.row_B.tolist()])
        moved = batch.to(device)
        losses = step(moved.segments_PLM, moved.frames_PCHW, drawn.to(device))
        total += len(batch) * as_row(losses)
        count += len(batch)
    step.train(was_training)
    return dict(zip(LOSS_NAMES, (total / count).tolist(), strict=True))


def as_row(losses: PretrainLosses) -> torch.Tensor:
    """The fields of `losses` as one float64 row on the CPU, in the order of `LOSS_NAMES`."""
    return torch.stack([getattr(losses, name).detach().cpu().double() for name in LOSS_NAMES])
