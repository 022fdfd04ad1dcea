"""The end of a preparation: the tables of all units become the tables of the dataset, and are counted."""

import json
from collections.abc import Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any

import pyarrow as pa

from cavmae_sync.atomic import PART_SUFFIX, write_text
from cavmae_sync.data.preparing.file_counts import FileCounts
from cavmae_sync.data.preparing.prepare_unit import PreparationUnit
from cavmae_sync.data.preparing.report import LabelUse, PrepareReport, make_report
from cavmae_sync.data.storage.mapped_table import write_mapped
from cavmae_sync.data.storage.tables import (
    CLIPS_FILE,
    CLIPS_SCHEMA,
    DATASET_FILE,
    REJECTED_FILE,
    REJECTED_SCHEMA,
    SHARDS_FOLDER,
    Rejected,
    list_hash,
    read_table,
    rejected_table,
    write_table,
)
from cavmae_sync.errors import DatasetError, TooManyRejectedError
from cavmae_sync.untrusted import parse_json


def finish(
    units: Sequence[PreparationUnit],
    skipped: Sequence[Rejected],
    *,
    plan: dict[str, Any],
    label_use: LabelUse,
    max_rejected_fraction: float,
) -> None:
    """Write the tables and, when everything else is on disk, `dataset.json`.

    Raises:
        TooManyRejectedError: More files than allowed were rejected, or all.
        DatasetError: Two clips have the same id.
    """
    out = units[0].out
    clips, rejected, shards = _gather(units, skipped)
    report = make_report(
        clips,
        rejected,
        label_use=label_use,
        shard_bytes=sum(shard["num_bytes"] for shard in shards),
        num_resampled=sum(unit.num_resampled() for unit in units),
        is_complete=True,
    )
    write_table(rejected, out / REJECTED_FILE)
    check_rejected(report, rejected, limit=max_rejected_fraction, where=out)
    check_ids(clips)
    write_table(clips, out / CLIPS_FILE)
    _remove_leftovers(out, {shard["name"] for shard in shards})
    record = {
        "format": "cavmae-sync prepared dataset",
        "schema_version": plan["schema_version"],
        "made_with": version("cavmae-sync"),
        "list_sha256": list_hash(clips),
        "counts": report.to_dict(),
        "plan": plan,
        "shards": shards,
    }
    write_mapped(clips, out, record)
    write_text(out / DATASET_FILE, json.dumps(record, indent=2) + "\n")


def count_done_units(
    units: Sequence[PreparationUnit], skipped: Sequence[Rejected], *, label_use: LabelUse
) -> PrepareReport:
    """Report on the units that are done so far."""
    done = [unit for unit in units if unit.is_done()]
    clips, rejected, shards = _gather(done, skipped)
    return make_report(
        clips,
        rejected,
        label_use=label_use,
        shard_bytes=sum(shard["num_bytes"] for shard in shards),
        num_resampled=sum(unit.num_resampled() for unit in done),
        is_complete=False,
    )


def _gather(
    units: Sequence[PreparationUnit], skipped: Sequence[Rejected]
) -> tuple[pa.Table, pa.Table, list[dict[str, Any]]]:
    clips = [read_table(unit.work_file("clips.parquet"), CLIPS_SCHEMA) for unit in units]
    rejected = [read_table(unit.work_file("rejected.parquet"), REJECTED_SCHEMA) for unit in units]
    shards = [shard for unit in units for shard in parse_json(unit.work_file("json").read_bytes())]
    all_clips = pa.concat_tables([CLIPS_SCHEMA.empty_table(), *clips])
    return _mark_duplicates(all_clips), pa.concat_tables([*rejected, rejected_table(skipped)]), shards


def _mark_duplicates(clips: pa.Table) -> pa.Table:
    """Table with the flag `is_duplicate` set for clips of files with the same content as an earlier file."""
    first: dict[str, str] = {}
    contents, sources = clips["content_hash"].to_pylist(), clips["source"].to_pylist()
    flags = [
        first.setdefault(content, source) != source for content, source in zip(contents, sources, strict=True)
    ]
    place = CLIPS_SCHEMA.get_field_index("is_duplicate")
    return clips.set_column(place, CLIPS_SCHEMA.field(place), pa.array(flags, pa.bool_()))


def check_rejected(report: FileCounts, rejected: pa.Table, *, limit: float, where: Path) -> None:
    """Raise an error if too many files were rejected.

    Args:
        report: Counts of the result.
        rejected: Table of the rejected files, of `REJECTED_SCHEMA`.
        limit: Fraction of the files that may be rejected, in [0, 1].
        where: Folder of the result.

    Raises:
        TooManyRejectedError: More files than allowed were rejected, or all.
    """
    num_files = report.num_files_accepted + report.num_files_rejected
    if report.num_clips and report.num_files_rejected <= limit * num_files:
        return
    reasons = ", ".join(f"{reason} {count}" for reason, count in report.rejected_by_reason.items())
    first = rejected.slice(0, 3).column("message").to_pylist()
    allowed = f" (limit {limit:.0%})" if report.num_clips else ", so no clip is left"
    remedy = "Remove them, or raise the limit and run again." if report.num_clips else "Give other files."
    raise TooManyRejectedError(
        f"{report.num_files_rejected} of {num_files} files cannot be used{allowed}: "
        f"{reasons}. All are listed in {where / REJECTED_FILE}; the first: "
        f"{' '.join(first)} {remedy}"
    )


def check_ids(clips: pa.Table) -> None:
    """Check that all ids of clips are different.

    Raises:
        DatasetError: Two clips have the same id; names their files.
    """
    seen: dict[str, str] = {}
    for clip_id, source in zip(clips["id"].to_pylist(), clips["source"].to_pylist(), strict=True):
        if clip_id in seen:
            raise DatasetError(
                f"{source} and {seen[clip_id]} both have a clip with the id {clip_id!r}. Rename one of the "
                "files and run again."
            )
        seen[clip_id] = source


def _remove_leftovers(out: Path, shards: set[str]) -> None:
    """Remove what killed runs left: unfinished files, and shards that belong to no unit."""
    for path in (out / SHARDS_FOLDER).iterdir():
        if path.name not in shards:
            path.unlink()
    for path in out.glob(f"*{PART_SUFFIX}"):
        path.unlink()
