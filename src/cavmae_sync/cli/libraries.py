"""Common parts of commands on libraries: open the model of one, fill it, say what is in it."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Final, get_args

from cavmae_sync.choices import EncoderName
from cavmae_sync.cli.interrupt import stop_on_signal
from cavmae_sync.cli.models import open_embedder
from cavmae_sync.cli.options import EncodeOptions, WorkOptions
from cavmae_sync.cli.progress import show_progress
from cavmae_sync.cli.terminal import Terminal, print_json
from cavmae_sync.cli.words import configure
from cavmae_sync.errors import ConfigError

if TYPE_CHECKING:
    from cavmae_sync.embedding.encoders import ClipEncoder
    from cavmae_sync.embedding.library import LibraryConfig, LibraryRun, Throughput

#: Under what the catalogue notes where the model lies, and words for what its file does not show.
_MODEL: Final = "model"
_MODEL_WORDS: Final = "model_words"
_MEGABYTE: Final = 1_000_000
#: Length of the windows of encoders that give one vector for each.
_WINDOW_SECONDS: Final = 2.0


def fill(
    library: Path,
    *,
    source: Path | None,
    model: Path | None,
    words: Sequence[str] = (),
    encoder: EncoderName | None = None,
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
        encoder: Kind of encoder that a new library gets; None takes ours, or the library's.
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
    opened, config = open_library_model(
        library, model, words, compute, encoder=encoder, is_shared=work.num_shards > 1
    )
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
            run = update_library(opened, library, roots=roots, options=options)
        else:
            run = add_to_library(
                opened,
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
    encoder: EncoderName | None = None,
    is_shared: bool = False,
) -> "tuple[ClipEncoder, LibraryConfig]":
    """The encoder of a library, ready to compute as it did when the library was begun.

    Returns:
        The encoder, and the configuration of the library with what words ask for.

    Raises:
        ConfigError: No model is given, and the library does not remember one; or the library was made from
            vectors of an encoder that is not here.
    """
    from cavmae_sync.embedding.encoders import OWN, as_encoder
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
    kind = open_library(library).record.encoder.kind if is_there else encoder or OWN
    if encoder not in (None, kind):
        raise ConfigError(f"{library} is of the encoder {kind}, not {encoder}. Use another folder.")
    if kind not in get_args(EncoderName):
        raise ConfigError(
            f"{library} was made from vectors of {kind}, which is not here. Make more of them there, and "
            f"add them: cavmae-sync index add {library} FOLDER --vectors FILE."
        )
    if model is None and known is None:
        raise ConfigError(f"{library} does not remember its model. Give --model, a run or a weights file.")
    begins = LibraryConfig() if kind == OWN else LibraryConfig(clip_seconds=_WINDOW_SECONDS, num_frames=1)
    base = open_library(library).config if is_there else begins
    config, for_model = configure(base, words, prefix="clips.")
    if kind != OWN:
        return _other_encoder(Path(model or known or ""), for_model, compute), config
    if model is None:
        for_model = [*(known_words or "").split("\n"), *for_model] if known_words else for_model
    # Machines that do not know of each other must compute alike, whatever their processors.
    products = products_of_library(library) or ("highest" if is_shared else "auto")
    embedder = open_embedder(Path(model or known or ""), for_model, compute, float32_products=products)
    return as_encoder(embedder), config


def _other_encoder(model: Path, words: Sequence[str], compute: EncodeOptions | None) -> "ClipEncoder":
    """PE-AV, the only other one that is here."""
    from cavmae_sync.embedding.encoders.pe_av import PeAvEncoder

    if words:
        raise ConfigError(f"{words[0]} is a word for models of cavmae-sync; this encoder takes none.")
    if compute is not None and compute.precision != "float32":
        raise ConfigError(f"This encoder computes in float32. Leave out --precision {compute.precision}.")
    return PeAvEncoder.open(model, device=None if compute is None else compute.device)


def model_of(library: Path) -> Path | None:
    """Where the model of a library lies, as the library remembers it."""
    from cavmae_sync.embedding.library import Catalogue

    with Catalogue(library) as catalogue:
        known = catalogue.fact(_MODEL)
    return None if known is None else Path(known)


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


def fill_with_vectors(
    library: Path, *, source: Path, vectors: Path, root: str | None, as_json: bool
) -> "LibraryRun":
    """Put vectors that were made elsewhere into a library, and say what is in it."""
    from cavmae_sync.embedding.library import add_vectors

    with show_progress("reading media") as advance:
        run = add_vectors(vectors, source, out=library, root=root, on_progress=advance)
    _say(library, run, as_json=as_json)
    return run


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
    if run.throughput.num_clips:
        console.print(f"this run: {describe(run.throughput)}", soft_wrap=True)
