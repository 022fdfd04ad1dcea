"""`cavmae-sync embed`: vectors of a dataset's clips, or of any number of video files, for other programs."""

import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from cyclopts import Parameter

from cavmae_sync.choices import Engine, Precision, Representation
from cavmae_sync.cli.models import open_clips, open_embedder, open_share, open_workers
from cavmae_sync.cli.options import Count, Json, Workers
from cavmae_sync.cli.outputs import check_folder, check_output
from cavmae_sync.cli.progress import show_progress
from cavmae_sync.cli.terminal import Terminal, print_line, print_lines
from cavmae_sync.errors import ConfigError

if TYPE_CHECKING:
    from cavmae_sync.embedding import Embedder
    from cavmae_sync.embedding.library import LibraryConfig, Throughput
    from cavmae_sync.work import RayCluster, Share

_CLIPS = "clips."


def embed(
    run_or_weights: Path,
    /,
    *overrides: str,
    data: Path | None = None,
    videos: Path | None = None,
    out: Annotated[Path, Parameter(name="--out")],
    representation: Representation = "global",
    precision: Precision = "float32",
    device: str | None = None,
    num_clips: Count | None = None,
    num_workers: Workers = None,
    max_rejected_percent: float = 100.0,
    shard_index: int = 0,
    num_shards: Count = 1,
    engine: Engine = "local",
    ray_address: str | None = None,
    as_json: Json = False,
) -> None:
    """Write a unit vector for the sound and one for the picture of every frame of every clip.

    Of a prepared dataset (--data) they go into one file. `evaluate retrieval --embeddings` measures it as it
    measures the model.

    Of video files (--videos), however many and long, they go into a folder: OUT/parts/*.parquet with one row
    per clip, OUT/rejected.parquet with what could not be used and why, and OUT/library.json when all is done.
    Stop it at any moment, even by kill -9, and run it again: what was finished stays.

    pandas, polars and DuckDB read both.

    Example: cavmae-sync embed my-run --videos my-videos --out my-library

    Args:
        run_or_weights: Folder of a run, a weights file, or organisation/name on a hub.
        overrides: `key=value` words for what no weight shows, for example `registers_in_joint=true` or
            `inputs.align_length=valid`; with `clips.` in front for how --videos are cut and stored,
            `clips.clip_seconds=5 clips.store=float16`.
        data: Prepared dataset.
        videos: Folder of videos (searched in depth), a text or CSV file that lists them, or one video.
        out: With --data the file to write: .npz, or .parquet for one row per clip. With --videos a folder.
        representation: What stands for a frame or segment: its global token, or the mean of its patches.
        precision: Precision of matrix products.
        device: cpu, cuda or mps; the best there is unless given.
        num_clips: Take the first clips of --data only.
        num_workers: Processes that read or decode; 0 does it in this one. Unless given 0 for --data, and for
            --videos one, or one per core where the model computes on an accelerator.
        max_rejected_percent: Fail when more of the --videos than this are rejected.
        shard_index: Which of several machines this is, from 0, for --videos.
        num_shards: How many machines work on the same OUT.
        engine: For --videos: local works on this machine; ray on a Ray cluster, or on one of its own.
        ray_address: Of a Ray cluster; the variable RAY_ADDRESS unless given.
        as_json: Print what was written as one JSON object.
    """
    from cavmae_sync.embedding.library import products_of_library

    how: dict[str, Any] = {"device": device, "precision": precision, "representation": representation}
    if data is not None and videos is None:
        open_share(shard_index, num_shards)
        _check_only_for_data(overrides, num_shards=num_shards, engine=engine)
        check_output(out, option="--out", suffix=(".npz", ".parquet"))
        embedder = open_embedder(run_or_weights, overrides, **how)
        _embed_dataset(
            embedder, data, out=out, num_clips=num_clips, num_workers=num_workers or 0, as_json=as_json
        )
        return
    if videos is None or data is not None:
        raise ConfigError("give either --data (a prepared dataset) or --videos (files), not both or none.")
    if num_clips is not None:
        raise ConfigError("--num-clips goes with --data. For --videos see clips.max_clips_per_file.")
    share = open_share(shard_index, num_shards)
    workers = open_workers(num_workers, engine=engine, ray_address=ray_address)
    check_folder(out, option="--out")
    # Machines that do not know of each other must decide alike, whatever their processors.
    how["float32_products"] = products_of_library(out) or ("highest" if num_shards > 1 else "auto")
    _embed_videos(
        lambda: open_embedder(run_or_weights, _words(overrides, is_for_clips=False), **how),
        videos,
        out=out,
        config=_library_config(overrides),
        num_workers=workers,
        max_rejected_fraction=max_rejected_percent / 100,
        share=share,
        as_json=as_json,
    )


