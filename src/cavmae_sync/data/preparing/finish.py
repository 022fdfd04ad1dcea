"""The end of a preparation: the tables of all units become the dataset's, and what came of it is counted."""

import json
from collections.abc import Mapping, Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any, Protocol

import pyarrow as pa

from cavmae_sync.atomic import PART_SUFFIX, write_text
from cavmae_sync.data.preparing.prepare_unit import PreparationUnit
from cavmae_sync.data.preparing.report import LabelUse, PrepareReport, count_up
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


class Counts(Protocol):
    """How many files were taken and rejected, and why."""

    @property
    def num_clips(self) -> int:
        """Clips of the files that were taken."""
        ...

    @property
    def num_files_accepted(self) -> int:
        """Files that were taken."""
        ...

    @property
    def num_files_rejected(self) -> int:
        """Files that were tried and gave nothing."""
        ...

    @property
    def rejected_by_reason(self) -> Mapping[str, int]:
        """The latter by `MediaError.code`."""
        ...


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
        TooManyRejectedError: More files were rejected than allowed, or all.
        DatasetError: Two clips have one id.
    """
    out = units[0].out
    clips, rejected, shards = _gather(units, skipped)
    report = count_up(
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
    """Count what is done so far, when some units are not."""
    done = [unit for unit in units if unit.is_done()]
    clips, rejected, shards = _gather(done, skipped)
    return count_up(
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
    """Flag the clips of every file whose content an earlier file of the list has."""
    first: dict[str, str] = {}
    contents, sources = clips["content_hash"].to_pylist(), clips["source"].to_pylist()
    flags = [
        first.setdefault(content, source) != source for content, source in zip(contents, sources, strict=True)
    ]
    place = CLIPS_SCHEMA.get_field_index("is_duplicate")
    return clips.set_column(place, CLIPS_SCHEMA.field(place), pa.array(flags, pa.bool_()))


def check_rejected(report: Counts, rejected: pa.Table, *, limit: float, where: Path) -> None:
    """Refuse a result of which too little is left.

    Args:
        report: What was counted.
        rejected: The files that cannot be used, of `REJECTED_SCHEMA`.
        limit: Share of the files that may be rejected, in [0, 1].
        where: Folder of the result.

    Raises:
        TooManyRejectedError: More files were rejected than allowed, or all.
    """
    num_files = report.num_files_accepted + report.num_files_rejected
    if report.num_clips and report.num_files_rejected <= limit * num_files:
        return
    reasons = ", ".join(f"{reason} {count}" for reason, count in report.rejected_by_reason.items())
    first = rejected.slice(0, 3).column("message").to_pylist()
    allowed = f" (limit {limit:.0%})" if report.num_clips else ", so nothing is left"
    remedy = "Remove them, or raise the limit and run again." if report.num_clips else "Name other files."
    raise TooManyRejectedError(
        f"{report.num_files_rejected} of {num_files} files cannot be used{allowed}: "
        f"{reasons}. All are listed in {where / REJECTED_FILE}; the first: "
        f"{' '.join(first)} {remedy}"
    )


def check_ids(clips: pa.Table) -> None:
    """Refuse clips of one id.

    Raises:
        DatasetError: Names two files that have one.
    """
    seen: dict[str, str] = {}
    for clip_id, source in zip(clips["id"].to_pylist(), clips["source"].to_pylist(), strict=True):
        if clip_id in seen:
            raise DatasetError(
                f"{source} and {seen[clip_id]} both have a clip {clip_id!r}. Rename one and run again."
            )
        seen[clip_id] = source


def _remove_leftovers(out: Path, shards: set[str]) -> None:
    """Remove what killed runs left: unfinished files, and shards that no unit names."""
    for path in (out / SHARDS_FOLDER).iterdir():
        if path.name not in shards:
            path.unlink()
    for path in out.glob(f"*{PART_SUFFIX}"):
        path.unlink()
