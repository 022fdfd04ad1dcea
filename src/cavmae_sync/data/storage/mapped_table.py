"""`clips.arrow`: the table of clips in a file that is mapped into memory instead of read.

`clips.parquet` is the authority, and the file for other programs. Reading it takes about 1 kB of memory per
clip in every process: with two million clips, gigabytes in each loader worker. Here the same table is stored
without compression; it is mapped at once, and all processes of a machine share its pages. If `clips.parquet`
was changed later, or this file is damaged, `clips.parquet` is read.
"""

import hashlib
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

import pyarrow as pa

from cavmae_sync.atomic import written_whole
from cavmae_sync.data.storage.tables import CLIPS_FILE, CLIPS_SCHEMA, column_with_gaps, read_table

MAPPED_FILE: Final = "clips.arrow"
_STAMP: Final = b"cavmae_sync.dataset"
#: Bytes at the end of a Parquet file: the length of its footer (4 bytes) and the letters PAR1.
_FOOTER_END: Final = 8


def write_mapped(clips: pa.Table, folder: Path, record: Mapping[str, Any]) -> None:
    """Write the table of a dataset as `clips.arrow`, after its `clips.parquet`.

    Args:
        clips: Table of all clips, with the columns of `CLIPS_SCHEMA`.
        folder: Folder of the dataset.
        record: Content of `dataset.json`.
    """
    clips = clips.combine_chunks().replace_schema_metadata({_STAMP: _stamp(folder, record)})
    with (
        written_whole(folder / MAPPED_FILE) as part,
        pa.OSFile(str(part), "wb") as sink,
        pa.ipc.new_file(sink, clips.schema) as file,
    ):
        file.write_table(clips)


def open_table(folder: Path, record: Mapping[str, Any]) -> pa.Table:
    """Table of the clips of a dataset: mapped if `clips.arrow` belongs to this dataset, else read.

    Args:
        folder: Folder of the dataset.
        record: Content of `dataset.json`.

    Raises:
        DatasetError: `clips.parquet` has to be read, and is missing or damaged.
    """
    clips = _mapped(folder, record)
    return read_table(folder / CLIPS_FILE, CLIPS_SCHEMA) if clips is None else clips


def _mapped(folder: Path, record: Mapping[str, Any]) -> pa.Table | None:
    if not ((folder / MAPPED_FILE).is_file() and (folder / CLIPS_FILE).is_file()):
        return None  # prepared by an earlier version
    try:
        file = pa.ipc.open_file(pa.memory_map(str(folder / MAPPED_FILE)))
        is_of_dataset = (file.schema.metadata or {}).get(_STAMP) == _stamp(folder, record)
        if not is_of_dataset or file.schema.remove_metadata() != CLIPS_SCHEMA:
            return None
        clips = file.read_all().replace_schema_metadata(None)
        # Offsets that point outside the file would crash the process. The check takes 0.03 s per million
        # clips.
        clips.validate(full=True)
    except (pa.ArrowException, OSError, ValueError, MemoryError):
        return None  # damaged: clips.parquet is read
    return None if column_with_gaps(clips) else clips


def _stamp(folder: Path, record: Mapping[str, Any]) -> bytes:
    """Fingerprint of what the table depends on: the clips, the shards, and the footer of `clips.parquet`."""
    digest = hashlib.sha256(record["list_sha256"].encode())
    digest.update(_footer(folder / CLIPS_FILE))
    for shard in record["shards"]:
        digest.update(shard["sha256"].encode())
    return digest.hexdigest().encode()


def _footer(path: Path) -> bytes:
    """Footer of a Parquet file. It has sizes, minima and maxima of columns, so it changes with the table."""
    with path.open("rb") as file:
        num_bytes = file.seek(0, os.SEEK_END)
        file.seek(max(0, num_bytes - _FOOTER_END))
        length = int.from_bytes(file.read(_FOOTER_END)[:4], "little")
        file.seek(max(0, num_bytes - _FOOTER_END - length))
        return file.read()
