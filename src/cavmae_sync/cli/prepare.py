"""`cavmae-sync prepare`: videos to a dataset."""

import json
from pathlib import Path
from typing import Annotated

from cyclopts import Parameter
from rich.console import Console

from cavmae_sync.cli.progress import show_progress


def prepare(
    source: Path,
    /,
    *overrides: str,
    out: Path,
    labels: Path | None = None,
    min_seconds: float = 1.0,
    num_workers: int | None = None,
    max_rejected_percent: float = 100.0,
    shard_index: int = 0,
    num_shards: int = 1,
    as_json: Annotated[bool, Parameter(name="--json", negative="")] = False,
) -> None:
    """Decode videos once into a dataset that training and evaluation read cheaply.

    Each video gives clips of 10 seconds: 16 frames, the sound, its log-mel. What cannot be used is listed
    with its reason in OUT/rejected.parquet. Stop it at any moment, even by kill -9, and run it again: what
    was finished stays.

    Example: cavmae-sync prepare my-videos --out my-dataset

    Args:
        source: Folder of videos (searched in depth), or a text or CSV file that lists them.
        overrides: `key=value` words of the preparation, for example `sampling=uniform_center`.
        out: Folder of the dataset.
        labels: CSV with the columns video_id,labels (several labels separated by ;).
        min_seconds: Videos with less picture than this are rejected.
        num_workers: Processes; one per core unless given.
        max_rejected_percent: Fail when more of the files than this are rejected.
        shard_index: Which of several machines this is, from 0.
        num_shards: How many machines work on the same OUT.
        as_json: Print the audit as one JSON object.
    """
    from cavmae_sync.data import PrepareConfig, Progress, Share
    from cavmae_sync.data import prepare as prepare_videos

    config = PrepareConfig(min_seconds=min_seconds).with_overrides(overrides)
    with show_progress("preparing files") as advance:

        def show(progress: Progress) -> None:
            note = f"{progress.num_clips} clips, {progress.num_rejected} rejected"
            advance(progress.num_done, progress.num_files, note)

        report = prepare_videos(
            source,
            out=out,
            config=config,
            labels=labels,
            num_workers=num_workers,
            max_rejected_fraction=max_rejected_percent / 100,
            share=Share(index=shard_index, count=num_shards),
            on_progress=show,
        )
    if as_json:
        print(json.dumps(report.to_dict()))
        return
    Console().print(report.to_table())
