"""Inventory of videos: every file is read once, in worker processes; a later run reads only new files.

The facts are in a file with one JSON object per line. Its first line says how they were read. A line that was
cut off when the process was killed is ignored.
"""

import json
import os
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from cavmae_sync.atomic import locked, write_text
from cavmae_sync.audit.facts import InventoryItem, prepared_item, read_item
from cavmae_sync.data.config import PrepareConfig
from cavmae_sync.data.preparing.sources import list_sources
from cavmae_sync.data.storage.prepared_dataset import PreparedDataset
from cavmae_sync.data.storage.tables import (
    DATASET_FILE,
    PASSED_OVER,
    REJECTED_FILE,
    REJECTED_SCHEMA,
    read_table,
)
from cavmae_sync.untrusted import parse_json
from cavmae_sync.work.source_file import SourceFile
from cavmae_sync.work.workers import num_worth_starting, run_in_workers

#: Version of facts and fingerprints. When it rises, everything is read again.
FACTS_VERSION: Final = 1
#: Clips of a dataset that one call of a worker reads.
_CLIPS_AT_ONCE: Final = 16

#: Clips of a dataset, and files, that take a worker about as long as its start.
_CLIPS_PER_WORKER: Final = 256
_FILES_PER_WORKER: Final = 4

#: Called with the number of items that are done, and of all items.
OnProgress = Callable[[int, int], None]


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Inventory:
    """All files of a source with their clips.

    Attributes:
        root: Folder that paths are relative to, or the folder of the dataset.
        items: Files in their order; or the clips of a dataset, and then the files that it rejected.
        num_read: Number of items that were read this time; the others were known.
        is_dataset: Whether the source is a prepared dataset.
    """

    root: Path
    items: tuple[InventoryItem, ...]
    num_read: int
    is_dataset: bool


@dataclass(frozen=True, kw_only=True, slots=True)
class _Task:
    """Work for one call of a worker: a file, or some clips of a dataset."""

    keys: tuple[str, ...]
    root: Path
    config: PrepareConfig
    source: SourceFile | None = None
    indices: tuple[int, ...] = ()


def take_inventory(
    source: str | os.PathLike[str],
    *,
    facts: Path,
    config: PrepareConfig,
    num_workers: int | None = None,
    on_progress: OnProgress | None = None,
) -> Inventory:
    """Read all files of a folder or list, or all clips of a prepared dataset, that are not known yet.

    A file is recognised by its path, size and time of change; a clip of a dataset by its id, its labels and
    the hash of its file.

    Args:
        source: Folder of videos, list of files, one file, or a prepared dataset.
        facts: File of the facts: written, or extended. Kill the process at any time and run it again.
        config: How clips are cut from files, and thresholds of the flags; a dataset has its own.
        num_workers: Worker processes; None = one per core, fewer for few clips; 0 = in this process.
        on_progress: Called with the numbers of items that are done and of all items.

    Raises:
        DatasetError: There is no such source, or a worker died.
    """
    plan = _plan(Path(source), config)
    facts.parent.mkdir(parents=True, exist_ok=True)
    with locked(facts.with_suffix(".lock"), busy=f"Another audit is writing {facts}. Wait until it ends."):
        known = _read_known(facts, plan.header)
        waiting = [task for task in plan.tasks if any(key not in known for key in task.keys)]
        _begin(facts, plan.header, known)
        num_read = 0
        num_all = sum(len(task.keys) for task in plan.tasks)
        num_known = num_all - sum(len(task.keys) for task in waiting)
        with facts.open("a", encoding="utf-8") as file:
            chosen = _num_workers(waiting) if num_workers is None else num_workers
            for items in run_in_workers(_work, waiting, num_workers=chosen):
                known.update({item.key: item for item in items})
                file.writelines(json.dumps(item.to_json(), ensure_ascii=False) + "\n" for item in items)
                file.flush()
                num_read += len(items)
                if on_progress is not None:
                    on_progress(num_known + num_read, num_all)
    found = [known[key] for task in plan.tasks for key in task.keys]
    return Inventory(
        root=plan.root, items=(*found, *plan.rejected), num_read=num_read, is_dataset=plan.is_dataset
    )


def check_source(source: Path) -> None:
    """Check that `take_inventory` can read a source, before hours are spent on another one.

    Raises:
        DatasetError: There is no such source.
    """
    if (source / DATASET_FILE).is_file():
        PreparedDataset.open(source)
    else:
        list_sources(source)


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class _Plan:
    """Tasks of an inventory, and the header of its file."""

    root: Path
    tasks: list[_Task]
    rejected: list[InventoryItem]
    header: dict[str, Any]
    is_dataset: bool


