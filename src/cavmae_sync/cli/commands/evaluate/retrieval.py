"""`cavmae-sync evaluate retrieval`: how well sounds find their pictures, and pictures their sounds."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final, get_args

from cyclopts import Parameter
from cyclopts.validators import Number

from cavmae_sync.choices import AggregationName, ListSplit
from cavmae_sync.cli.models import open_clips, open_for_score
from cavmae_sync.cli.options import (
    Count,
    EncodeOptions,
    NumClips,
    ReaderProcesses,
    ResultOptions,
    RunOrWeights,
    Switch,
    Word,
)
from cavmae_sync.cli.progress import show_progress
from cavmae_sync.cli.terminal import Terminal, print_json
from cavmae_sync.cli.words import configure, words_without_model
from cavmae_sync.errors import ConfigError

if TYPE_CHECKING:
    from rich.table import Table

    from cavmae_sync.data import ClipList, PreparedDataset
    from cavmae_sync.embedding import Embedder
    from cavmae_sync.tasks import Report
    from cavmae_sync.tasks.retrieval import RetrievalConfig, RetrievalReport
    from cavmae_sync.tasks.retrieval.gallery_size import Gallery

    #: Reports by what was measured: the model itself, or a control.
    Reports = dict[str, RetrievalReport]


@Parameter(name="*")
@dataclass(frozen=True, kw_only=True, slots=True)
class GalleryOptions:
    """Clips that are compared.

    Attributes:
        data: Prepared dataset; with --embeddings only to check that the vectors are of its clips.
        list_file: Official list of clips in any known format: only its clips are used, in its order.
        split: Take only these rows of vggsound.csv.
        gallery_size: Also give the recall expected among this many clips; as many as the list has unless
            given.
        frame: Compare this frame of each clip alone, counted from 0; 5 of 10 is the protocol of CAV-MAE.
    """

    data: Path | None = None
    list_file: Annotated[Path | None, Parameter(name="--list")] = None
    split: ListSplit | None = None
    num_clips: NumClips = None
    gallery_size: Count | None = None
    frame: Annotated[int | None, Parameter(validator=Number(gte=0))] = None

    def wanted(self) -> "ClipList | None":
        """The list of clips; None where none is given."""
        from cavmae_sync.data import read_clip_list

        return None if self.list_file is None else read_clip_list(self.list_file, split=self.split)


@Parameter(name="*")
@dataclass(frozen=True, kw_only=True, slots=True)
class ReadAndEncodeOptions(EncodeOptions):
    """Device, precision, representation and readers with which clips of a dataset become vectors."""

    num_workers: ReaderProcesses = 0


_NOT_GIVEN: Final = ReadAndEncodeOptions()


def retrieval(
    run_or_weights: RunOrWeights | None = None,
    /,
    *words: Word,
    embeddings: Annotated[list[Path] | None, Parameter(negative="")] = None,
    clips: GalleryOptions = GalleryOptions(),
    all_aggregations: Switch = False,
    with_controls: Switch = False,
    compute: ReadAndEncodeOptions = _NOT_GIVEN,
    results: ResultOptions = ResultOptions(),
) -> None:
    """Measure retrieval between sound and picture: of a model on a prepared dataset, or of vectors in a file.

    Each clip's sound looks for its picture among all clips, and the other way round. Recall at 1, 5 and 10
    and median rank come with 95 % intervals and with the values by chance. Several files of vectors of the
    same clips are also compared: each minus the first, with the intervals of the differences. The figure
    shows the similarities of all pairs of clips.

    With --list, the clips are those of an official list in its order. Where some are missing, the recall that
    is expected with all of them is given as well, as if they were missing at random.

    Words, with their defaults:

    - `aggregation=diagonal_mean`: how the cosines of 16 frames and 16 segments become one score:
      diagonal_mean, diagonal_max, block_mean or block_max.
    - `ties=mean`: place of a query's own clip among equal scores: mean, optimistic, pessimistic or official.
    - `num_bootstrap=1000`: resamples behind the 95 % intervals; 0 gives none.
    - `seed=0`: seed of the resamples.

    Example: cavmae-sync evaluate retrieval my-run --data my-dataset --figure similarity.png

    Example: cavmae-sync evaluate retrieval my-run --data my-dataset --list vggsound.csv --split test

    Example: cavmae-sync evaluate retrieval --embeddings ours.npz --embeddings theirs.npz --with-controls

    Args:
        embeddings: Instead of a model: .npz or Parquet file of vectors that any encoder made, or a folder
            that `embed --videos` made. Repeat it to compare several.
        all_aggregations: Measure with all four aggregations.
        with_controls: Also measure an oracle and an untrained model, or, for files, shuffled pairs.
    """
    from cavmae_sync.tasks.retrieval import RetrievalConfig
    from cavmae_sync.tasks.retrieval.similarity_figure import gallery_figure

    results.check()
    run_or_weights, given = words_without_model(run_or_weights, words)
    config, for_model = configure(RetrievalConfig(), given)
    wanted = clips.wanted()
    if embeddings:
        model = [*([] if run_or_weights is None else [str(run_or_weights)]), *for_model]
        _refuse_with_files(embeddings, model, compute, figure=results.figure)
        reports, gallery = _measure_files(embeddings, clips, wanted, config, with_controls=with_controls)
    elif run_or_weights is None or clips.data is None:
        raise ConfigError("Name a run or weights, and --data; or give --embeddings, a file of vectors.")
    else:
        dataset, gallery = _dataset(clips.data, clips, wanted, config)
        embedder = open_for_score(run_or_weights, for_model, compute, clips=dataset)
        how = {"frame": clips.frame, "num_workers": compute.num_workers, "with_controls": with_controls}
        reports = {"model": _measure_model(embedder, dataset, config, **how)}
    first = next(iter(reports.values()))["model"]
    ids = first.embeddings.clip_ids if first.embeddings.has_ids else None
    results.save_figure(lambda: gallery_figure(first.similarity_QG, clip_ids=ids))
    names = get_args(AggregationName) if all_aggregations else (config.aggregation,)
    _print(reports, names, replace(gallery, size=clips.gallery_size), as_json=results.as_json)


def _refuse_with_files(
    files: Sequence[Path], model: Sequence[str], compute: ReadAndEncodeOptions, *, figure: Path | None
) -> None:
    if model:
        raise ConfigError(
            f"Give either a model ({model[0]}) or --embeddings, not both. To compare them, write the model's "
            "vectors with `cavmae-sync embed` and give both files."
        )
    if compute is not _NOT_GIVEN:
        raise ConfigError(
            "--representation, --precision, --device and --num-workers cannot be used with --embeddings: the "
            "vectors are made already. Leave them out."
        )
    if figure is not None and len(files) > 1:
        raise ConfigError(f"--figure shows one file of vectors, got {len(files)}. Draw them one by one.")


def _dataset(
    data: Path, options: GalleryOptions, wanted: "ClipList | None", config: "RetrievalConfig"
) -> "tuple[PreparedDataset, Gallery]":
    """The clips to measure on and the gallery to compare with, refused if it is too large for them."""
    from cavmae_sync.data import select
    from cavmae_sync.tasks.retrieval.gallery_size import Gallery, check_gallery

    clips, gallery = open_clips(data, num_clips=None), Gallery()
    if wanted is not None:
        selection = select(clips, wanted)
        clips, gallery = selection.clips, Gallery(wanted=wanted, missing=selection.missing)
    clips = clips if options.num_clips is None else clips.head(options.num_clips)
    check_gallery(replace(gallery, size=options.gallery_size), num_clips=len(clips), ties=config.ties)
    return clips, gallery


def _measure_model(
    embedder: "Embedder",
    clips: "PreparedDataset",
    config: "RetrievalConfig",
    *,
    frame: int | None,
    num_workers: int,
    with_controls: bool,
) -> "Reports":
    from cavmae_sync.tasks import untrained
    from cavmae_sync.tasks.retrieval import evaluate_retrieval, retrieval_oracle

    settings = {"frame": frame, "num_workers": num_workers}
    with show_progress("embedding clips") as advance:
        reports = {"model": evaluate_retrieval(embedder, clips, config, on_progress=advance, **settings)}
        if with_controls:
            reports["untrained"] = evaluate_retrieval(
                untrained(embedder), clips, config, on_progress=advance, **settings
            )
            reports["oracle"] = retrieval_oracle(reports["model"])
    return reports


def _measure_files(
    files: list[Path],
    options: GalleryOptions,
    wanted: "ClipList | None",
    config: "RetrievalConfig",
    *,
    with_controls: bool,
) -> "tuple[dict[str, Reports], Gallery]":
    """Reports by the name of the encoder, and the gallery to compare with."""
    from cavmae_sync.embedding import first_clips
    from cavmae_sync.tasks.retrieval import (
        open_embeddings,
        retrieval_oracle,
        retrieval_report,
        retrieval_shuffled,
    )
    from cavmae_sync.tasks.retrieval.gallery_size import Gallery, on_list

    gallery, num_clips = Gallery(), options.num_clips
    clips = None if options.data is None else open_clips(options.data, num_clips=None)
    reports: dict[str, Reports] = {}
    with show_progress("measuring files") as advance:
        # With a list, the first clips are those of the list, and are taken after its order is known.
        found = open_embeddings(files, clips=clips, num_clips=num_clips if wanted is None else None)
        for number, (name, given) in enumerate(found.items(), start=1):
            vectors, missing = (given, ()) if wanted is None else on_list(given, wanted)
            if wanted is not None and num_clips is not None:
                vectors = first_clips(vectors, num_clips)
            gallery = Gallery(wanted=wanted, missing=missing)
            chosen = vectors if options.frame is None else vectors.at_frame(options.frame)
            report = retrieval_report(chosen, config)
            reports[name] = {"model": report}
            if with_controls:
                reports[name] |= {"shuffled": retrieval_shuffled(report), "oracle": retrieval_oracle(report)}
            advance(number, len(found), name)
    return reports, gallery


def _print(
    reports: "dict[str, dict[str, RetrievalReport]]",
    names: Sequence[AggregationName],
    gallery: "Gallery",
    *,
    as_json: bool,
) -> None:
    """Print by source, then by what was measured, then by aggregation; a level with one entry is left out."""
    from cavmae_sync.checks import first_names
    from cavmae_sync.tasks.retrieval import compare_retrieval
    from cavmae_sync.tasks.retrieval.gallery_size import with_gallery

    found = {
        source: {
            control: {name: with_gallery(report.aggregated(name), gallery) for name in names}
            for control, report in of_source.items()
        }
        for source, of_source in reports.items()
    }
    compared: dict[AggregationName, Report] = {}
    if len(found) > 1:
        compared = {
            name: compare_retrieval({source: found[source]["model"][name] for source in found})
            for name in names
        }
    if as_json:
        content: dict[str, Any] = {
            source: _only({control: _only(_dicts(by_name)) for control, by_name in of_source.items()})
            for source, of_source in found.items()
        }
        if compared:
            content["comparison"] = _only(_dicts(compared))
        print_json(_only(content))
        return
    for source, of_source in found.items():
        for control, by_name in of_source.items():
            for report in by_name.values():
                title = [each for each in (source, control) if each != "model"]
                Terminal().print(_titled(report, title))
    for report in compared.values():
        Terminal().print(report.to_table())
    if gallery.missing:
        Terminal().print(f"missing: {first_names(gallery.missing, most=10)}", soft_wrap=True)


def _dicts(reports: "Mapping[AggregationName, Report]") -> dict[str, Any]:
    return {name: report.to_dict() for name, report in reports.items()}


def _titled(report: "Report", words: list[str]) -> "Table":
    table = report.to_table()
    table.title = ": ".join([report.name, ", ".join(words)]) if words else report.name
    return table


def _only(entries: dict[str, Any]) -> Any:
    return next(iter(entries.values())) if len(entries) == 1 else entries
