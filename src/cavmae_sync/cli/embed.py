"""`cavmae-sync embed`: vectors of every clip of a dataset, in a file that other programs read."""

import json
from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from cavmae_sync.choices import Precision, Representation
from cavmae_sync.cli.open import check_output, open_clips, open_embedder
from cavmae_sync.cli.progress import show_progress
from cavmae_sync.cli.types import Count, Json, Workers


def embed(
    run_or_weights: Path,
    /,
    *overrides: str,
    data: Path,
    out: Annotated[Path, Parameter(name="--out")],
    representation: Representation = "global",
    precision: Precision = "float32",
    device: str | None = None,
    num_clips: Count | None = None,
    num_workers: Workers = 0,
    as_json: Json = False,
) -> None:
    """Write a unit vector for the sound and one for the picture of every frame of every clip.

    `evaluate retrieval --embeddings` measures the file as it measures the model, and NumPy, pandas, polars
    and DuckDB read it.

    Example: cavmae-sync embed my-run --data my-dataset --out embeddings.npz

    Args:
        run_or_weights: Folder of a run, a weights file, or organisation/name on a hub.
        overrides: `key=value` words for what no weight shows, for example `registers_in_joint=true` or
            `inputs.align_length=valid`.
        data: Prepared dataset.
        out: File to write: .npz, or .parquet for one row per clip.
        representation: What stands for a frame or segment: its global token, or the mean of its patches.
        precision: Precision of matrix products.
        device: cpu, cuda or mps; the best there is unless given.
        num_clips: Take the first clips only.
        num_workers: Processes that read clips; 0 reads in this one.
        as_json: Print what was written as one JSON object.
    """
    from cavmae_sync.embedding import write_embeddings

    check_output(out, option="--out", suffix=(".npz", ".parquet"))
    embedder = open_embedder(
        run_or_weights, overrides, device=device, precision=precision, representation=representation
    )
    clips = open_clips(data, num_clips=num_clips)
    with show_progress("embedding clips") as advance:
        found = embedder.embed_dataset(
            clips, num_workers=num_workers or 0, on_progress=lambda done, total: advance(done, total, "")
        )
    write_embeddings(found, out)
    num_clips, num_frames, width = found.audio_NTD.shape
    if not as_json:
        broken = f" {found.num_broken_rows} vectors are not numbers." if found.num_broken_rows else ""
        print(f"{out}: {num_clips} clips, {num_frames} frames each, vectors of {width} numbers.{broken}")
        return
    content = {
        "out": str(out),
        "num_clips": num_clips,
        "num_frames": num_frames,
        "width": width,
        "broken_vectors": found.num_broken_rows,
        "weights": found.weights,
        "clip_list": found.clip_list,
    }
    print(json.dumps(content, indent=2, ensure_ascii=False))
