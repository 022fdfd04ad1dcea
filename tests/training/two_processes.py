"""What one process of several computes. test_distributed.py starts it as a script, and imports it for one.

RANK, WORLD_SIZE, MASTER_ADDR and MASTER_PORT say who it is, as under torchrun.
"""

import sys
from pathlib import Path
from typing import Any

import torch

from cavmae_sync.data import Draw, PairDataset, PreparedDataset
from cavmae_sync.data.draws import Purpose
from cavmae_sync.losses import ContrastConfig, LossConfig
from cavmae_sync.model import CAVMAESync, MaskingConfig
from cavmae_sync.training import (
    MaskSource,
    PretrainConfig,
    Pretraining,
    PretrainStep,
    RunFolder,
    World,
    open_world,
)
from cavmae_sync.training.validation import as_row

if __name__ == "__main__":
    sys.path.insert(0, str(Path(__file__).parent))
    from tiny import TINY_MODEL, tiny_run
else:
    from .tiny import TINY_MODEL, tiny_run

NUM_PAIRS = 8

#: What is compared between one and two processes.
SETTINGS: dict[str, LossConfig] = {
    "global": LossConfig(contrast=ContrastConfig(negatives="global")),
    "global, both directions": LossConfig(contrast=ContrastConfig(negatives="global", direction="both")),
    "global, both representations": LossConfig(
        contrast=ContrastConfig(negatives="global", representation="both")
    ),
    "shards": LossConfig(contrast=ContrastConfig(negatives="shard:2")),
    "no reconstruction": LossConfig(
        contrast=ContrastConfig(negatives="global"), contrastive_weight=1, reconstruction_weight=0
    ),
}


def gradients(losses: LossConfig, world: World) -> dict[str, torch.Tensor]:
    """Losses (mean over processes) and gradients of this process's share of eight made-up pairs."""
    model = CAVMAESync(TINY_MODEL, generator=torch.Generator().manual_seed(0)).double()
    step = PretrainStep(model, losses, precision="float32", gather=world.gather)
    parallel = world.wrap(step, has_unused_parameters=losses.reconstruction_weight == 0)
    masks = MaskSource(TINY_MODEL, MaskingConfig(ratio=0.5), seed=0, purpose=Purpose.MASK)
    generator = torch.Generator().manual_seed(1)
    segments = torch.randn(NUM_PAIRS, 32, 128, generator=generator, dtype=torch.float64)
    frames = torch.randn(NUM_PAIRS, 3, 32, 32, generator=generator, dtype=torch.float64)
    size = NUM_PAIRS // world.num_processes
    share = slice(world.rank * size, (world.rank + 1) * size)
    drawn = masks.draw([Draw(0, k) for k in range(share.start, share.stop)])
    for _ in range(2):  # the second pass finds what the first left unfinished
        model.zero_grad()
        found = parallel(segments[share], frames[share], drawn)
        found.total.backward()
    named = {name: p.grad for name, p in model.named_parameters() if p.grad is not None}
    return {"losses": world.mean(as_row(found)), **named}


def train(config: PretrainConfig, dataset: Path, folder: Path, world: World) -> None:
    """A whole run."""
    if world.is_main:
        RunFolder.create(folder, config, {})
    world.wait()
    prepared = PreparedDataset.open(dataset)
    Pretraining(
        config,
        model=CAVMAESync(config.model, generator=torch.Generator().manual_seed(config.seed)),
        train=PairDataset(prepared, inputs=config.model.inputs, seed=config.seed),
        validation=PairDataset(prepared, inputs=config.model.inputs, frame="middle"),
        world=world,
        run=RunFolder(folder),
    ).run()


def accumulating_run() -> PretrainConfig:
    """Two parts a step; shards make them independent of how the batch is split."""
    return tiny_run(negatives="shard:2", loop={"batch_size": 8, "accumulation": 2, "num_steps": 4})


def main(dataset: Path, out: Path) -> None:
    """Everything, in two worlds one after the other."""
    results: dict[str, Any] = {}
    with open_world("cpu") as world:
        for name, losses in SETTINGS.items():
            results[name] = gradients(losses, world)
        results["any"] = [world.any(world.rank == 1), world.any(False)]
    with open_world("cpu") as world:
        train(accumulating_run(), dataset, out / "run", world)
        torch.save(results, out / f"rank{world.rank}.pt")


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
