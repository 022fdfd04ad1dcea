"""Common parts of commands on libraries: open the model of one, fill it, say what is in it."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Final

from cavmae_sync.cli.interrupt import stop_on_signal
from cavmae_sync.cli.models import open_embedder
from cavmae_sync.cli.options import EncodeOptions, WorkOptions
from cavmae_sync.cli.progress import show_progress
from cavmae_sync.cli.terminal import Terminal, print_json
from cavmae_sync.cli.words import configure
from cavmae_sync.errors import ConfigError

if TYPE_CHECKING:
    from cavmae_sync.embedding import Embedder
    from cavmae_sync.embedding.library import LibraryConfig, LibraryRun, Throughput

#: Under what the catalogue notes where the model lies, and words for what its file does not show.
_MODEL: Final = "model"
_MODEL_WORDS: Final = "model_words"
_MEGABYTE: Final = 1_000_000


def fill(
    library: Path,
    *,
    source: Path | None,
    model: Path | None,
    words: Sequence[str] = (),
    roots: Sequence[str] = (),
    root: str | None = None,
    compute: EncodeOptions,
    work: WorkOptions,
    retries: bool = False,
    max_failed_fraction: float = 1.0,
    as_json: bool,
    is_quiet: bool = False,
) -> "LibraryRun":
    """Add files to a library, or look at its roots again, and say what is in it.

    Args:
        library: Folder of the library.
        source: What to add; None looks at the roots again.
        model: The model; None takes the one that the library was begun with.
        words: `clips.` words, and words for what the weights do not show.
        roots: Roots to look at again; empty for all.
        root: Name of a new root.
        compute: How the model computes.
        work: Processes and machines.
        retries: Whether failed files are read again.
        max_failed_fraction: Share of files that may fail.
        as_json: Whether to print JSON.
        is_quiet: Whether to say nothing where nothing was read.
    """
    from cavmae_sync.embedding.library import FillOptions, add_to_library, update_library

    share, workers = work.share(), work.workers()
    embedder, config = open_library_model(library, model, words, compute, is_shared=work.num_shards > 1)
    with stop_on_signal() as should_stop, show_progress("reading files, MB") as advance:

        def tell(done: int, total: int, throughput: "Throughput") -> None:
            whole = -(-total // _MEGABYTE)
            advance(whole if done >= total else done // _MEGABYTE, whole, describe(throughput))

        options = FillOptions(
            num_workers=workers,
            share=share,
            retries=retries,
            notes=_notes(model, words),
            on_progress=tell,
            should_stop=should_stop,
        )
        if source is None:
            run = update_library(embedder, library, roots=roots, options=options)
        else:
            run = add_to_library(
                embedder,
                source,
                out=library,
                config=config,
                root=root,
                max_failed_fraction=max_failed_fraction,
                options=options,
            )
        is_stopped = should_stop()
    if run.throughput.num_files or not is_quiet:
        _say(library, run, as_json=as_json)
    if is_stopped:
        raise KeyboardInterrupt(
            "stopped; what was read is in the library. Run the same command again to go on."
        )
    return run


def open_library_model(
    library: Path,
    model: Path | None,
    words: Sequence[str] = (),
    compute: EncodeOptions | None = None,
    *,
    is_shared: bool = False,
) -> "tuple[Embedder, LibraryConfig]":
    """The model of a library, ready to compute as it did when the library was begun.

    Returns:
        The model, and the configuration of the library with what words ask for.

    Raises:
        ConfigError: No model is given, and the library does not remember one.
    """
    from cavmae_sync.embedding.library import (
        Catalogue,
        LibraryConfig,
        convert_if_old,
        open_library,
        products_of_library,
    )

    convert_if_old(library)
    is_there = (library / "library.json").is_file()
    with Catalogue(library) as catalogue:
        known, known_words = catalogue.fact(_MODEL), catalogue.fact(_MODEL_WORDS)
    if model is None and known is None:
        raise ConfigError(f"{library} does not remember its model. Give --model, a run or a weights file.")
    base = open_library(library).config if is_there else LibraryConfig()
    config, for_model = configure(base, words, prefix="clips.")
    if model is None:
        for_model = [*(known_words or "").split("\n"), *for_model] if known_words else for_model
    # Machines that do not know of each other must compute alike, whatever their processors.
    products = products_of_library(library) or ("highest" if is_shared else "auto")
    embedder = open_embedder(Path(model or known or ""), for_model, compute, float32_products=products)
    return embedder, config


def _notes(model: Path | None, words: Sequence[str]) -> dict[str, str]:
    """Place of the model, for later commands."""
    if model is None:
        return {}
    place = model.absolute() if model.exists() else model
    of_model = [word for word in words if not word.startswith("clips.")]
    return {_MODEL: str(place), _MODEL_WORDS: "\n".join(of_model)}


def describe(throughput: "Throughput") -> str:
    """Speed of a run in words."""
    rejected = f", {throughput.num_rejected} failed" if throughput.num_rejected else ""
    return (
        f"{throughput.num_files} files, {throughput.num_clips} clips, "
        f"{throughput.footage_seconds / 3600:.2f} h{rejected}, "
        f"{throughput.clips_per_second:.2f} clips/s, {throughput.hours_per_hour:.1f} h of footage per hour, "
        f"encoder waits {throughput.waiting_fraction:.0%}"
    )


def _say(library: Path, run: "LibraryRun", *, as_json: bool) -> None:
    if as_json:
        print_json({"library": str(library), **run.report.to_dict(), "this_run": run.throughput.to_dict()})
        return
    console = Terminal()
    console.print(run.report.to_table())
    for root in run.report.roots:
        if root.is_offline:
            console.print(f"offline: {root.name} ({root.path or 'place not known'})", soft_wrap=True)
    for row in run.failed[:3]:
        console.print(f"failed: {row.message}", soft_wrap=True)
    if len(run.failed) > 3:
        console.print(f"and {len(run.failed) - 3} more: cavmae-sync index status {library} --failures")
    if run.throughput.num_files:
        console.print(f"this run: {describe(run.throughput)}", soft_wrap=True)
