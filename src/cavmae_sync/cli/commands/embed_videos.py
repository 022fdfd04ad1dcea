"""`cavmae-sync embed --videos`: vectors of many video files in a folder, by one or many machines."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from cavmae_sync.cli.models import open_embedder
from cavmae_sync.cli.options import EncodeOptions, WorkOptions
from cavmae_sync.cli.outputs import check_folder
from cavmae_sync.cli.progress import show_progress
from cavmae_sync.cli.terminal import Terminal, print_json
from cavmae_sync.cli.words import configure

if TYPE_CHECKING:
    from cavmae_sync.embedding.library import Throughput


def embed_videos(
    run_or_weights: Path,
    words: Sequence[str],
    videos: Path,
    *,
    out: Path,
    compute: EncodeOptions,
    work: WorkOptions,
    as_json: bool,
) -> None:
    """Embed video files, write the folder and say what is in it; arguments are those of `embed`."""
    from cavmae_sync.embedding.library import LibraryConfig, embed_library, products_of_library

    share, workers = work.share(), work.workers()
    check_folder(out, option="--out")
    config, for_model = configure(LibraryConfig(), words, prefix="clips.")
    # Machines that do not know of each other must compute alike, whatever their processors.
    products = products_of_library(out) or ("highest" if work.num_shards > 1 else "auto")
    embedder = open_embedder(run_or_weights, for_model, compute, float32_products=products)
    with show_progress("embedding files") as advance:
        run = embed_library(
            embedder,
            videos,
            out=out,
            config=config,
            num_workers=workers,
            max_rejected_fraction=work.max_rejected_percent / 100,
            share=share,
            on_progress=lambda done, total, throughput: advance(done, total, _describe(throughput)),
        )
    if as_json:
        print_json({"out": str(out), **run.report.to_dict(), "this_run": run.throughput.to_dict()})
        return
    console = Terminal()
    console.print(run.report.to_table())
    if run.throughput.num_clips:
        console.print(f"this run: {_describe(run.throughput)}", soft_wrap=True)


def _describe(throughput: "Throughput") -> str:
    rejected = f", {throughput.num_rejected} rejected" if throughput.num_rejected else ""
    return (
        f"{throughput.num_clips} clips, {throughput.footage_seconds / 3600:.2f} h{rejected}, "
        f"{throughput.clips_per_second:.2f} clips/s, {throughput.hours_per_hour:.1f} h of footage per hour, "
        f"encoder waits {throughput.waiting_fraction:.0%}"
    )
