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
from cavmae_sync.cli.outputs import check_output
from cavmae_sync.cli.progress import show_progress
from cavmae_sync.cli.terminal import Terminal, print_json, print_line
from cavmae_sync.cli.words import configure, words_without_model
from cavmae_sync.errors import ConfigError

if TYPE_CHECKING:
    from rich.table import Table

    from cavmae_sync.data import ClipList, PreparedDataset
    from cavmae_sync.embedding import Embedder
    from cavmae_sync.tasks import Report
    from cavmae_sync.tasks.retrieval import RetrievalConfig, RetrievalReport
    from cavmae_sync.tasks.retrieval.gallery_size import Gallery
    from cavmae_sync.tasks.retrieval.measured import Beside, Measured


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
class ControlOptions:
    """What a model's numbers are put beside.

    Attributes:
        with_controls: Also measure an untrained model, frames of other clips, an oracle and rules that learn
            nothing (those need --data), and say in words what the model knows.
        stage: Folder of the generated stage that the dataset was made from: moments of the same true state
            count as equal, and the truth itself is measured.
        train_data: Prepared dataset of training clips, on which linear baselines are fitted.
    """

    with_controls: Switch = False
    stage: Annotated[Path | None, Parameter(help="Folder of the generated stage of the clips.")] = None
    train_data: Path | None = None

    def check(self, clips: GalleryOptions) -> None:
        """Refuse options that would have no effect."""
        if self.train_data is not None and not (self.with_controls and clips.data is not None):
            raise ConfigError("--train-data is for controls. Give --with-controls and --data as well.")
        if self.stage is not None and clips.data is None:
            raise ConfigError("--stage says what happens in the clips of --data. Give --data as well.")
        if self.stage is not None and clips.frame is not None:
            raise ConfigError("--stage compares moments of a clip, and --frame leaves one. Leave one out.")

    def beside(self, clips: "PreparedDataset | None") -> "Beside":
        """What the numbers are put beside."""
        from cavmae_sync.stage import StageTruth
        from cavmae_sync.tasks.retrieval.measured import Beside
        from cavmae_sync.tasks.retrieval.stage_ceiling import read_moments

        moments = None
        if self.stage is not None and clips is not None:
            moments = read_moments(clips, StageTruth(self.stage))
        return Beside(
            controls=self.with_controls,
            moments=moments,
            train_clips=None if self.train_data is None else open_clips(self.train_data, num_clips=None),
        )


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
    controls: ControlOptions = ControlOptions(),
    measures_figure: Path | None = None,
    compute: ReadAndEncodeOptions = _NOT_GIVEN,
    results: ResultOptions = ResultOptions(),
) -> None:
    """Measure retrieval between sound and picture: of a model on a prepared dataset, or of vectors in a file.

    Each clip's sound looks for its picture among all clips, and the other way round: recall at 1, 5 and 10
    and median rank with 95 % intervals and chance. The same with the frames of each clip in another order
    (WHAT) and with the mean of each clip removed (WHEN), and which sound of a clip belongs to each frame
    (moment). --with-controls says in words which of these the model has. Several files of vectors are also
    compared: each minus the first, with intervals of the differences.

    With --list, the clips are those of an official list in its order. Where some are missing, the recall that
    is expected with all of them is given as well, as if they were missing at random.

    Words, with their defaults:

    - `aggregation=diagonal_mean`: how the cosines of 16 frames and 16 segments become one score:
      diagonal_mean, diagonal_max, block_mean or block_max.
    - `ties=mean`: place of a query's own clip among equal scores: mean, optimistic, pessimistic or official.
    - `num_bootstrap=1000`: resamples behind the 95 % intervals; 0 gives none.
    - `seed=0`: seed of the resamples, and of the other orders of frames.

    Example: cavmae-sync evaluate retrieval my-run --data my-dataset --with-controls

    Example: cavmae-sync evaluate retrieval my-run --data my-dataset --list vggsound.csv --split test

    Example: cavmae-sync evaluate retrieval --embeddings ours.npz --embeddings theirs.npz --with-controls

    Args:
        embeddings: Instead of a model: .npz or Parquet file of vectors that any encoder made, or a folder
            that `embed --videos` made. Repeat it to compare several.
        all_aggregations: Measure with all four aggregations.
        measures_figure: PNG file for a figure of WHAT, WHEN and moments beside what --with-controls measures;
            --figure draws the similarities of all pairs of clips.
    """
    from cavmae_sync.tasks.retrieval import RetrievalConfig

    results.check()
    check_output(measures_figure, option="--measures-figure", suffix=".png")
    controls.check(clips)
    run_or_weights, given = words_without_model(run_or_weights, words)
    config, for_model = configure(RetrievalConfig(), given)
    wanted = clips.wanted()
    if embeddings:
        model = [*([] if run_or_weights is None else [str(run_or_weights)]), *for_model]
        figure = results.figure or measures_figure
        _refuse_with_files(embeddings, model, compute, figure=figure)
        measured, gallery = _measure_files(embeddings, clips, wanted, config, controls=controls)
    elif run_or_weights is None or clips.data is None:
        raise ConfigError("Name a run or weights, and --data; or give --embeddings, a file of vectors.")
    else:
        dataset, gallery = _dataset(clips.data, clips, wanted, config)
        embedder = open_for_score(run_or_weights, for_model, compute, clips=dataset)
        how = {"frame": clips.frame, "num_workers": compute.num_workers}
        measured = {"model": _measure_model(embedder, dataset, config, controls=controls, **how)}
    _draw(next(iter(measured.values())), results, measures_figure)
    names = get_args(AggregationName) if all_aggregations else (config.aggregation,)
    _print(measured, names, replace(gallery, size=clips.gallery_size), as_json=results.as_json)


