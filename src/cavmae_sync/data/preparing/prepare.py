"""Folder or list of videos -> prepared dataset.

list of files -> units of 1 to 1024 files -> shards, and tables of each unit (any number of processes, any
order) -> when all units are done: clips.parquet, rejected.parquet and, last of all, dataset.json
"""

import os
from collections.abc import Callable
from pathlib import Path

from cavmae_sync.data.config import PrepareConfig
from cavmae_sync.data.preparing.job import Job, run_job
from cavmae_sync.data.preparing.labels import LabelFile, read_labels
from cavmae_sync.data.preparing.report import LabelUse, PrepareReport
from cavmae_sync.data.preparing.sources import list_sources
from cavmae_sync.data.preparing.videos import read_video
from cavmae_sync.work.on_ray import RayCluster
from cavmae_sync.work.units import Share, ShareProgress


def prepare(
    source: str | os.PathLike[str],
    *,
    out: str | os.PathLike[str],
    config: PrepareConfig | None = None,
    labels: str | os.PathLike[str] | LabelFile | None = None,
    num_workers: int | RayCluster | None = None,
    max_rejected_fraction: float = 1.0,
    share: Share | None = None,
    on_progress: Callable[[ShareProgress], None] | None = None,
) -> PrepareReport:
    """Prepare videos for training and evaluation.

    Args:
        source: Folder with videos, or a list of them; see `list_sources`.
        out: Folder for the dataset: new, empty, or left by an earlier run with the same arguments. Such a run
            is continued; if it was complete, its report is returned.
        config: How clips are cut and stored.
        labels: CSV with the columns `video_id,labels`, or a list of AudioSet, VGGSound or CAV-MAE, see
            `read_labels`; None = no labels.
        num_workers: Worker processes; None = one per core, 0 = in this process. Or a Ray cluster, whose tasks
            then do the work.
        max_rejected_fraction: Fraction of the files that may be rejected, in [0, 1].
        share: Part of the work to do; None = all of it.
        on_progress: Called after every unit of work.

    Returns:
        Report of the preparation. With a `share`: of everything that all shares have done so far.

    Raises:
        DatasetError: The source or the labels cannot be read, or `out` holds other files.
        TooManyRejectedError: More files than allowed were rejected, or all. The units stay done: run again
            with a higher limit to accept the result.
    """
    listing = list_sources(Path(source))
    given = labels if labels is None or isinstance(labels, LabelFile) else Path(labels)
    known = None if given is None else read_labels(given)
    paths = [file.path for file in listing.files]
    found = None if known is None else known.of_files(paths)
    job = Job(
        listing=listing,
        labels=((),) * len(paths) if found is None else found.labels,
        labels_fingerprint=None if known is None else known.fingerprint,
        label_use=LabelUse() if found is None else found.use,
        read=read_video,
    )
    return run_job(
        job,
        out=out,
        config=config or PrepareConfig(),
        num_workers=num_workers,
        max_rejected_fraction=max_rejected_fraction,
        share=share or Share(),
        on_progress=on_progress,
    )
