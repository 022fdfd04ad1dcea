"""Rows for search engines that exist (Milvus, LanceDB, Qdrant, pgvector), and questions to ask them.

An engine proposes places by one vector each. `LibrarySearch.rank` then orders them by their exact scores, so
that libraries far beyond a million clips can be searched on the machines where the engine runs.

W windows, N moments of a query, D width.
"""

from collections.abc import Iterator, Sequence
from importlib import import_module
from pathlib import Path
from typing import Any, Final, Literal

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from cavmae_sync.atomic import written_whole
from cavmae_sync.embedding.library import Library
from cavmae_sync.embedding.library.schema import SENSES, Sense, clip_id
from cavmae_sync.errors import ConfigError
from cavmae_sync.search.contents import HeldContents
from cavmae_sync.search.derive import OnProgress, derive_timelines
from cavmae_sync.search.query import Query
from cavmae_sync.search.timeline import Timelines
from cavmae_sync.search.windows import (
    SHORT_QUERY,
    WINDOW_PLACES,
    places_as_windows,
    query_windows,
    windows_of,
)

#: Kinds of rows: means of four moments for long questions, single moments for short ones.
RowKind = Literal["windows", "moments"]

_ROWS_PER_GROUP: Final = 4096


def engine_schema(width: int) -> pa.Schema:
    """Columns of rows for engines: where a window is, and its vector, float32, of length 1 or less."""
    texts = ("id", "content", "root", "source", "sense")
    return pa.schema(
        [
            *(pa.field(name, pa.string(), nullable=False) for name in texts),
            pa.field("start_seconds", pa.float64(), nullable=False),
            pa.field("stop_seconds", pa.float64(), nullable=False),
            pa.field("vector", pa.list_(pa.float32(), width), nullable=False),
        ]
    )


def export_engine_rows(
    library: Library, path: Path, kind: RowKind, *, on_progress: OnProgress | None = None
) -> int:
    """Write rows of a library for engines: Parquet, or Lance by its ending. Returns their number.

    Memory does not grow with the library.

    Args:
        library: The library.
        path: Where; .parquet or .lance.
        kind: Which rows.
        on_progress: Called after each content.

    Raises:
        ConfigError: Lance is asked for and missing.
    """
    with library.catalogue() as catalogue:
        held = HeldContents(catalogue)
    timelines = derive_timelines(library, held, None)
    schema, count = engine_schema(timelines.width), 0

    def batches() -> Iterator[pa.RecordBatch]:
        nonlocal count
        for number, content in enumerate(timelines.contents):
            if content in held:
                for sense in SENSES:
                    batch = _rows(timelines, held, number, sense, kind, schema)
                    count += len(batch)
                    yield batch
            if on_progress is not None:
                on_progress(number + 1, len(timelines.contents))

    if path.suffix == ".lance":
        lance = _load_lance()
        lance.write_dataset(pa.RecordBatchReader.from_batches(schema, batches()), str(path))
        return count
    texts = [field.name for field in schema if pa.types.is_string(field.type)]
    with (
        written_whole(path) as unfinished,
        # The numbers of vectors do not repeat: a dictionary of them would only make the file larger.
        pq.ParquetWriter(unfinished, schema, compression="zstd", use_dictionary=texts) as writer,
    ):
        for batch in batches():
            writer.write_batch(batch, row_group_size=_ROWS_PER_GROUP)
    return count


def engine_questions(query: Query, sense: Sense, kind: RowKind) -> list[tuple[float, NDArray[np.float32]]]:
    """Vectors to ask an engine with, each with its time in the query.

    Where a row is found, the query begins at `start_seconds` of the row less this time.

    Args:
        query: The query.
        sense: Sense of the rows that are asked.
        kind: Kind of the rows.

    Raises:
        ConfigError: The query is too short for windows.
    """
    rows_ND = query.rows.get(sense, next(iter(query.rows.values())))
    is_short = kind == "moments"
    if not is_short and len(rows_ND) <= SHORT_QUERY:
        raise ConfigError(
            f"The query has {len(rows_ND)} moments; windows are for more than {SHORT_QUERY}. Ask rows of "
            "moments."
        )
    means_QD, starts_Q = (rows_ND, np.arange(len(rows_ND))) if is_short else query_windows(rows_ND)
    times = query.first_seconds + starts_Q * query.step_seconds - query.step_seconds / 2
    return [(float(time), vector_D) for time, vector_D in zip(times, means_QD, strict=True) if vector_D.any()]


def _rows(
    timelines: Timelines, held: HeldContents, number: int, sense: Sense, kind: RowKind, schema: pa.Schema
) -> pa.RecordBatch:
    first, count = int(timelines.first_C[number]), int(timelines.count_C[number])
    rows_GD = timelines.mapped(sense)[first : first + count]
    if kind == "moments":
        found, length = places_as_windows(rows_GD, np.asarray(rows_GD.any(axis=1))), 1
    else:
        found = windows_of(rows_GD, first_C=np.array([0]), count_C=np.array([count]))
        length = WINDOW_PLACES
    content, step = timelines.contents[number], timelines.step_seconds
    place = held.places(content)[0]
    middle_W = np.array([timelines.seconds_of(number, float(at)) for at in found.place_W], np.float64)
    start_W, stop_W = middle_W - step / 2, middle_W + (np.minimum(length, count - found.place_W) - 0.5) * step
    size = len(found.place_W)
    texts: dict[str, Sequence[str]] = {
        "id": [f"{clip_id(content, start)}/{sense}" for start in start_W],
        "content": [content] * size,
        "root": [place.root] * size,
        "source": [place.path] * size,
        "sense": [sense] * size,
    }
    flat = pa.array(found.rows_WD.astype(np.float32).reshape(-1))
    vectors = pa.FixedSizeListArray.from_arrays(flat, timelines.width)
    arrays = [*(pa.array(each, pa.string()) for each in texts.values()), pa.array(start_W), pa.array(stop_W)]
    return pa.RecordBatch.from_arrays([*arrays, vectors], schema=schema)


def _load_lance() -> Any:
    try:
        return import_module("lance")
    except ImportError as error:
        raise ConfigError("A Lance dataset needs the package pylance: pip install pylance.") from error
