"""A library as one Parquet file, for other programs."""

from pathlib import Path
from typing import Final

import pyarrow as pa
import pyarrow.parquet as pq

from cavmae_sync.atomic import written_whole
from cavmae_sync.embedding.library.open import CLIPS_SCHEMA, Library, with_place
from cavmae_sync.embedding.library.schema import SENSES, part_schema

#: Rows of a row group: they are compressed together and can be read together.
_ROWS_PER_GROUP: Final = 256


def export_clips(library: Library, path: Path) -> int:
    """Write one row for each clip: where it is, its facts, and its vectors. Returns the number of rows.

    Memory does not grow with the library.

    Raises:
        DatasetError: A part is missing or damaged.
    """
    stored = part_schema(width=library.record.encoder.width, config=library.config)
    schema = pa.schema([*CLIPS_SCHEMA, *(stored.field(name) for name in SENSES)])
    with library.catalogue() as catalogue:
        first = {row.content: row for row in reversed(catalogue.files(state="ok"))}
    num_rows = 0
    with (
        written_whole(path) as unfinished,
        # The numbers of vectors do not repeat: a dictionary of them would only make the file larger.
        pq.ParquetWriter(
            unfinished, schema, compression="zstd", use_dictionary=["root", "source", "content_hash"]
        ) as writer,
    ):
        for part in library.parts():
            table = with_place(part, first[part.content])
            for name in SENSES:
                table = table.append_column(stored.field(name), part.rows[name])
            writer.write_table(table, row_group_size=_ROWS_PER_GROUP)
            num_rows += len(table)
    return num_rows
