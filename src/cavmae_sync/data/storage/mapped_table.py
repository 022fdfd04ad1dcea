"""The table of clips as a file that is mapped, not read: `clips.arrow`.

`clips.parquet` is what counts and what others read. Reading it takes about 1 kB of memory a clip in every
process: gigabytes for each loader worker of two million clips. The same table without compression is mapped
into memory instead, in no time, and all processes of a machine share its pages. Where `clips.parquet` was
changed since, or this file is damaged, `clips.parquet` is read.
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
#: How a Parquet file ends: the length of its footer in four bytes, and PAR1.
_FOOTER_END: Final = 8


def write_mapped(clips: pa.Table, folder: Path, record: Mapping[str, Any]) -> None:
    """Write the table of a dataset as `clips.arrow`, when its `clips.parquet` is there.

    Args:
        clips: All clips, of `CLIPS_SCHEMA`.
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
    """The table of a dataset, mapped where `clips.arrow` belongs to this very dataset, else read.

    Args:
        folder: Folder of the dataset.
        record: Content of `dataset.json`.

    Raises:
        DatasetError: `clips.parquet` is needed and is not the table it should be.
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
        # Places in the file that lead elsewhere would end the process. 0.03 s for a million clips.
        clips.validate(full=True)
    except (pa.ArrowException, OSError, ValueError, MemoryError):
        return None  # damaged: what counts is clips.parquet
    return None if column_with_gaps(clips) else clips


def _stamp(folder: Path, record: Mapping[str, Any]) -> bytes:
    """Clips, the files that all places in the table refer to, and the end of `clips.parquet`."""
    digest = hashlib.sha256(record["list_sha256"].encode())
    digest.update(_footer(folder / CLIPS_FILE))
    for shard in record["shards"]:
        digest.update(shard["sha256"].encode())
    return digest.hexdigest().encode()


def _footer(path: Path) -> bytes:
    """The end of a Parquet file: size, smallest and largest value of each column. Short."""
    with path.open("rb") as file:
        num_bytes = file.seek(0, os.SEEK_END)
        file.seek(max(0, num_bytes - _FOOTER_END))
        length = int.from_bytes(file.read(_FOOTER_END)[:4], "little")
        file.seek(max(0, num_bytes - _FOOTER_END - length))
        return file.read()
