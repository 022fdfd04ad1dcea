"""Parts of a library: the clips of one content, with their vectors, as an Arrow file.

    LIBRARY/parts/9f/9f86d081....arrow     name: SHA-256 of the file that the clips come from

A part depends on the content, the model and the configuration alone, not on where the file lies or what it is
called. Rows of a part can be addressed without reading the others. Columns are only ever added, never renamed
or given another meaning; otherwise the schema version rises.

F moments of a whole file, T moments of a clip, D width.
"""

import json
import re
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, Final, Literal

import numpy as np
import pyarrow as pa
from torch import Tensor

from cavmae_sync.atomic import written_whole
from cavmae_sync.embedding.library.config import LibraryConfig
from cavmae_sync.untrusted import parse_json

SCHEMA_VERSION: Final = 2
LIBRARY_FILE: Final = "library.json"
CATALOGUE_FILE: Final = "catalogue.sqlite"
PARTS_FOLDER: Final = "parts"
WORK_FOLDER: Final = "work"
#: Folder of what is made from the rest, and may be deleted at any time.
DERIVED_FOLDER: Final = "derived"

Sense = Literal["audio", "visual"]
#: Columns of vectors: of the sounds around moments, and of frames.
SENSES: Final[tuple[Sense, Sense]] = ("audio", "visual")
#: Clips of a record batch: bounds the memory of writing. Most files have fewer, and so one batch.
ROWS_PER_BATCH: Final = 256

_NUMBERS: Final = {"float32": pa.float32(), "float16": pa.float16()}
_METADATA: Final = b"cavmae_sync"
_CONTENT: Final = re.compile(r"[0-9a-f]{64}")
#: Hexadecimal digits of a content in the id of a clip: two contents with equal ones do not happen.
_ID_DIGITS: Final = 32

#: Columns of a clip that are not vectors. What a missing sense would say is missing too.
FACTS_SCHEMA: Final = pa.schema(
    [
        pa.field("id", pa.string(), nullable=False),
        pa.field("start_seconds", pa.float64(), nullable=False),
        pa.field("stop_seconds", pa.float64(), nullable=False),
        pa.field("frame_seconds", pa.list_(pa.float64()), nullable=False),
        pa.field("is_silent", pa.bool_()),
        pa.field("is_still", pa.bool_()),
        pa.field("is_short", pa.bool_(), nullable=False),
    ]
)


def clip_id(content: str, start_seconds: float) -> str:
    """Id of a clip: it follows from the content and the place in it, wherever the file lies.

    >>> clip_id("9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08", 10.0)
    '9f86d081884c7d659a2feaa0c55ad015@10.000'
    """
    return f"{content[:_ID_DIGITS]}@{start_seconds:.3f}"


def is_content(name: str) -> bool:
    """Whether a name is a SHA-256 in hexadecimal digits, and so can be the name of a part."""
    return _CONTENT.fullmatch(name) is not None


def part_path(folder: Path, content: str) -> Path:
    """Place of a part.

    Raises:
        ValueError: The name of the content could lead elsewhere.
    """
    if not is_content(content):
        raise ValueError(f"{content!r:.80} is not a SHA-256")
    return folder / PARTS_FOLDER / content[:2] / f"{content}.arrow"


def part_schema(*, width: int, config: LibraryConfig) -> pa.Schema:
    """Columns of every part: facts of a clip, and its vectors. A sense that the content lacks is null."""
    vectors = pa.list_(pa.list_(_NUMBERS[config.store], width))
    return pa.schema([*FACTS_SCHEMA, *(pa.field(name, vectors) for name in SENSES)])


def rows_batch(
    facts: Sequence[dict[str, Any]],
    vectors: dict[Sense, Tensor | None],
    *,
    width: int,
    config: LibraryConfig,
) -> pa.RecordBatch:
    """Rows of `part_schema`, one per clip.

    Args:
        facts: For each clip the columns that are not vectors; other entries are left out.
        vectors: For each sense float32 [F, D], those of the first clip, then of the second; or None.
        width: D.
        config: Kind of number.
    """
    columns: list[pa.Array] = [
        pa.array([row[field.name] for row in facts], field.type) for field in FACTS_SCHEMA
    ]
    counts = [len(row["frame_seconds"]) for row in facts]
    schema = part_schema(width=width, config=config)
    for name in SENSES:
        rows_FD = vectors[name]
        if rows_FD is None:
            columns.append(pa.nulls(len(facts), schema.field(name).type))
            continue
        flat = pa.array(rows_FD.numpy().reshape(-1).astype(config.store))
        frames = pa.FixedSizeListArray.from_arrays(flat, width)
        offsets = pa.array(np.concatenate([[0], np.cumsum(counts)]).astype(np.int32))
        columns.append(pa.ListArray.from_arrays(offsets, frames))
    return pa.RecordBatch.from_arrays(columns, schema=schema)


def write_part(
    path: Path, batches: Iterable[pa.RecordBatch], *, schema: pa.Schema, about: dict[str, Any]
) -> int:
    """Write a part, whole or not at all; the same rows give the same bytes. Returns the number of rows.

    Args:
        path: Where it belongs; see `part_path`.
        batches: Its rows, in any division.
        schema: Columns.
        about: JSON values that travel with the file: what made it, of which content.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    told = schema.with_metadata({_METADATA: json.dumps(about, sort_keys=True).encode()})
    num_rows = 0
    with written_whole(path) as part, pa.OSFile(str(part), "wb") as file, pa.ipc.new_file(file, told) as out:
        for table in _divided(batches, schema):
            out.write_batch(table.combine_chunks().to_batches()[0].replace_schema_metadata(told.metadata))
            num_rows += len(table)
    return num_rows


def about_of(schema: pa.Schema) -> dict[str, Any]:
    """JSON values that `write_part` was given about a part; empty where it is something else.

    Raises:
        ValueError: It is not JSON.
    """
    told = (schema.metadata or {}).get(_METADATA)
    found: object = None if told is None else parse_json(told)
    return dict(found) if isinstance(found, dict) else dict[str, Any]()


def _divided(batches: Iterable[pa.RecordBatch], schema: pa.Schema) -> Iterable[pa.Table]:
    """The same rows in tables of `ROWS_PER_BATCH`, however they came."""
    waiting = schema.empty_table()
    for batch in batches:
        waiting = pa.concat_tables([waiting, pa.Table.from_batches([batch])])
        while len(waiting) >= ROWS_PER_BATCH:
            yield waiting.slice(0, ROWS_PER_BATCH)
            waiting = waiting.slice(ROWS_PER_BATCH)
    if len(waiting):
        yield waiting
