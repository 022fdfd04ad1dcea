"""Libraries of version 1 of the format become version 2, in place and without encoding.

Version 1 had Parquet files of many files' clips each, and belonged to a list of files that could not change.
Its roots were not written down: they are offline until somebody says where they are.
"""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import torch
from pydantic import BaseModel

from cavmae_sync.atomic import locked, write_text
from cavmae_sync.data.storage.tables import REJECTED_SCHEMA, SKIP_REASONS, Rejected, read_table
from cavmae_sync.embedding.encoders import OWN, EncoderRecord
from cavmae_sync.embedding.library.catalogue import Catalogue, ContentRow, FileRow, Root
from cavmae_sync.embedding.library.config import LibraryConfig
from cavmae_sync.embedding.library.parts import count_part
from cavmae_sync.embedding.library.record import LibraryRecord
from cavmae_sync.embedding.library.schema import (
    CATALOGUE_FILE,
    LIBRARY_FILE,
    PARTS_FOLDER,
    SENSES,
    WORK_FOLDER,
    Sense,
    clip_id,
    is_content,
    part_path,
    part_schema,
    rows_batch,
    write_part,
)
from cavmae_sync.errors import DatasetError
from cavmae_sync.untrusted import check_plain_name, checked, read_object

#: Name of the one root of a converted library.
_ROOT: Final = "videos"
_REMEDY: Final = "Copy the library again, or make it again."
_OLD_REJECTED: Final = "rejected.parquet"
_GONE_FIELDS: Final = ("files_per_unit",)


class _Model(BaseModel):
    width: int


class _MadeWith(BaseModel):
    model: _Model


class _Plan(BaseModel):
    config: dict[str, Any]
    made_with: _MadeWith
    weights: str


class _PartName(BaseModel):
    name: str


class _OldRecord(BaseModel):
    made_with: str = "unknown"
    plan: _Plan
    parts: list[_PartName]


def convert_if_old(folder: Path) -> bool:
    """Convert a library of version 1. Returns whether it was one.

    It may be killed at any moment: until the new `library.json` is there, the old library is whole.

    Raises:
        DatasetError: It is damaged, or another process is converting it.
    """
    path = folder / LIBRARY_FILE
    if not path.is_file() or read_object(path, remedy=_REMEDY).get("schema_version") != 1:
        if (folder / _OLD_REJECTED).is_file():  # a process was killed while it removed what it had converted
            _remove_old(folder)
        return False
    with locked(folder / WORK_FOLDER / "writer.lock", busy=f"Another process is converting {folder}."):
        content = read_object(path, remedy=_REMEDY)
        if content.get("schema_version") != 1:
            return True  # another process has just done it
        old = checked(content, _OldRecord, path=path, remedy=_REMEDY)
        for part in old.parts:
            check_plain_name(part.name, folder=str(folder / PARTS_FOLDER))
        record = _record(old, content)
        (folder / CATALOGUE_FILE).unlink(missing_ok=True)  # of a conversion that was killed
        with Catalogue(folder, is_writable=True) as catalogue:
            _convert(folder, old, record, catalogue)
        write_text(path, json.dumps(record.model_dump(mode="json"), indent=2) + "\n")
        _remove_old(folder)
    return True


def _record(old: _OldRecord, content: dict[str, Any]) -> LibraryRecord:
    config = {name: value for name, value in old.plan.config.items() if name not in _GONE_FIELDS}
    return LibraryRecord(
        program=old.made_with,
        encoder=EncoderRecord(
            kind=OWN,
            width=old.plan.made_with.model.width,
            weights=old.plan.weights,
            made_with=content["plan"]["made_with"],
        ),
        spaces=dict.fromkeys(SENSES, "audio-visual"),
        config=LibraryConfig.model_validate(config),
    )


def _convert(folder: Path, old: _OldRecord, record: LibraryRecord, catalogue: Catalogue) -> None:
    catalogue.put_root(Root(name=_ROOT, path=None, is_listed=False))
    rejected = read_table(folder / _OLD_REJECTED, REJECTED_SCHEMA, remedy=_REMEDY).to_pylist()
    notes = {row["file"]: row for row in rejected if row["reason"] == "passed_over"}
    files: list[FileRow] = []
    contents: dict[str, ContentRow] = {}
    for source, rows in _files_of(folder, old):
        content = rows["content_hash"][0].as_py()
        if not is_content(content):
            raise DatasetError(f"{folder} names the content {content!r:.80} of {source}. {_REMEDY}")
        if content not in contents:
            contents[content] = _write(folder, content, rows, record)
        note = notes.get(source, {"reason": None, "message": None})
        files.append(
            FileRow(
                root=_ROOT,
                path=source,
                content=content,
                state="ok",
                reason=note["reason"],
                message=note["message"],
            )
        )
    skipped = [Rejected(**row) for row in rejected if row["reason"] in SKIP_REASONS]
    files += [
        FileRow(root=_ROOT, path=row["file"], state="failed", reason=row["reason"], message=row["message"])
        for row in rejected
        if row["reason"] not in SKIP_REASONS | {"passed_over"}
    ]
    catalogue.put_files(files, list(contents.values()))
    catalogue.replace_skipped(_ROOT, skipped)


def _files_of(folder: Path, old: _OldRecord) -> Iterator[tuple[str, pa.Table]]:
    """Rows of each file. Those of one file follow each other, in one part."""
    for part in old.parts:
        path = folder / PARTS_FOLDER / part.name
        try:
            with pq.ParquetFile(path, page_checksum_verification=True) as file:
                table = file.read()
            sources = np.array(table["source"].to_pylist(), dtype=object)
        except (pa.ArrowException, OSError, ValueError, KeyError) as error:
            raise DatasetError(f"{path} is damaged ({error}). {_REMEDY}") from error
        if len(sources) == 0:
            continue
        starts = np.flatnonzero(np.concatenate([[True], sources[1:] != sources[:-1]]))
        for first, stop in zip(starts, [*starts[1:], len(sources)], strict=True):
            yield str(sources[first]), table.slice(int(first), int(stop - first))


def _write(folder: Path, content: str, rows: pa.Table, record: LibraryRecord) -> ContentRow:
    width = record.encoder.width
    facts = [
        {**row, "id": clip_id(content, row["start_seconds"])}
        for row in rows.drop_columns(list(SENSES)).to_pylist()
    ]
    vectors: dict[Sense, torch.Tensor | None] = {}
    for sense in SENSES:
        flat = rows[sense].combine_chunks().flatten().flatten().to_numpy(zero_copy_only=False)
        vectors[sense] = torch.from_numpy(flat.astype(np.float32).reshape(-1, width))
    batch = rows_batch(facts, vectors, width=width, config=record.config)
    path = part_path(folder, content)
    about = {"content": content, "made_by": record.fingerprint}
    write_part(path, [batch], schema=part_schema(width=width, config=record.config), about=about)
    return count_part(content, iter([batch]), num_bytes=path.stat().st_size)


def _remove_old(folder: Path) -> None:
    for path in (folder / PARTS_FOLDER).glob("*.parquet"):
        path.unlink(missing_ok=True)
    (folder / _OLD_REJECTED).unlink(missing_ok=True)  # last: it shows that there is something to remove
