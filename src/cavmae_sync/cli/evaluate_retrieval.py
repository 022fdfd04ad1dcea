"""`cavmae-sync evaluate retrieval`: how well sounds find their pictures, and pictures their sounds."""

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal, get_args

from cyclopts import Parameter
from cyclopts.validators import Number
from rich.console import Console

from cavmae_sync.choices import AggregationName, Counting, Precision, Representation
from cavmae_sync.cli.open import check_output, open_embedder
from cavmae_sync.cli.progress import show_progress
from cavmae_sync.cli.types import Count, Json, Workers

#: Number of a frame.
Frame = Annotated[int | None, Parameter(validator=Number(gte=0))]

if TYPE_CHECKING:
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
        picture: PNG file for a picture of the similarities.
        as_json: Print the report as one JSON object.
    """
    from cavmae_sync.data import PreparedDataset
    from cavmae_sync.evaluation import evaluate_retrieval
    from cavmae_sync.evaluation.pictures import gallery_picture, save_picture

    check_output(picture, option="--picture", suffix=".png")
    embedder = open_embedder(
        run_or_weights, overrides, device=device, precision=precision, representation=representation
    )
    clips = PreparedDataset.open(data)
    if num_clips is not None:
        clips = clips.head(min(num_clips, len(clips)))
    names = get_args(AggregationName) if aggregation == "all" else (aggregation,)
    with show_progress("embedding clips") as advance:
        first = evaluate_retrieval(
            embedder,
            clips,
            frame=frame,
            aggregation=names[0],
            ties=ties,
            num_workers=num_workers or 0,
            on_progress=lambda done, total: advance(done, total, ""),
        )
    if picture is not None:
        save_picture(gallery_picture(first.similarity_QG), picture)
    _print([first.aggregated(name) for name in names], as_json=as_json)


def _print(reports: "list[RetrievalReport]", *, as_json: bool) -> None:
    if not as_json:
        for report in reports:
            Console().print(report.to_table())
    elif len(reports) == 1:
        print(reports[0].to_json(), end="")
    else:
        print(json.dumps({report.config["aggregation"]: report.to_dict() for report in reports}, indent=2))
