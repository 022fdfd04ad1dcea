"""What one process of several computes. test_distributed.py calls `main` in a process of its own.

It forks worlds of 2 and of 4 processes, one after the other. RANK, WORLD_SIZE,
MASTER_ADDR and MASTER_PORT say who each is, as under torchrun.
"""

import importlib
import os
import socket
import traceback
from collections.abc import Callable
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import torch

from cavmae_sync.choices import GradientSync, Parallel
from cavmae_sync.data import Draw, PairDataset, PreparedDataset
from cavmae_sync.data.draws import Purpose
from cavmae_sync.embedding import Embedder
from cavmae_sync.errors import TrainingError
from cavmae_sync.losses import ContrastConfig, LossConfig
from cavmae_sync.model import CAVMAESync, MaskingConfig
from cavmae_sync.recipes.run_retrieval import embed_together
from cavmae_sync.training import (
    Callbacks,
    MaskSampler,
    OptimConfig,
    PretrainConfig,
    Pretraining,
    PretrainStep,
    RunFolder,
    World,
    open_world,
)
from cavmae_sync.training.gradient_cache import compare_parts
from cavmae_sync.training.optim import Updater
from cavmae_sync.training.validation import LOSS_NAMES, validate

from .tiny import TINY_MODEL, tiny_run

NUM_PAIRS = 8
WORLDS = (2, 4)


def _contrast(negatives: str, **changes: Any) -> LossConfig:
    return LossConfig(contrast=ContrastConfig(negatives=negatives, **changes))


#: What is compared between one process and several, and into how many parts each splits its share.
SETTINGS: dict[str, tuple[LossConfig, int]] = {
    "global": (_contrast("global"), 1),
    "global, both directions": (_contrast("global", direction="both"), 1),
    "global, both representations": (_contrast("global", representation="both"), 1),
    "global, accumulated": (_contrast("global", direction="both"), 2),
    "global, moments": (
        LossConfig(
            contrast=ContrastConfig(
                negatives="global", same_clip="left_out", within_clip_weight=0.5, learns_temperature=True
            ),
            reconstruct_every=2,
        ),
        1,
    ),
    "local": (_contrast("local"), 1),
    "shards": (_contrast("shard:2"), 1),
    "no reconstruction": (
        LossConfig(
            contrast=ContrastConfig(negatives="global"), contrastive_weight=1, reconstruction_weight=0
        ),
        1,
    ),
}


def shared_out_in(num_processes: int) -> tuple[str, ...]:
    """Settings that are also computed with parameters shared out: in parts, and with some that no loss reads.

    One in four processes: each takes 15 seconds of two cores there.
    """
    names = ("global, accumulated", "global, moments", "no reconstruction")
    return names if num_processes == 2 else names[:1]


