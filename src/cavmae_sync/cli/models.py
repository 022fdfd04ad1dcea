"""What most commands begin with: a model ready to compute, and clips for it."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from cavmae_sync.choices import Engine, Precision, Representation
from cavmae_sync.errors import ConfigError, DatasetError

if TYPE_CHECKING:
    from cavmae_sync.compute import Float32Choice
    from cavmae_sync.data import PreparedDataset
    from cavmae_sync.embedding import Embedder
    from cavmae_sync.work import RayCluster, Share


def open_embedder(
    run_or_weights: Path,
    overrides: Sequence[str] = (),
    *,
    device: str | None = None,
    precision: Precision = "float32",
    representation: Representation = "global",
    float32_products: "Float32Choice" = "auto",
) -> "Embedder":
    """A model from a run or a file, ready to turn clips into vectors.

    Args:
        run_or_weights: Folder of a run, a weights file, or organisation/name on a hub.
        overrides: `key=value` words for what no weight shows, such as `inputs.align_length=valid`.
        device: cpu, cuda or mps; the best there is unless given.
        precision: Precision of matrix products.
        representation: What stands for a frame or segment when they are compared.
        float32_products: How float32 products are computed; "auto" decides by the processor.
    """
    from cavmae_sync.compute import keep_freed_memory
    from cavmae_sync.embedding import Embedder
    from cavmae_sync.training import load_run_or_weights

    keep_freed_memory()
    return Embedder(
        load_run_or_weights(run_or_weights, overrides),
        device=device,
        precision=precision,
        representation=representation,
        float32_products=float32_products,
    )


def open_for_score(
    run_or_weights: Path,
    overrides: Sequence[str] = (),
    *,
    clips: "PreparedDataset | None",
    device: str | None = None,
    precision: Precision = "float32",
    representation: Representation = "global",
) -> "Embedder":
    """As `open_embedder`, for a command that gives a score: the doctor's cheap checks go first.

    Args:
        run_or_weights: Folder of a run, a weights file, or organisation/name on a hub.
        overrides: `key=value` words for what no weight shows.
        clips: What the model will be measured on; None where that is no prepared dataset.
        device: cpu, cuda or mps; the best there is unless given.
        precision: Precision of matrix products.
        representation: What stands for a frame or segment when they are compared.

    Raises:
        ConfigError: A check fails, so that a score would not be what it says.
    """
    from cavmae_sync.compute import keep_freed_memory
    from cavmae_sync.doctor import check_ready, open_examined_model

    keep_freed_memory()
    examined = open_examined_model(
        run_or_weights, overrides, device=device, precision=precision, representation=representation
    )
    check_ready(examined, clips)
    if clips is not None:
        _tell_shared(run_or_weights, clips)
    return examined.embedder


def _tell_shared(run: Path, clips: "PreparedDataset") -> None:
    """Say which clips a run has learned from, where it is known and its dataset is still there."""
    from cavmae_sync.audit.overlap import named, shared_clips
    from cavmae_sync.cli.terminal import Terminal
    from cavmae_sync.data import PreparedDataset
    from cavmae_sync.training import training_data

    data = training_data(run)
    try:
        shared = () if data is None else shared_clips(clips, PreparedDataset.open(data))
    except DatasetError:  # it is not what it was: nothing can be told
        return
    if shared:
        Terminal(stderr=True).print(
            f"note: {len(shared)} of {len(clips)} clips were learned from in this run's pretraining "
            f"({named(map(str, shared))}). What is measured on them is no measure of other clips.",
            soft_wrap=True,
        )


def open_clips(data: Path, *, num_clips: int | None) -> "PreparedDataset":
    """A prepared dataset, or its first clips."""
    from cavmae_sync.data import PreparedDataset

    clips = PreparedDataset.open(data)
    return clips if num_clips is None else clips.head(num_clips)


def open_share(shard_index: int, num_shards: int) -> "Share":
    """Which part of the work `--shard-index` and `--num-shards` name.

    Raises:
        ConfigError: There is no such part.
    """
    from cavmae_sync.work import Share

    if not 0 <= shard_index < num_shards:
        raise ConfigError(
            f"--shard-index {shard_index} must be at least 0 and below --num-shards {num_shards}."
        )
    return Share(index=shard_index, count=num_shards)


def open_workers(
    num_workers: int | None, *, engine: Engine, ray_address: str | None
) -> "int | RayCluster | None":
    """Who does the work: processes of this machine, or Ray.

    Args:
        num_workers: Processes, or the cores of a Ray of its own.
        engine: Which.
        ray_address: Of a cluster; None for RAY_ADDRESS or a Ray of its own.

    Raises:
        ConfigError: An address without Ray.
    """
    from cavmae_sync.work import RayCluster

    if engine == "ray":
        return RayCluster(address=ray_address, num_cpus=num_workers)
    if ray_address is not None:
        raise ConfigError("--ray-address goes with --engine ray.")
    return num_workers
