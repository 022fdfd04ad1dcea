"""Tables of a library: one row per clip, with its vectors.

Columns are only ever added, never renamed or given another meaning; otherwise the schema version rises.

P frames of all clips of a table, T frames per clip, D width.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

import pyarrow as pa
import pyarrow.parquet as pq
from torch import Tensor

from cavmae_sync.embedding.library.config import LibraryConfig

SCHEMA_VERSION: Final = 1
LIBRARY_FILE: Final = "library.json"
PARTS_FOLDER: Final = "parts"
REJECTED_FILE: Final = "rejected.parquet"

#: Columns of vectors, of sounds and of frames: [T, D] each.
VECTORS: Final = ("audio", "visual")
#: Rows of a row group: they are compressed together and can be read together.
ROWS_PER_GROUP: Final = 256

_NUMBERS: Final = {"float32": pa.float32(), "float16": pa.float16()}
#: Columns of a clip that are not vectors, with the meaning they have in a prepared dataset's `clips.parquet`.
FACTS_SCHEMA: Final = pa.schema(
    [
        pa.field("id", pa.string(), nullable=False),
        pa.field("source", pa.string(), nullable=False),
        pa.field("content_hash", pa.string(), nullable=False),
        pa.field("start_seconds", pa.float64(), nullable=False),
        pa.field("stop_seconds", pa.float64(), nullable=False),
        pa.field("frame_seconds", pa.list_(pa.float64()), nullable=False),
        pa.field("is_silent", pa.bool_(), nullable=False),
        pa.field("is_still", pa.bool_(), nullable=False),
        pa.field("is_short", pa.bool_(), nullable=False),
    ]
)


def library_schema(*, width: int, config: LibraryConfig) -> pa.Schema:
    """Columns of every part: facts of a clip, and its vectors.

    Args:
        width: D.
        config: Frames per clip and kind of number.
    """
    vectors = vectors_type(width=width, config=config)
    return pa.schema([*FACTS_SCHEMA, *(pa.field(name, vectors, nullable=False) for name in VECTORS)])


def vectors_type(*, width: int, config: LibraryConfig) -> pa.DataType:
    """Type of a column of vectors.

    Args:
        width: D.
        config: Frames per clip and kind of number.
    """
    return pa.list_(pa.list_(_NUMBERS[config.store], width), config.num_frames)


def rows_table(
    facts: Sequence[dict[str, Any]], audio_PD: Tensor, visual_PD: Tensor, *, config: LibraryConfig
) -> pa.Table:
    """Table of `library_schema` with one row per clip.

    Args:
        facts: For each clip the columns that are not vectors; other entries are left out.
        audio_PD: float32, T rows of the first clip, then of the second.
        visual_PD: The same for frames.
        config: Frames per clip and kind of number.
    """
    schema = library_schema(width=audio_PD.shape[1], config=config)
    columns = [pa.array([row[field.name] for row in facts], field.type) for field in FACTS_SCHEMA]
    vectors = [_nested(rows_PD, config=config) for rows_PD in (audio_PD, visual_PD)]
    return pa.Table.from_arrays([*columns, *vectors], schema=schema)


def _nested(rows_PD: Tensor, *, config: LibraryConfig) -> pa.Array:
    flat = pa.array(rows_PD.numpy().reshape(-1).astype(config.store))
    frames = pa.FixedSizeListArray.from_arrays(flat, rows_PD.shape[1])
    return pa.FixedSizeListArray.from_arrays(frames, config.num_frames)


def open_part(path: Path, schema: pa.Schema) -> pq.ParquetWriter:
    """Writer of a Parquet file of this schema."""
    places = [f"{name}.list.element.list.element" for name in VECTORS]
    facts = [
        *(field.name for field in FACTS_SCHEMA if field.name != "frame_seconds"),
        "frame_seconds.list.element",
    ]
    # The numbers of vectors do not repeat: a dictionary of them would only make the file larger. Compression
    # would make it 7 percent smaller (measured), and slower to read.
    return pq.ParquetWriter(
        path,
        schema,
        compression=dict.fromkeys(facts, "zstd") | dict.fromkeys(places, "none"),
        use_dictionary=[name for name in facts if name in {"source", "content_hash"}],
        write_statistics=facts,
        write_page_checksum=True,
    )
