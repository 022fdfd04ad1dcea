"""`cavmae-sync prepare` and `import-cavmae`: videos, or somebody's extracted frames, to a dataset."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from rich.console import Console

from cavmae_sync.cli.progress import show_progress
from cavmae_sync.cli.types import Count, Json, Workers
from cavmae_sync.errors import ConfigError

if TYPE_CHECKING:
    from cavmae_sync.data import PrepareReport, Progress


def prepare(
    source: Path,
    /,
    *overrides: str,
    out: Path,
    labels: Path | None = None,
    min_seconds: float = 1.0,
    num_workers: Workers = None,
    max_rejected_percent: float = 100.0,
    shard_index: int = 0,
    num_shards: Count = 1,
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
        labels: CSV with the columns video_id,labels (several labels separated by ;).
        min_seconds: Videos with less picture than this are rejected.
        num_workers: Processes; one per core unless given.
        max_rejected_percent: Fail when more of the files than this are rejected.
        shard_index: Which of several machines this is, from 0.
        num_shards: How many machines work on the same OUT.
        as_json: Print the audit as one JSON object.
    """
    from cavmae_sync.data import PrepareConfig, Share
    from cavmae_sync.data import prepare as prepare_videos

    if not 0 <= shard_index < num_shards:
        raise ConfigError(
            f"--shard-index {shard_index} must be at least 0 and below --num-shards {num_shards}."
        )
    config = PrepareConfig(min_seconds=min_seconds).with_overrides(overrides)
    _run(
        lambda on_progress: prepare_videos(
            source,
            out=out,
            config=config,
            labels=labels,
            num_workers=num_workers,
            max_rejected_fraction=max_rejected_percent / 100,
            share=Share(index=shard_index, count=num_shards),
            on_progress=on_progress,
        ),
        as_json=as_json,
    )


def import_cavmae(
    manifest: Path,
    /,
    *overrides: str,
    out: Path,
    num_workers: Workers = None,
    max_rejected_percent: float = 100.0,
    as_json: Json = False,
) -> None:
    """Convert frames and sound extracted for CAV-MAE (JSON manifest, frame_i/ID.jpg, wav) into a dataset.

    A missing frame rejects its clip; nothing is put in its place. Set num_frames to what was extracted.

    Example: cavmae-sync import-cavmae vggsound_test.json --out my-dataset num_frames=10

    Args:
        manifest: JSON file with the key data: video_id, wav, video_path, labels of each clip.
        overrides: `key=value` words of the preparation.
        out: Folder of the dataset.
        num_workers: Processes; one per core unless given.
        max_rejected_percent: Fail when more of the clips than this are rejected.
        as_json: Print the audit as one JSON object.
    """
    from cavmae_sync.data import PrepareConfig
    from cavmae_sync.data import import_cavmae as convert

    config = PrepareConfig().with_overrides(overrides)
    _run(
        lambda on_progress: convert(
            manifest,
            out=out,
            config=config,
            num_workers=num_workers,
            max_rejected_fraction=max_rejected_percent / 100,
            on_progress=on_progress,
        ),
        as_json=as_json,
    )


def _run(work: "Callable[[Callable[[Progress], None]], PrepareReport]", *, as_json: bool) -> None:
    with show_progress("preparing files") as advance:

        def show(progress: "Progress") -> None:
            note = f"{progress.num_clips} clips, {progress.num_rejected} rejected"
            advance(progress.num_done, progress.num_files, note)

        report = work(show)
    if as_json:
        print(json.dumps(report.to_dict()))
        return
    Console().print(report.to_table())
