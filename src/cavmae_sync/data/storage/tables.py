"""The tables of a prepared dataset: `clips.parquet` and `rejected.parquet`.

Columns may be added. If one is renamed or changes its meaning, the schema version rises.
"""

import hashlib
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final

import pyarrow as pa
import pyarrow.parquet as pq

from cavmae_sync.atomic import written_whole
from cavmae_sync.errors import DatasetError

SCHEMA_VERSION: Final = 1
CLIPS_FILE: Final = "clips.parquet"
REJECTED_FILE: Final = "rejected.parquet"
DATASET_FILE: Final = "dataset.json"
SHARDS_FOLDER: Final = "shards"

CLIPS_SCHEMA: Final = pa.schema(
    [
        pa.field("id", pa.string(), nullable=False),
        pa.field("source", pa.string(), nullable=False),
        pa.field("content_hash", pa.string(), nullable=False),
        pa.field("start_seconds", pa.float64(), nullable=False),
        pa.field("stop_seconds", pa.float64(), nullable=False),
        pa.field("frame_seconds", pa.list_(pa.float64()), nullable=False),
        pa.field("sampling", pa.string(), nullable=False),
        pa.field("num_samples", pa.int64(), nullable=False),
        pa.field("num_spectrogram_frames", pa.int64(), nullable=False),
        pa.field("labels", pa.list_(pa.string()), nullable=False),
        pa.field("is_silent", pa.bool_(), nullable=False),
        pa.field("is_still", pa.bool_(), nullable=False),
        pa.field("is_short", pa.bool_(), nullable=False),
        pa.field("is_duplicate", pa.bool_(), nullable=False),
        pa.field("shard", pa.string(), nullable=False),
        pa.field("frame_offsets", pa.list_(pa.int64()), nullable=False),
        pa.field("frame_lengths", pa.list_(pa.int64()), nullable=False),
        pa.field("sound_offset", pa.int64(), nullable=False),
        pa.field("sound_length", pa.int64(), nullable=False),
        pa.field("log_mel_offset", pa.int64(), nullable=False),
        pa.field("log_mel_length", pa.int64(), nullable=False),
        pa.field("json_offset", pa.int64(), nullable=False),
        pa.field("json_length", pa.int64(), nullable=False),
    ]
)
#: Exceptions of pyarrow on damaged files (found by flipping bits).
_DAMAGE: Final = (pa.ArrowException, OSError, KeyError, ValueError, MemoryError)
#: Rows that are turned into Python objects at a time: bounds memory, does not change the hash.
_HASHED_ROWS: Final = 1 << 16
#: Reasons of files that were not tried; these do not count as rejected.
SKIP_REASONS: Final = frozenset({"not_media", "hidden", "bad_name", "repeated"})

#: Reason of a note on a file that was accepted, but of which the preferred stream could not be read.
PASSED_OVER: Final = "passed_over"

REJECTED_SCHEMA: Final = pa.schema(
    [
        pa.field("file", pa.string(), nullable=False),
        pa.field("reason", pa.string(), nullable=False),
        pa.field("message", pa.string(), nullable=False),
    ]
)


@dataclass(frozen=True, kw_only=True, slots=True)
class ClipRow:
    """One clip of a prepared dataset: a row of `clips.parquet`.

    Attributes:
        id: Unique in the dataset: the source without ending, and `@start` where a file gave several clips.
        source: File it was cut from, relative to the folder that was prepared.
        content_hash: SHA-256 of that file.
        start_seconds: Start in its file, in seconds.
        stop_seconds: End in its file, in seconds.
        frame_seconds: Time of each frame, in seconds from the start of the clip.
        sampling: Rule by which the frames were chosen.
        num_samples: Length of the sound in samples at 16 kHz.
        num_spectrogram_frames: Valid length of the log-mel, that is without padding.
        labels: Its labels.
        is_silent: The sound is below the threshold of the preparation.
        is_still: No part of the picture changes; see `flags.is_still`.
        is_short: At least the duration of one frame is missing at the end; see `flags.is_short`.
        is_duplicate: An earlier file of the list has the same content.
        shard: Tar file in `shards/`.
        frame_offsets: Offset of the JPEG of each frame in the shard, in bytes.
        frame_lengths: Length of each JPEG in bytes.
        sound_offset: Offset of the FLAC file.
        sound_length: Length of the FLAC file.
        log_mel_offset: Offset of the npy file (header and float16 rows).
        log_mel_length: Length of the npy file.
        json_offset: Offset of the JSON description.
        json_length: Length of the JSON description.
    """

    id: str
    source: str
    content_hash: str
    start_seconds: float
    stop_seconds: float
    frame_seconds: tuple[float, ...]
    sampling: str
    num_samples: int
    num_spectrogram_frames: int
    labels: tuple[str, ...]
    is_silent: bool
    is_still: bool
    is_short: bool
    is_duplicate: bool = False  # known only when all files have been read
    shard: str
    frame_offsets: tuple[int, ...]
    frame_lengths: tuple[int, ...]
    sound_offset: int
    sound_length: int
    log_mel_offset: int
    log_mel_length: int
    json_offset: int
    json_length: int


