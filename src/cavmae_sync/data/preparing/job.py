"""The work of a preparation: units of files, for any number of processes and machines; see `work.units`."""

import os
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from cavmae_sync.data.config import PrepareConfig
from cavmae_sync.data.preparing.finish import count_done_units, finish
from cavmae_sync.data.preparing.prepare_unit import ClipReader, PreparationUnit, prepare_unit
from cavmae_sync.data.preparing.report import LabelUse, PrepareReport
from cavmae_sync.data.preparing.sources import SourceList
from cavmae_sync.data.storage.tables import DATASET_FILE, SCHEMA_VERSION, SHARDS_FOLDER
from cavmae_sync.untrusted import checked, read_object
from cavmae_sync.work.on_ray import RayCluster, do_on_ray
from cavmae_sync.work.units import Share, ShareProgress, Work, files_per_unit, in_processes, run_units


@dataclass(frozen=True, kw_only=True, slots=True)
class Job:
    """Files to prepare, with their labels.

    Attributes:
        listing: The files.
        labels: Labels of each file.
        labels_fingerprint: SHA-256 of the labels; None without a label file.
        label_use: Use of the rows of the label file.
        read: Function that reads the clips of a file.
    """

    listing: SourceList
    labels: tuple[tuple[str, ...], ...]
    labels_fingerprint: str | None
    label_use: LabelUse
    read: ClipReader


def run_job(
    job: Job,
    *,
    out: str | os.PathLike[str],
    config: PrepareConfig,
    num_workers: int | RayCluster | None,
    max_rejected_fraction: float,
    share: Share,
    on_progress: Callable[[ShareProgress], None] | None,
) -> PrepareReport:
    """Do one share of a job, and finish the dataset when all shares are done. See `prepare`."""
    out = Path(out).absolute()
    units = _units(job, out=out, config=config)
    plan = _plan(job, config=config, num_units=len(units))
    skipped = job.listing.skipped
    work = Work(
        name="a preparation",
        out=out,
        units=units,
        plan=plan,
        folder=SHARDS_FOLDER,
        record=DATASET_FILE,
        finish=lambda: finish(
            units, skipped, plan=plan, label_use=job.label_use, max_rejected_fraction=max_rejected_fraction
        ),
    )
    perform = (
        partial(do_on_ray, prepare_unit, cluster=num_workers)
        if isinstance(num_workers, RayCluster)
        else partial(in_processes, prepare_unit, num_workers=num_workers)
    )
    if not run_units(work, perform, share=share, on_progress=on_progress):
        try:
            return count_done_units(units, skipped, label_use=job.label_use)
        except FileNotFoundError:  # another share has just finished the dataset and removed the records
            if not work.has_record():
                raise
    path, remedy = out / DATASET_FILE, "Choose another folder, or remove this one."
    counts = read_object(path, remedy=remedy).get("counts")
    return checked(counts, PrepareReport, path=path, field="counts", remedy=remedy)


def _units(job: Job, *, out: Path, config: PrepareConfig) -> list[PreparationUnit]:
    files = job.listing.files
    size = files_per_unit(len(files), config.files_per_shard)
    return [
        PreparationUnit(
            index=index,
            root=job.listing.root,
            out=out,
            files=files[first : first + size],
            labels=job.labels[first : first + size],
            config=config,
            read=job.read,
        )
        for index, first in enumerate(range(0, len(files), size))
    ]


def _plan(job: Job, *, config: PrepareConfig, num_units: int) -> dict[str, Any]:
    """Plan that a later run must have in common to go on."""
    return {
        "schema_version": SCHEMA_VERSION,
        "read": job.read.__name__,
        "config": config.model_dump(mode="json"),
        "sources_sha256": job.listing.fingerprint,
        "labels_sha256": job.labels_fingerprint,
        "num_files": len(job.listing.files),
        "num_units": num_units,
    }
