"""The table of clips as a file that is mapped, not read: `clips.arrow`.

`clips.parquet` is what counts and what others read. Reading it takes about 1 kB of memory a clip in every
process: gigabytes for each loader worker of two million clips. The same table without compression is mapped
into memory instead, in no time, and all processes of a machine share its pages.
"""

import hashlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

import pyarrow as pa

from cavmae_sync.atomic import written_whole
from cavmae_sync.data.manifest import CLIPS_FILE, CLIPS_SCHEMA, read_table

MAPPED_FILE: Final = "clips.arrow"
_STAMP: Final = b"cavmae_sync.dataset"


def write_mapped(clips: pa.Table, folder: Path, record: Mapping[str, Any]) -> None:
    """Write the table of a dataset as `clips.arrow`.

    Args:
        clips: All clips, of `CLIPS_SCHEMA`.
        folder: Folder of the dataset.
        record: Content of `dataset.json`.
    """
    clips = clips.combine_chunks().replace_schema_metadata({_STAMP: _stamp(record)})
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
    clips = _mapped(folder / MAPPED_FILE, record)
    return read_table(folder / CLIPS_FILE, CLIPS_SCHEMA) if clips is None else clips


def _mapped(path: Path, record: Mapping[str, Any]) -> pa.Table | None:
    if not path.is_file():
        return None  # prepared by an earlier version
    try:
        clips = pa.ipc.open_file(pa.memory_map(str(path))).read_all()
    except pa.ArrowInvalid:
        return None
    is_of_dataset = (clips.schema.metadata or {}).get(_STAMP) == _stamp(record)
    clips = clips.replace_schema_metadata(None)
    return clips if is_of_dataset and clips.schema == CLIPS_SCHEMA else None


def _stamp(record: Mapping[str, Any]) -> bytes:
    """Clips, and the files that all places in the table refer to."""
    digest = hashlib.sha256(record["list_sha256"].encode())
    for shard in record["shards"]:
        digest.update(shard["sha256"].encode())
    return digest.hexdigest().encode()