def one_update(
    losses: LossConfig,
    world: World,
    *,
    num_parts: int = 1,
    gradient_sync: GradientSync = "float32",
    parallel_by: Parallel = "ddp",
) -> dict[str, torch.Tensor]:
    """Losses (mean over processes), gradients, and weights after an update, of eight made-up pairs.

    Gradients of two passes: torch treats the first one apart, and the second finds what it left unfinished.
    """
    model = CAVMAESync(TINY_MODEL, generator=torch.Generator().manual_seed(0)).double()
    moments = 2 if losses.contrast.within_clip_weight else 1
    step = PretrainStep(
        model, losses, precision="float32", gather=world.gather, moments_per_clip=moments
    ).double()
    parallel = world.wrap(
        step,
        has_unused_parameters=losses.reconstruction_weight == 0,
        is_accumulated=num_parts > 1,
        gradient_sync=gradient_sync,
        parallel=parallel_by,
    )
    masks = MaskSampler(TINY_MODEL, MaskingConfig(ratio=0.5), seed=0, purpose=Purpose.MASK)
    generator = torch.Generator().manual_seed(1)
    size = NUM_PAIRS // world.num_processes
    share = slice(world.rank * size, (world.rank + 1) * size)
    segments = torch.randn(NUM_PAIRS, 32, 128, generator=generator, dtype=torch.float64)[share]
    frames = torch.randn(NUM_PAIRS, 3, 32, 32, generator=generator, dtype=torch.float64)[share]
    drawn = masks.draw([Draw(0, k) for k in range(share.start, share.stop)])
    parts = [slice(k * size // num_parts, (k + 1) * size // num_parts) for k in range(num_parts)]
    updater = Updater(step.parameters(), OptimConfig(), precision="float32")
    gradients = {}
    for number in range(2):
        step.zero_grad()
        comparisons: list[Any] = [None]
        if num_parts > 1:
            comparisons = compare_parts(
                lambda part: step.embed(segments[part], frames[part], drawn.part(part)), step.compare, parts
            )
        for part, compare in zip(parts, comparisons, strict=True):
            with nullcontext() if part == parts[-1] else world.without_sync(parallel):
                found = parallel(segments[part], frames[part], drawn.part(part), compare)
                updater.backward(found.total / num_parts)
        gradients |= {
            f"gradient {name}, pass {number}": world.whole(p.grad).clone()
            for name, p in step.named_parameters()
            if p.grad is not None
        }
    updater.update(learning_rate=1e-4)
    weights = {f"weight {name}": world.whole(value).clone() for name, value in model.state_dict().items()}
    totals = {"contrastive loss": world.mean(found.row_L[LOSS_NAMES.index("contrastive")])}
    return totals | gradients | weights


def train(
    config: PretrainConfig, dataset: Path, folder: Path, world: World, *, stop: int | None = None
) -> None:
    """A run to its end or to a step, or what is left of one. Only the main process sees the folder."""
    mine = folder if world.is_main else folder / f"nothing for {world.rank}"
    if world.is_main and not folder.exists():
        RunFolder.create(folder, config, {})
    prepared = PreparedDataset.open(dataset)
    training = Pretraining(
        config,
        model=CAVMAESync(config.model, generator=torch.Generator().manual_seed(config.seed + world.rank)),
        train=PairDataset(prepared, inputs=config.model.inputs, seed=config.seed),
        validation=PairDataset(prepared, inputs=config.model.inputs, frame="middle"),
        world=world,
        run=RunFolder(mine),
        callbacks=Callbacks(should_stop=lambda: training.step == stop),
    )
    training.run()
    assert world.is_main or not mine.exists()


def accumulating_run(parallel: Parallel = "ddp") -> PretrainConfig:
    """Two parts a step, compared with all processes' parts. Moved runs move between rows of the log."""
    loop = {
        "parallel": parallel,
        "batch_size": 8,
        "accumulation": 2,
        "num_steps": 8,
        "log_every_steps": 4,
        "read_every_steps": 3,
        # An epoch has one step here: saving each of them would gather every parameter alone, eight times.
        "validate_every_steps": 4,
        "checkpoint_every_steps": 4,
    }
    return tiny_run(negatives="global", loop=loop)


def validation_losses(dataset: Path, world: World) -> dict[str, float]:
    """Of fourteen clips in batches of three: five batches for any number of processes."""
    model = CAVMAESync(TINY_MODEL, generator=torch.Generator().manual_seed(0))
    return validate(
        PretrainStep(model, _contrast("local"), precision="float32", gather=world.gather),
        PairDataset(PreparedDataset.open(dataset), inputs=TINY_MODEL.inputs, frame="middle"),
        batch_size=3,
        masks=MaskSampler(TINY_MODEL, MaskingConfig(), seed=0, purpose=Purpose.VALIDATION_MASK),
        world=world,
    )


def vectors_of(dataset: Path, world: World) -> list[torch.Tensor]:
    """Of fourteen clips of four frames, two clips a pass: seven passes for any number of processes."""
    model = CAVMAESync(TINY_MODEL, generator=torch.Generator().manual_seed(0))
    found = embed_together(Embedder(model, device="cpu", batch_size=8), PreparedDataset.open(dataset), world)
    return [found.audio_NTD, found.visual_NTD]


def message_of(call: Callable[[], object]) -> str | None:
    """What an error says."""
    try:
        call()
    except (TrainingError, OSError) as error:
        return str(error)
    return None


def fail() -> None:
    """What the main process may meet: an error that is not of this package."""
    raise OSError("the disk is full")


def compute(dataset: Path, out: Path) -> None:
    """Everything of one world, in two worlds of the same processes one after the other."""
    with open_world("cpu") as world:
        results: dict[str, Any] = {
            name: one_update(losses, world, num_parts=num_parts)
            for name, (losses, num_parts) in SETTINGS.items()
        }
        for name in shared_out_in(world.num_processes):
            losses, num_parts = SETTINGS[name]
            results[f"{name}, shared out"] = one_update(
                losses, world, num_parts=num_parts, parallel_by="fsdp"
            )
        results["bfloat16 gradients"] = one_update(_contrast("global"), world, gradient_sync="bfloat16")
        results["validation"] = validation_losses(dataset, world)
        results["vectors"] = vectors_of(dataset, world)
        results["any"] = [world.any(world.rank == 1), world.any(False)]
        state = {
            "rows": [torch.arange(3) * (world.rank + 1)],
            "step": torch.tensor(world.rank),
            "rank": world.rank,
        }
        results["from main"] = world.from_main(lambda: state)
        results["failure"] = message_of(lambda: world.from_main(fail))
        last = world.rank == world.num_processes - 1
        results["facts"] = message_of(lambda: world.check_same({"seed": 7 if last else 5, "clips": "abc"}))
        for _ in range(3):
            world.wait()
    with open_world("cpu") as world:
        config = accumulating_run("ddp" if world.num_processes == 2 else "fsdp")
        train(config, dataset, out / f"run{world.num_processes}", world)
        train(config, dataset, out / "moved", world, stop=2 + world.num_processes)
        torch.save(results, out / f"world{world.num_processes}_rank{world.rank}.pt")


def die_early() -> None:
    """The last process ends without a word; the others must not wait for it for hours."""
    with open_world("cpu") as world:
        if world.rank == world.num_processes - 1:
            os._exit(3)
        world.any(False)


def fork_world(num_processes: int, work: Callable[[], None]) -> list[int]:
    """Run in that many processes. Returns how each ended."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    pids = []
    for rank in range(num_processes):
        pid = os.fork()
        if pid == 0:
            os.environ |= {
                "RANK": str(rank),
                "LOCAL_RANK": str(rank),
                "WORLD_SIZE": str(num_processes),
                "MASTER_ADDR": "127.0.0.1",
                "MASTER_PORT": str(port),
            }
            try:
                work()
            except BaseException:  # noqa: BLE001 (a fork must not go on as its parent)
                traceback.print_exc()
                os._exit(1)
            os._exit(0)
        pids.append(pid)
    return [os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) for pid in pids]


def main(dataset: Path, out: Path) -> None:
    """A run that moves from 1 process to 2, to 4 and back to 1, and all else in worlds of 2 and 4."""
    moved = out / "moved"
    alone = World(rank=0, num_processes=1, device=torch.device("cpu"))
    # What torch imports late is imported once, instead of in each fork.
    importlib.import_module("cavmae_sync.training.sharding")
    one_update(SETTINGS["global"][0], alone)
    ends = [fork_world(1, lambda: train(accumulating_run(), dataset, moved, alone, stop=2))]
    ends += [fork_world(number, lambda: compute(dataset, out)) for number in WORLDS]
    ends += [fork_world(1, lambda: train(accumulating_run(), dataset, moved, alone))]
    assert ends == [[0], [0] * 2, [0] * 4, [0]], ends
    assert fork_world(3, die_early) == [1, 1, 3]
