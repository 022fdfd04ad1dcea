"""What most commands begin with: a model ready to compute, and a place to write to."""

import os
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


def check_output(
    path: Path | None, *, option: str, suffix: str | tuple[str, ...], inputs: Sequence[Path | None] = ()
) -> None:
    """Refuse a file that could not be written, before any work is done for it.

    Args:
        path: The file; None where none is asked for.
        option: Which names it.
        suffix: How it must end.
        inputs: What the same command reads, and must not write over.

    Raises:
        ConfigError: It has another ending, its folder does not exist or may not be written into, it is a
            folder itself, or it is what the command reads.
    """
    if path is None:
        return
    for each in inputs:
        if each is not None and each.exists() and path.exists() and path.samefile(each):
            raise ConfigError(f"{option} {path} is read by this command. Write to another file.")
    suffixes = (suffix,) if isinstance(suffix, str) else suffix
    kind = " or ".join(suffixes)
    if path.suffix.lower() not in suffixes or not path.absolute().parent.is_dir():
        raise ConfigError(f"{option} {path} must be a {kind} file in a folder that exists.")
    if path.is_dir():
        raise ConfigError(f"{option} {path} is a folder. Name a {kind} file.")
    _check_writable(path.absolute().parent, path, option=option)


def check_new(path: Path | None, *, option: str, overwrite: bool, files: Sequence[str] = ()) -> None:
    """Refuse to write over what may not be made again, unless told to.

    What is a result and can be computed again (pictures, tables, vectors, the reports of a run) is replaced.
    Weights are not, nor lists, videos and sounds, of which people have their own.

    Args:
        path: A file, or a folder; None where none is asked for.
        option: Which names it.
        overwrite: Whether the person said --overwrite.
        files: Names of what will be written, where `path` is a folder.

    Raises:
        ConfigError: It is there.
    """
    if path is None or overwrite:
        return
    there = [path] if path.is_file() else [path / name for name in files if (path / name).exists()]
    if there:
        raise ConfigError(
            f"{option} {path}: {there[0]} is there already. Add --overwrite to replace it, or name another "
            "place."
        )


def check_folder(path: Path | None, *, option: str) -> None:
    """Refuse a folder that could not be made, before any work is done for it.

    Raises:
        ConfigError: It, or what it shall lie in, is a file, or may not be written into.
    """
    if path is None:
        return
    nearest = next(each for each in (path.absolute(), *path.absolute().parents) if each.exists())
    if not nearest.is_dir():
        raise ConfigError(f"{option} {path} must be a folder, but {nearest} is a file. Name another one.")
    _check_writable(nearest, path, option=option)


def _check_writable(folder: Path, path: Path, *, option: str) -> None:
    if not os.access(folder, os.W_OK | os.X_OK):
        raise ConfigError(
            f"{option} {path} cannot be written: this user may not write into {folder}. Change its "
            "permissions, or name another place."
        )