@dataclass(frozen=True, kw_only=True, slots=True)
class Rejected:
    """A file that is not in the dataset, and the reason: a row of `rejected.parquet`.

    Attributes:
        file: Path relative to the folder that was prepared.
        reason: `MediaError.code`; or, for files of the folder that were not tried, "not_media" (by the
            ending), "hidden", "bad_name" or "repeated" (a folder that is listed under another path).
        message: The reason in words.
    """

    file: str
    reason: str
    message: str


def clips_table(rows: Sequence[ClipRow]) -> pa.Table:
    """Table of `CLIPS_SCHEMA` from rows."""
    return pa.Table.from_pylist([asdict(row) for row in rows], schema=CLIPS_SCHEMA)


def passed_over_rows(file: str, notes: Sequence[str]) -> list[Rejected]:
    """Row of `rejected.parquet` for a file that was accepted, if one of its streams was passed over."""
    if not notes:
        return []
    return [Rejected(file=file, reason=PASSED_OVER, message=f"{file}: {'; '.join(notes)}.")]


def count_rejected(rows: Sequence[Rejected]) -> int:
    """Number of rows that are rejected files, and not notes on accepted ones."""
    return sum(row.reason != PASSED_OVER for row in rows)


def rejected_table(rows: Sequence[Rejected]) -> pa.Table:
    """Table of `REJECTED_SCHEMA` from rows."""
    return pa.Table.from_pylist([asdict(row) for row in rows], schema=REJECTED_SCHEMA)


def clip_row(table: pa.Table, index: int) -> ClipRow:
    """Row `index` of a table of `CLIPS_SCHEMA`."""
    values: dict[str, Any] = table.slice(index, 1).to_pylist()[0]
    for name in ("frame_seconds", "labels", "frame_offsets", "frame_lengths"):
        values[name] = tuple(values[name])
    return ClipRow(**values)


def write_table(table: pa.Table, path: Path) -> None:
    """Write a Parquet file, complete or not at all."""
    with written_whole(path) as part:
        pq.write_table(table.combine_chunks(), part, compression="zstd", write_page_checksum=True)


def read_table(path: Path, schema: pa.Schema, *, remedy: str = "Prepare the dataset again.") -> pa.Table:
    """Read the columns of `schema`; other columns, of later versions, are left out.

    Args:
        path: A Parquet file.
        schema: Columns that it must have.
        remedy: Advice for a damaged file, a sentence.

    Raises:
        DatasetError: The file is missing, is not Parquet, lacks a column, or has missing values; names the
            column.
    """
    if not path.is_file():
        raise DatasetError(f"{path} is missing or is not a file. {remedy}")
    try:
        table = _read_columns(path, schema.names).cast(schema).combine_chunks()
    except _DAMAGE as error:
        name = _bad_column(path, schema)
        place = f"{path}, column {name}," if name else str(path)
        raise DatasetError(f"{place} cannot be read: {error}. {remedy}") from error
    if name := column_with_gaps(table):
        raise DatasetError(f"{path}, column {name}, has rows without a value. {remedy}")
    return table


def column_with_gaps(table: pa.Table) -> str | None:
    """First column of a table in which a value, or an element of a list, is missing; None if all exist."""
    for name in table.column_names:
        for chunk in table[name].chunks:
            inner = chunk.flatten() if pa.types.is_list(chunk.type) else chunk
            if chunk.null_count or inner.null_count:
                return name
    return None


def _read_columns(path: Path, names: Sequence[str]) -> pa.Table:
    with pq.ParquetFile(path, page_checksum_verification=True) as file:
        if missing := sorted(set(names) - set(file.schema_arrow.names)):
            raise KeyError(f"no column {missing[0]}")
        return file.read(columns=list(names))


def _bad_column(path: Path, schema: pa.Schema) -> str | None:
    """First column that cannot be read; None if no column at all can be read."""
    bad: list[str] = []
    for name in schema.names:
        try:
            _read_columns(path, [name]).cast(pa.schema([schema.field(name)]))
        except _DAMAGE:
            bad.append(name)
    return bad[0] if 0 < len(bad) < len(schema) else None


def list_hash(table: pa.Table) -> str:
    """SHA-256 of the clips of a table, in order: their ids, hashes of their files, start and stop.

    Two datasets with equal hashes have the same spans of the same videos, however they were prepared.
    """
    columns = table.select(["id", "content_hash", "start_seconds", "stop_seconds"])
    digest = hashlib.sha256()
    for batch in columns.to_batches(max_chunksize=_HASHED_ROWS):
        for clip_id, content, start, stop in zip(*(c.to_pylist() for c in batch.columns), strict=True):
            digest.update(f"{clip_id}\t{content}\t{start:.6f}\t{stop:.6f}\n".encode())
    return digest.hexdigest()
