"""Validation: losses of the middle frame of every clip, under masks that never change."""

from dataclasses import fields

import torch

from cavmae_sync.data import Draw, PairDataset, make_loader
from cavmae_sync.losses import PretrainLosses
from cavmae_sync.training.distributed import World
from cavmae_sync.training.masks import MaskSampler
from cavmae_sync.training.step import PretrainStep

LOSS_NAMES = tuple(field.name for field in fields(PretrainLosses))


@torch.no_grad()
def validate(
    step: PretrainStep,
    dataset: PairDataset,
    *,
    batch_size: int,
    masks: MaskSampler,
    world: World,
    num_workers: int = 0,
) -> dict[str, float]:
    """Mean losses over all clips, each counted once. Every process takes its share and gets the result.

    The mask of a clip follows from its row alone, so curves move only because the model does; the published
    validation draws new masks each time. A softmax compares the clips of one batch. Batches are the same each
    time and for any number of processes and of readers (`num_workers`); the last may be smaller.

    Returns:
        The fields of `PretrainLosses`, equal for any number of processes, bit for bit where a batch's are.
    """
    draws = [Draw(0, row) for row in range(len(dataset))]
    batches = [draws[start : start + batch_size] for start in range(0, len(draws), batch_size)]
    mine = range(world.rank, len(batches), world.num_processes)
    was_training = step.training
    step.eval()
    sums = torch.zeros(len(batches), len(LOSS_NAMES), dtype=torch.float64)
    loader = make_loader(
        dataset,
        sampler=[batches[k] for k in mine],
        num_workers=min(num_workers, len(mine)),
        device=world.device,
    )
    for number, batch in zip(mine, loader, strict=True):
        drawn, moved = masks.draw(batches[number]), batch.to(world.device)
        losses = step(moved.segments_PLM, moved.normalized_frames(), drawn.to(world.device))
        sums[number] = len(batch) * losses.row_L.cpu().double()
    step.train(was_training)
    # Rows of other processes are 0 here, so adding over processes rounds nothing.
    total = world.sum(sums).sum(dim=0)
    return dict(zip(LOSS_NAMES, (total / len(dataset)).tolist(), strict=True))
