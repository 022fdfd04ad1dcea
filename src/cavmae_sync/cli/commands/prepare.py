"""`cavmae-sync prepare`: videos to a dataset."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from cavmae_sync.choices import Engine, LabelNames, ListSplit
from cavmae_sync.cli.models import open_share, open_workers
from cavmae_sync.cli.options import Count, Json, Workers
from cavmae_sync.cli.progress import show_progress
from cavmae_sync.cli.terminal import Terminal, print_lines
from cavmae_sync.errors import ConfigError

if TYPE_CHECKING:
    from cavmae_sync.data import PrepareReport
    from cavmae_sync.work import ShareProgress


def prepare(
    source: Path,
    /,
    *overrides: str,
    out: Path,
    labels: Path | None = None,
    split: ListSplit | None = None,
    classes: Path | None = None,
    names: LabelNames = "name",
    min_seconds: float = 1.0,
    num_workers: Workers = None,
    max_rejected_percent: float = 100.0,
    shard_index: int = 0,
    num_shards: Count = 1,
    engine: Engine = "local",
    ray_address: str | None = None,
    as_json: Json = False,
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
        labels: CSV with the columns video_id,labels (several labels separated by ;), or AudioSet's segments,
            vggsound.csv or a manifest of CAV-MAE: files are found by their official names.
        split: Take only these rows of vggsound.csv.
        classes: Class list (index,mid,display_name), or ontology.json, that every label must be in.
        names: How labels are written then: by the names of the class list, or by its mids.
        min_seconds: Videos with less picture than this are rejected.
        num_workers: Processes; one per core unless given. With --engine ray the cores of a Ray of its own.
        max_rejected_percent: Fail when more of the files than this are rejected.
        shard_index: Which of several machines this is, from 0.
        num_shards: How many machines work on the same OUT.
        engine: local works in processes of this machine; ray on a Ray cluster, or on one of its own.
        ray_address: Of a Ray cluster; the variable RAY_ADDRESS unless given.
        as_json: Print the audit as one JSON object.
    """
    from cavmae_sync.data import PrepareConfig
    from cavmae_sync.data import prepare as prepare_videos
    from cavmae_sync.data.preparing.labels import LabelFile

    share = open_share(shard_index, num_shards)
    workers = open_workers(num_workers, engine=engine, ray_address=ray_address)
    if labels is None and (split is not None or classes is not None):
        raise ConfigError("--split and --classes are about labels. Give --labels too.")
    config = PrepareConfig(min_seconds=min_seconds).with_overrides(overrides)
    named = None if labels is None else LabelFile(path=labels, split=split, classes=classes, names=names)
    show_preparation(
        lambda on_progress: prepare_videos(
            source,
            out=out,
            config=config,
            labels=named,
            num_workers=workers,
            max_rejected_fraction=max_rejected_percent / 100,
            share=share,
            on_progress=on_progress,
        ),
        as_json=as_json,
    )


def show_preparation(
    work: "Callable[[Callable[[ShareProgress], None]], PrepareReport]", *, as_json: bool
) -> None:
    """Prepare with progress on standard error, and print the report.

    Args:
        work: Prepares; takes the function that is told of progress.
        as_json: Print the report as one JSON object.
    """
    with show_progress("preparing files") as advance:

        def show(progress: "ShareProgress") -> None:
            note = f"{progress.num_clips} clips, {progress.num_rejected} rejected"
            advance(progress.num_done, progress.num_files, note)

        report = work(show)
    if as_json:
        print_lines(json.dumps(report.to_dict()))
        return
    Terminal().print(report.to_table())