def _check_only_for_data(overrides: Sequence[str], *, num_shards: int, engine: Engine) -> None:
    words = _words(overrides, is_for_clips=True)
    if words or num_shards > 1 or engine != "local":
        what = f"{_CLIPS}{words[0]}" if words else "--num-shards" if num_shards > 1 else "--engine"
        raise ConfigError(f"{what} goes with --videos: clips of a dataset are cut already, into one file.")


def _words(overrides: Sequence[str], *, is_for_clips: bool) -> list[str]:
    words = [word for word in overrides if word.startswith(_CLIPS) == is_for_clips]
    return [word.removeprefix(_CLIPS) for word in words]


def _library_config(overrides: Sequence[str]) -> "LibraryConfig":
    """How videos are cut and stored, from the words that say so.

    Raises:
        ConfigError: A word is wrong, or lacks what goes in front.
    """
    from cavmae_sync.embedding.library import LibraryConfig

    for word in _words(overrides, is_for_clips=False):
        name = word.partition("=")[0].rpartition(".")[2]
        if name in LibraryConfig.model_fields:
            value = word.partition("=")[2]
            raise ConfigError(f"{word} is about how videos are cut and stored. Write {_CLIPS}{name}={value}.")
    return LibraryConfig().with_overrides(_words(overrides, is_for_clips=True))


def _embed_dataset(
    embedder: "Embedder", data: Path, *, out: Path, num_clips: int | None, num_workers: int, as_json: bool
) -> None:
    from cavmae_sync.embedding import write_embeddings

    clips = open_clips(data, num_clips=num_clips)
    with show_progress("embedding clips") as advance:
        found = embedder.embed_dataset(
            clips, num_workers=num_workers, on_progress=lambda done, total: advance(done, total, "")
        )
    write_embeddings(found, out)
    num_found, num_frames, width = found.audio_NTD.shape
    if not as_json:
        broken = f" {found.num_broken_rows} vectors are not numbers." if found.num_broken_rows else ""
        print_line(f"{out}: {num_found} clips, {num_frames} frames each, vectors of {width} numbers.{broken}")
        return
    content = {
        "out": str(out),
        "num_clips": num_found,
        "num_frames": num_frames,
        "width": width,
        "broken_vectors": found.num_broken_rows,
        "weights": found.weights,
        "clip_list": found.clip_list,
    }
    print_lines(json.dumps(content, indent=2, ensure_ascii=False))


def _embed_videos(
    open_model: "Callable[[], Embedder]",
    videos: Path,
    *,
    out: Path,
    config: "LibraryConfig",
    num_workers: "int | RayCluster | None",
    max_rejected_fraction: float,
    share: "Share",
    as_json: bool,
) -> None:
    from cavmae_sync.embedding.library import embed_library

    embedder = open_model()
    with show_progress("embedding files") as advance:
        run = embed_library(
            embedder,
            videos,
            out=out,
            config=config,
            num_workers=num_workers,
            max_rejected_fraction=max_rejected_fraction,
            share=share,
            on_progress=lambda done, total, throughput: advance(done, total, _describe(throughput)),
        )
    if as_json:
        content = {"out": str(out), **run.report.to_dict(), "this_run": run.throughput.to_dict()}
        print_lines(json.dumps(content, indent=2, ensure_ascii=False))
        return
    console = Terminal()
    console.print(run.report.to_table())
    if run.throughput.num_clips:
        console.print(f"this run: {_describe(run.throughput)}", soft_wrap=True)


def _describe(run: "Throughput") -> str:
    rejected = f", {run.num_rejected} rejected" if run.num_rejected else ""
    return (
        f"{run.num_clips} clips, {run.footage_seconds / 3600:.2f} h{rejected}, "
        f"{run.clips_per_second:.2f} clips/s, "
        f"{run.hours_per_hour:.1f} h of footage per hour, encoder waits {run.waiting_fraction:.0%}"
    )
