"""`cavmae-sync evaluate retrieval`: how well sounds find their pictures, and pictures their sounds."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal, get_args

from cyclopts import Parameter
from cyclopts.validators import Number

from cavmae_sync.choices import AggregationName, Counting, ListSplit, Precision, Representation
from cavmae_sync.cli.models import open_clips, open_for_score
from cavmae_sync.cli.options import Count, Json, Workers
from cavmae_sync.cli.outputs import check_output
from cavmae_sync.cli.progress import show_progress
from cavmae_sync.cli.terminal import Terminal, print_lines
from cavmae_sync.errors import ConfigError

#: An official list of clips, or what is left of one.
ListFile = Annotated[Path | None, Parameter(name="--list")]

#: Number of a frame.
Frame = Annotated[int | None, Parameter(validator=Number(gte=0))]

if TYPE_CHECKING:
    from rich.table import Table

    from cavmae_sync.data import ClipList, PreparedDataset
    from cavmae_sync.embedding import Embedder
    from cavmae_sync.tasks import Report
    from cavmae_sync.tasks.retrieval import RetrievalReport
    from cavmae_sync.tasks.retrieval.gallery_size import Gallery


def retrieval(
    run_or_weights: Path | None = None,
    /,
    *overrides: str,
    embeddings: Annotated[list[Path] | None, Parameter(negative="")] = None,
    data: Path | None = None,
    list_file: ListFile = None,
    split: ListSplit | None = None,
    gallery_size: Count | None = None,
    frame: Frame = None,
    aggregation: Literal[AggregationName, "all"] = "diagonal_mean",
    ties: Counting = "mean",
    representation: Representation | None = None,
    precision: Precision | None = None,
    device: str | None = None,
    num_clips: Count | None = None,
    num_workers: Workers = None,
    with_controls: Annotated[bool, Parameter(negative="")] = False,
    figure: Path | None = None,
    as_json: Json = False,
) -> None:
    """Measure retrieval between sound and picture: of a model on a prepared dataset, or of vectors in a file.

    Each clip's sound looks for its picture among all clips, and the other way round. Recall at 1, 5 and 10
    and median rank come with 95 % intervals and with what guessing would give. Several files of vectors of
    the same clips are also compared: each minus the first, with the intervals of the differences.

    With --list, the clips are those of an official list in its order. Where some are missing, the recall that
    is expected with all of them is given as well, as if they were missing at random.

    Example: cavmae-sync evaluate retrieval my-run --data my-dataset --figure similarity.png

    Example: cavmae-sync evaluate retrieval my-run --data my-dataset --list vggsound.csv --split test

    Example: cavmae-sync evaluate retrieval --embeddings ours.npz --embeddings theirs.npz --with-controls

    Args:
        run_or_weights: Folder of a run, a weights file, or organisation/name on a hub.
        overrides: `key=value` words for what no weight shows, for example `registers_in_joint=true` or
            `inputs.align_length=valid`.
        embeddings: Instead of a model: an .npz or Parquet file of vectors that any encoder made, or a folder
            that `embed --videos` made. Repeat it to compare several.
        data: Prepared dataset; with --embeddings only to check that the vectors are of its clips.
        list_file: Official list of clips of any known format: only its clips are used, in its order.
        split: Which rows of VGGSound's list.
        gallery_size: Also give the recall expected among this many clips; that of the list unless given.
        frame: Compare this frame of each clip alone, counted from 0; 5 of 10 is the protocol of CAV-MAE.
        aggregation: How the similarities of 16 frames and 16 segments become one score; all four with `all`.
        ties: Which place a query's own clip takes among equal scores.
        representation: What stands for a frame or segment: its global token, unless given, or the mean of
            its patches.
        precision: Precision of matrix products; float32 unless given.
        device: cpu, cuda or mps; the best there is unless given.
        num_clips: Take the first clips only.
        num_workers: Processes that read clips; 0, unless given, reads in this one.
        with_controls: Also measure an oracle and an untrained model, or, for files, shuffled pairs.
        figure: PNG file for a figure of the similarities.
        as_json: Print the report as one JSON object.
    """
    from cavmae_sync.data import read_clip_list
    from cavmae_sync.figures import save_figure
    from cavmae_sync.tasks.retrieval.gallery_size import check_gallery
    from cavmae_sync.tasks.retrieval.similarity_figure import gallery_figure

    check_output(figure, option="--figure", suffix=".png")
    wanted = None if list_file is None else read_clip_list(list_file, split=split)
    names = get_args(AggregationName) if aggregation == "all" else (aggregation,)
    count = {"frame": frame, "aggregation": names[0], "ties": ties, "with_controls": with_controls}
    if embeddings:
        _check_files(embeddings, run_or_weights, figure=figure)
        _check_no_model_needed(
            representation=representation, precision=precision, device=device, num_workers=num_workers
        )
        reports, gallery = _of_files(embeddings, data=data, num_clips=num_clips, wanted=wanted, **count)
    elif run_or_weights is None or data is None:
        raise ConfigError("name a run or weights, and --data; or give --embeddings, a file of vectors.")
    else:
        clips, gallery = _on_list(open_clips(data, num_clips=None), wanted)
        clips = clips if num_clips is None else clips.head(num_clips)
        check_gallery(replace(gallery, size=gallery_size), num_clips=len(clips), ties=ties)
        embedder = open_for_score(
            run_or_weights,
            overrides,
            clips=clips,
            device=device,
            precision=precision or "float32",
            representation=representation or "global",
        )
        reports = {"model": _of_model(embedder, clips, num_workers=num_workers or 0, **count)}
    if figure is not None:
        shown = next(iter(reports.values()))["model"]
        ids = shown.embeddings.clip_ids if shown.embeddings.has_ids else None
        save_figure(gallery_figure(shown.similarity_QG, clip_ids=ids), figure)
    _print(reports, names, replace(gallery, size=gallery_size), as_json=as_json)


def _check_files(files: list[Path], run_or_weights: Path | None, *, figure: Path | None) -> None:
    if run_or_weights is not None:
        raise ConfigError(
            f"either a model ({run_or_weights}) or --embeddings, not both. To compare them, write the "
            "model's vectors with `cavmae-sync embed` and give both files."
        )
    if figure is not None and len(files) > 1:
        raise ConfigError(f"--figure shows one file of vectors, got {len(files)}. Ask for them one by one.")


def _on_list(clips: "PreparedDataset", wanted: "ClipList | None") -> "tuple[PreparedDataset, Gallery]":
    from cavmae_sync.data import select
    from cavmae_sync.tasks.retrieval.gallery_size import Gallery

    if wanted is None:
        return clips, Gallery()
    selection = select(clips, wanted)
    return selection.clips, Gallery(wanted=wanted, missing=selection.missing)


def _check_no_model_needed(**options: object) -> None:
    given = [f"--{name.replace('_', '-')}" for name, value in options.items() if value is not None]
    if given:
        raise ConfigError(
            f"{', '.join(given)} cannot be used with --embeddings: the vectors are made. Leave it out."
        )


def _of_model(
    embedder: "Embedder",
    clips: "PreparedDataset",
    *,
    frame: int | None,
    aggregation: AggregationName,
    ties: Counting,
    num_workers: int,
    with_controls: bool,
) -> "dict[str, RetrievalReport]":
    from cavmae_sync.tasks import untrained
    from cavmae_sync.tasks.retrieval import RetrievalConfig, evaluate_retrieval, retrieval_oracle

    config = RetrievalConfig(aggregation=aggregation, ties=ties)
    with show_progress("embedding clips") as advance:

        def report_of(model: "Embedder") -> "RetrievalReport":
            return evaluate_retrieval(
                model,
                clips,
                config,
                frame=frame,
                num_workers=num_workers,
                on_progress=lambda done, total: advance(done, total, ""),
            )

        reports = {"model": report_of(embedder)}
        if with_controls:
            reports["untrained"] = report_of(untrained(embedder))
            reports["oracle"] = retrieval_oracle(reports["model"])
    return reports


def _of_files(
    files: list[Path],
    *,
    data: Path | None,
    num_clips: int | None,
    wanted: "ClipList | None",
    frame: int | None,
    aggregation: AggregationName,
    ties: Counting,
    with_controls: bool,
) -> "tuple[dict[str, dict[str, RetrievalReport]], Gallery]":
    """By the name of the encoder, then by what was measured; and the gallery to compare with."""
    from cavmae_sync.embedding import first_clips
    from cavmae_sync.tasks.retrieval import (
        RetrievalConfig,
        open_embeddings,
        retrieval_oracle,
        retrieval_report,
        retrieval_shuffled,
    )
    from cavmae_sync.tasks.retrieval.gallery_size import Gallery, on_list

    gallery = Gallery()
    clips = None if data is None else open_clips(data, num_clips=None)
    reports: dict[str, dict[str, RetrievalReport]] = {}
    with show_progress("measuring files") as advance:
        first = num_clips if wanted is None else None  # of a list, its first clips: taken below
        found = open_embeddings(files, clips=clips, num_clips=first)
        for number, (name, given) in enumerate(found.items(), start=1):
            vectors, missing = (given, ()) if wanted is None else on_list(given, wanted)
            if wanted is not None and num_clips is not None:
                vectors = first_clips(vectors, num_clips)
            gallery = Gallery(wanted=wanted, missing=missing)
            chosen = vectors if frame is None else vectors.at_frame(frame)
            report = retrieval_report(chosen, RetrievalConfig(aggregation=aggregation, ties=ties))
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
    """By source, then by what was measured, then by aggregation; a level with one entry is left out."""
    from cavmae_sync.tasks.retrieval import compare_retrieval
    from cavmae_sync.tasks.retrieval.gallery_size import missing_text, with_gallery

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
        print_lines(json.dumps(_only(content), indent=2, allow_nan=False, ensure_ascii=False))
        return
    for source, of_source in found.items():
        for control, by_name in of_source.items():
            for report in by_name.values():
                title = [each for each in (source, control) if each != "model"]
                Terminal().print(_titled(report, title))
    for report in compared.values():
        Terminal().print(report.to_table())
    if gallery.missing:
        Terminal().print(f"missing: {missing_text(gallery.missing)}", soft_wrap=True)


def _dicts(reports: "Mapping[AggregationName, Report]") -> dict[str, Any]:
    return {name: report.to_dict() for name, report in reports.items()}


def _titled(report: "Report", words: list[str]) -> "Table":
    table = report.to_table()
    table.title = ": ".join([report.name, ", ".join(words)]) if words else report.name
    return table


def _only(entries: dict[str, Any]) -> Any:
    return next(iter(entries.values())) if len(entries) == 1 else entries