def _draw(first: "Measured", results: ResultOptions, measures_figure: Path | None) -> None:
    """Write the figures that are asked for."""
    from cavmae_sync.figures import save_figure
    from cavmae_sync.tasks.retrieval.controls import Controls
    from cavmae_sync.tasks.retrieval.knowledge import knowledge
    from cavmae_sync.tasks.retrieval.knowledge_figure import knowledge_figure
    from cavmae_sync.tasks.retrieval.similarity_figure import gallery_figure

    report = first.report
    ids = report.embeddings.clip_ids if report.embeddings.has_ids else None
    results.save_figure(lambda: gallery_figure(report.similarity_QG, clip_ids=ids))
    if measures_figure is not None:
        known = first.known or knowledge(report, Controls())
        save_figure(knowledge_figure(known), measures_figure)


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
    controls: ControlOptions,
    frame: int | None,
    num_workers: int,
) -> "Measured":
    from cavmae_sync.tasks.retrieval.measured import measure_model

    with show_progress("measuring clips") as advance:
        return measure_model(
            embedder,
            clips,
            config,
            beside=controls.beside(clips),
            frame=frame,
            num_workers=num_workers,
            on_progress=advance,
        )


def _measure_files(
    files: list[Path],
    options: GalleryOptions,
    wanted: "ClipList | None",
    config: "RetrievalConfig",
    *,
    controls: ControlOptions,
) -> "tuple[dict[str, Measured], Gallery]":
    """What was measured by the name of the encoder, and the gallery to compare with."""
    from cavmae_sync.embedding import first_clips
    from cavmae_sync.tasks.retrieval import open_embeddings
    from cavmae_sync.tasks.retrieval.gallery_size import Gallery, on_list
    from cavmae_sync.tasks.retrieval.measured import measure_file
    from cavmae_sync.tasks.retrieval.vector_files import clips_of

    gallery, num_clips = Gallery(), options.num_clips
    clips = None if options.data is None else open_clips(options.data, num_clips=None)
    measured: dict[str, Measured] = {}
    with show_progress("measuring files") as advance:
        # With a list, the first clips are those of the list, and are taken after its order is known.
        found = open_embeddings(files, clips=clips, num_clips=num_clips if wanted is None else None)
        for number, (name, given) in enumerate(found.items(), start=1):
            vectors, missing = (given, ()) if wanted is None else on_list(given, wanted)
            if wanted is not None and num_clips is not None:
                vectors = first_clips(vectors, num_clips)
            gallery = Gallery(wanted=wanted, missing=missing)
            chosen = vectors if options.frame is None else vectors.at_frame(options.frame)
            same = None if clips is None else clips_of(chosen, clips)
            measured[name] = measure_file(chosen, config, clips=same, beside=controls.beside(same))
            advance(number, len(found), name)
    return measured, gallery


def _print(
    measured: "Mapping[str, Measured]",
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
            for control, report in each.reports().items()
        }
        for source, each in measured.items()
    }
    compared: dict[AggregationName, Report] = {}
    if len(found) > 1:
        compared = {
            name: compare_retrieval({source: found[source]["model"][name] for source in found})
            for name in names
        }
    if as_json:
        _print_as_json(found, measured, compared)
        return
    for source, of_source in found.items():
        for report in of_source["model"].values():
            Terminal().print(_titled(report, [source] if source != "model" else []))
        _print_known(source, measured[source])
    for report in compared.values():
        Terminal().print(report.to_table())
    if gallery.missing:
        Terminal().print(f"missing: {first_names(gallery.missing, most=10)}", soft_wrap=True)


def _print_as_json(
    found: "Mapping[str, Mapping[str, Mapping[AggregationName, RetrievalReport]]]",
    measured: "Mapping[str, Measured]",
    compared: "Mapping[AggregationName, Report]",
) -> None:
    from cavmae_sync.tasks.retrieval.knowledge_table import knowledge_dict

    content: dict[str, Any] = {}
    for source, of_source in found.items():
        parts: dict[str, Any] = {control: _only(_dicts(by_name)) for control, by_name in of_source.items()}
        known = measured[source].known
        if known is not None:
            parts["knowledge"] = knowledge_dict(known)
        content[source] = _only(parts)
    if compared:
        content["comparison"] = _only(_dicts(compared))
    print_json(_only(content))


def _print_known(source: str, measured: "Measured") -> None:
    """Print the table of what the model knows, and the same in words."""
    from cavmae_sync.tasks.retrieval.knowledge_table import knowledge_table
    from cavmae_sync.tasks.retrieval.verdict import verdicts

    if measured.known is None:
        return
    title = "what it knows" if source == "model" else f"what it knows: {source}"
    Terminal().print(knowledge_table(measured.known, title=title))
    for verdict in verdicts(measured.known):
        print_line(verdict.line())


def _dicts(reports: "Mapping[AggregationName, Report]") -> dict[str, Any]:
    return {name: report.to_dict() for name, report in reports.items()}


def _titled(report: "Report", words: list[str]) -> "Table":
    table = report.to_table()
    table.title = ": ".join([report.name, ", ".join(words)]) if words else report.name
    return table


def _only(entries: dict[str, Any]) -> Any:
    return next(iter(entries.values())) if len(entries) == 1 else entries
