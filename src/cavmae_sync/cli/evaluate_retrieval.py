"""`cavmae-sync evaluate retrieval`: how well sounds find their pictures, and pictures their sounds."""

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal, get_args

from cyclopts import Parameter
from cyclopts.validators import Number
from rich.console import Console

from cavmae_sync.choices import AggregationName, Counting, Precision, Representation
from cavmae_sync.cli.open import check_output, open_clips, open_embedder
from cavmae_sync.cli.progress import show_progress
from cavmae_sync.cli.types import Count, Json, Workers

#: Number of a frame.
Frame = Annotated[int | None, Parameter(validator=Number(gte=0))]

if TYPE_CHECKING:
    from rich.table import Table

    from cavmae_sync.embedding import Embedder
    from cavmae_sync.evaluation import RetrievalReport


def retrieval(
    run_or_weights: Path,
    /,
    *overrides: str,
    data: Path,
    frame: Frame = None,
    aggregation: AggregationName | Literal["all"] = "diagonal_mean",
    ties: Counting = "mean",
    representation: Representation = "global",
    precision: Precision = "float32",
    device: str | None = None,
    num_clips: Count | None = None,
    num_workers: Workers = 0,
    with_controls: Annotated[bool, Parameter(negative="")] = False,
    picture: Path | None = None,
    as_json: Json = False,
) -> None:
    """Measure retrieval between sound and picture on every clip of a prepared dataset.

    Each clip's sound looks for its picture among all clips, and the other way round. Recall at 1, 5 and 10
    and median rank come with 95 % intervals and with what guessing would give.

    Example: cavmae-sync evaluate retrieval my-run --data my-dataset --picture similarity.png

    Args:
        run_or_weights: Folder of a run, a .safetensors file, or a .pth of the authors.
        overrides: `key=value` words for what no weight shows, for example `registers_in_joint=true` or
            `inputs.align_length=valid`.
        data: Prepared dataset.
        frame: Compare this frame of each clip alone, counted from 0; 5 of 10 is the protocol of CAV-MAE.
        aggregation: How the similarities of 16 frames and 16 segments become one score; all four with `all`.
        ties: Which place a query's own clip takes among equal scores.
        representation: What stands for a frame or segment: its global token, or the mean of its patches.
        precision: Precision of matrix products.
        device: cpu, cuda or mps; the best there is unless given.
        num_clips: Take the first clips only.
        num_workers: Processes that read clips; 0 reads in this one.
        with_controls: Also measure an untrained model and an oracle.
        picture: PNG file for a picture of the similarities.
        as_json: Print the report as one JSON object.
    """
    from cavmae_sync.evaluation import evaluate_retrieval, retrieval_oracle, untrained
    from cavmae_sync.evaluation.pictures import gallery_picture, save_picture

    check_output(picture, option="--picture", suffix=".png")
    embedder = open_embedder(
        run_or_weights, overrides, device=device, precision=precision, representation=representation
    )
    clips = open_clips(data, num_clips=num_clips)
    names = get_args(AggregationName) if aggregation == "all" else (aggregation,)
    with show_progress("embedding clips") as advance:

        def report_of(model: "Embedder") -> "RetrievalReport":
            return evaluate_retrieval(
                model,
                clips,
                frame=frame,
                aggregation=names[0],
                ties=ties,
                num_workers=num_workers or 0,
                on_progress=lambda done, total: advance(done, total, ""),
            )

        reports = {"model": report_of(embedder)}
        if with_controls:
            reports["untrained"] = report_of(untrained(embedder))
            reports["oracle"] = retrieval_oracle(reports["model"])
    if picture is not None:
        save_picture(gallery_picture(reports["model"].similarity_QG), picture)
    found = {
        control: {name: report.aggregated(name) for name in names} for control, report in reports.items()
    }
    _print(found, as_json=as_json)


def _print(found: "dict[str, dict[str, RetrievalReport]]", *, as_json: bool) -> None:
    """By what was measured, then by aggregation; a level with one entry is left out."""
    if not as_json:
        for control, by_name in found.items():
            for report in by_name.values():
                Console().print(report.to_table() if control == "model" else _titled(report, control))
        return
    content: dict[str, Any] = {
        control: {name: report.to_dict() for name, report in by_name.items()}
        for control, by_name in found.items()
    }
    content = {control: _only(by_name) for control, by_name in content.items()}
    print(json.dumps(_only(content), indent=2, allow_nan=False, ensure_ascii=False))


def _titled(report: "RetrievalReport", control: str) -> "Table":
    table = report.to_table()
    table.title = f"{report.name}: {control}"
    return table


def _only(entries: dict[str, Any]) -> Any:
    return next(iter(entries.values())) if len(entries) == 1 else entries