def _plan(source: Path, config: PrepareConfig) -> _Plan:
    if (source / DATASET_FILE).is_file():
        dataset = PreparedDataset.open(source)
        return _Plan(
            root=dataset.folder,
            tasks=_clip_tasks(dataset),
            rejected=_rejected(source),
            header=_header(dataset.config),
            is_dataset=True,
        )
    listing = list_sources(source)
    skipped = [
        InventoryItem(key=row.file, file=row.file, reason=row.reason, message=row.message)
        for row in listing.skipped
    ]
    return _Plan(
        root=listing.root,
        tasks=[_file_task(listing.root, file, config) for file in listing.files],
        rejected=skipped,
        header=_header(config),
        is_dataset=False,
    )


def _num_workers(tasks: list[_Task]) -> int:
    """Number of workers for some files, or for some clips of a dataset."""
    num_files = sum(task.source is not None for task in tasks)
    if num_files:
        # At least one: a decoder that crashes on a stranger's file must not take this process with it.
        return max(num_worth_starting(num_files, items_each=_FILES_PER_WORKER), 1)
    num_clips = sum(len(task.indices) for task in tasks)
    return num_worth_starting(num_clips, items_each=_CLIPS_PER_WORKER)


def _header(config: PrepareConfig) -> dict[str, Any]:
    return {"facts_version": FACTS_VERSION, "config": config.model_dump(mode="json")}


def _read_known(facts: Path, header: dict[str, Any]) -> dict[str, InventoryItem]:
    """Items of an earlier run with the same version and configuration, by key."""
    if not facts.is_file():
        return {}
    # A kill can cut within a letter. It is replaced, and the line then is not JSON.
    lines = facts.read_text(encoding="utf-8", errors="replace").split("\n")
    if _parsed(lines[0]) != header:
        return {}
    items = (_item(line) for line in lines[1:])
    return {item.key: item for item in items if item is not None}


def _parsed(line: str) -> dict[str, Any] | None:
    """JSON object of a line; None if the line was cut off."""
    try:
        content = parse_json(line)
    except ValueError:
        return None
    return content if isinstance(content, dict) else None


def _item(line: str) -> InventoryItem | None:
    """Item of a line; None if the line was cut off or is damaged, so that its file is read again."""
    content = _parsed(line)
    try:
        return None if content is None else InventoryItem.from_json(content)
    except (KeyError, TypeError, ValueError, AttributeError, zlib.error):
        return None


def _begin(facts: Path, header: dict[str, Any], known: dict[str, InventoryItem]) -> None:
    """Write the known items again, without lines that were cut off or belong to another configuration."""
    lines = [header, *(item.to_json() for item in known.values())]
    write_text(facts, "".join(json.dumps(line, ensure_ascii=False) + "\n" for line in lines))


def _file_task(root: Path, source: SourceFile, config: PrepareConfig) -> _Task:
    path = root / source.path
    changed = path.stat().st_mtime_ns if path.is_file() else 0
    key = f"{path}\t{source.num_bytes}\t{changed}\t{source.id}"
    return _Task(keys=(key,), root=root, config=config, source=source)


def _clip_tasks(dataset: PreparedDataset) -> list[_Task]:
    known_by = zip(dataset.clip_ids, dataset.content_hashes, dataset.labels, strict=True)
    keys = ["\t".join((clip, content, *labels)) for clip, content, labels in known_by]
    return [
        _Task(
            keys=tuple(keys[first : first + _CLIPS_AT_ONCE]),
            root=dataset.folder,
            config=dataset.config,
            indices=tuple(range(first, min(first + _CLIPS_AT_ONCE, len(keys)))),
        )
        for first in range(0, len(keys), _CLIPS_AT_ONCE)
    ]


def _rejected(folder: Path) -> list[InventoryItem]:
    rows = read_table(folder / REJECTED_FILE, REJECTED_SCHEMA).to_pylist()
    return [
        InventoryItem(key=row["file"], file=row["file"], reason=row["reason"], message=row["message"])
        for row in rows
        if row["reason"] != PASSED_OVER
    ]


def _work(task: _Task) -> list[InventoryItem]:
    if task.source is not None:
        return [read_item(task.root, task.source, task.config, key=task.keys[0])]
    with PreparedDataset.open(task.root) as dataset:
        return [
            prepared_item(dataset, index, key=key) for index, key in zip(task.indices, task.keys, strict=True)
        ]
