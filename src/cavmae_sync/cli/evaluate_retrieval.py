"""`cavmae-sync evaluate retrieval`: how well sounds find their pictures, and pictures their sounds."""

from pathlib import Path

from rich.console import Console

from cavmae_sync.choices import AggregationName, Counting, Precision, Representation
from cavmae_sync.cli.progress import show_progress
from cavmae_sync.cli.types import Json


def retrieval(
    run_or_weights: Path,
    /,
    *,
    data: Path,
    aggregation: AggregationName = "diagonal_mean",
    ties: Counting = "mean",
    representation: Representation = "global",
    precision: Precision = "float32",
    device: str | None = None,
    picture: Path | None = None,
    as_json: Json = False,
) -> None:
    """Measure retrieval between sound and picture on every clip of a prepared dataset.

    Each clip's sound looks for its picture among all clips, and the other way round. Recall at 1, 5 and 10
    and median rank come with 95 % intervals and with what guessing would give.

    Example: cavmae-sync evaluate retrieval my-run --data my-dataset --picture similarity.png

    Args:
        run_or_weights: Folder of a run, a .safetensors file, or a .pth of the authors.
        data: Prepared dataset.
        aggregation: How the similarities of 16 frames and 16 segments become one score.
        ties: Which place a query's own clip takes among equal scores.
        representation: What stands for a frame or segment: its global token, or the mean of its patches.
        precision: Precision of matrix products.
        device: cpu, cuda or mps; the best there is unless given.
        picture: PNG file for a picture of the similarities.
        as_json: Print the report as one JSON object.
    """
    from cavmae_sync.data import PreparedDataset
    from cavmae_sync.embedding import Embedder
    from cavmae_sync.evaluation import evaluate_retrieval
    from cavmae_sync.evaluation.pictures import gallery_picture, save_picture
    from cavmae_sync.training import keep_freed_memory, load_run_or_weights

    keep_freed_memory()
    model = load_run_or_weights(run_or_weights)
    clips = PreparedDataset.open(data)
    embedder = Embedder(model, device=device, precision=precision, representation=representation)
    with show_progress("embedding clips") as advance:
        report = evaluate_retrieval(
            embedder,
            clips,
            aggregation=aggregation,
            ties=ties,
            on_progress=lambda done, total: advance(done, total, ""),
        )
    if picture is not None:
        save_picture(gallery_picture(report.similarity_QG), picture)
    if as_json:
        print(report.to_json(), end="")
    else:
        Console().print(report.to_table())
