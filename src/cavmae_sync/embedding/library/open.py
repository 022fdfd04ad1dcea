"""A library of vectors, opened: its clips, and their vectors in order or all at once.

N clips, T frames per clip, D width.
"""

import json
import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import torch
from torch import Tensor

from cavmae_sync.data.manifest import REJECTED_SCHEMA, read_table
from cavmae_sync.embedding.library.config import LibraryConfig
from cavmae_sync.embedding.library.schema import (
    FACTS_SCHEMA,
    LIBRARY_FILE,
    PARTS_FOLDER,
    REJECTED_FILE,
    ROWS_PER_GROUP,
    SCHEMA_VERSION,
    VECTORS,
)
from cavmae_sync.embedding.outside_files import check_fits
from cavmae_sync.embedding.rows import unit_rows
from cavmae_sync.embedding.types import DatasetEmbeddings
from cavmae_sync.errors import DatasetError


@dataclass(frozen=True, kw_only=True, slots=True)
class Library:
    """Vectors of clips in a folder. Nothing is read before it is asked for.

    Attributes:
        folder: Where it is.
        record: `library.json`.
        config: Which clips, and how their vectors are stored.
        num_clips: How many.
    """

    folder: Path
    record: dict[str, Any]
    config: LibraryConfig
    num_clips: int

    def __len__(self) -> int:
        """Number of clips."""
        return self.num_clips

    @property
    def part_paths(self) -> tuple[Path, ...]:
        """Its Parquet files, in the order of clips."""
        return tuple(self.folder / PARTS_FOLDER / part["name"] for part in self.record["parts"])

    def clips(self) -> pa.Table:
        """What is known of each clip, without vectors."""
        facts = [pq.read_table(path, columns=FACTS_SCHEMA.names) for path in self.part_paths]
        return pa.concat_tables([FACTS_SCHEMA.empty_table(), *facts])

    def rejected(self) -> pa.Table:
        """Files that gave nothing: file, reason, message."""
        return read_table(self.folder / REJECTED_FILE, REJECTED_SCHEMA)

    def batches(
        self, columns: Sequence[str] | None = None, *, num_clips: int = ROWS_PER_GROUP
    ) -> Iterator[pa.RecordBatch]:
        """Rows in order, some clips at a time; memory holds no more.

        Args:
            columns: Which; None for all.
            num_clips: Clips at a time, at most.

        Raises:
            DatasetError: A part is damaged.
        """
        for path in self.part_paths:
            try:
                with pq.ParquetFile(path, memory_map=True) as file:
                    names = None if columns is None else list(columns)
                    yield from file.iter_batches(batch_size=num_clips, columns=names)
            except (pa.ArrowException, OSError) as error:
                raise DatasetError(f"{path} is damaged ({error}). Embed the library again.") from error

    def vectors(self, *, num_clips: int = ROWS_PER_GROUP) -> Iterator[tuple[Tensor, Tensor]]:
        """Vectors of sound and of picture, some clips at a time: float32 [N, T, D] each, unit rows."""
        for batch in self.batches(VECTORS, num_clips=num_clips):
            yield self._tensor(batch["audio"]), self._tensor(batch["visual"])

    def embeddings(self) -> DatasetEmbeddings:
        """All vectors in memory, for retrieval and everything else that works on datasets.

        Raises:
            DatasetError: They do not fit into memory.
        """
        frames_per_clip, width = self.config.num_frames, self.record["plan"]["made_with"]["model"]["width"]
        num_bytes = 2 * 2 * 4 * len(self) * frames_per_clip * width  # two senses; parts, then whole
        check_fits(self.folder, "its vectors", num_bytes)
        parts = list(self.vectors())
        return DatasetEmbeddings(
            audio_NTD=torch.cat([audio_NTD for audio_NTD, _ in parts]),
            visual_NTD=torch.cat([visual_NTD for _, visual_NTD in parts]),
            clip_ids=tuple(self.clips()["id"].to_pylist()),
            labels=((),) * len(self),
            clip_list=self.record["list_sha256"],
            weights=self.record["plan"]["weights"],
            made_with=self.record["plan"]["made_with"],
        )

    def _tensor(self, column: pa.Array) -> Tensor:
        width = column.type.value_type.list_size
        flat = torch.from_numpy(column.flatten().flatten().to_numpy(zero_copy_only=False).copy())
        rows_NTD = flat.float().reshape(len(column), self.config.num_frames, width)
        return rows_NTD if self.config.store == "float32" else unit_rows(rows_NTD)


def open_library(folder: str | os.PathLike[str]) -> Library:
    """Open what `embed_library` made.

    Raises:
        DatasetError: It is no library, not finished, of a later version, or a part is missing or cut off.
    """
    place = Path(folder)
    path = place / LIBRARY_FILE
    if not path.is_file():
        raise DatasetError(
            f"{place} is no finished library: it has no {LIBRARY_FILE}. Make it, or go on making it, with "
            f"cavmae-sync embed MODEL --videos SOURCE --out {place}."
        )
    try:
        record = json.loads(path.read_text(encoding="utf-8"))
        if record["schema_version"] > SCHEMA_VERSION:
            raise DatasetError(
                f"{path} has version {record['schema_version']} of the format, this is for "
                f"{SCHEMA_VERSION}. Update cavmae-sync."
            )
        library = Library(
            folder=place,
            record=record,
            config=LibraryConfig(**record["plan"]["config"]),
            num_clips=record["counts"]["num_clips"],
        )
        sizes = [part["num_bytes"] for part in record["parts"]]
    except (ValueError, KeyError, TypeError) as error:
        raise DatasetError(f"{path} is not what it should be ({error!r}). Make the library again.") from error
    for part, num_bytes in zip(library.part_paths, sizes, strict=True):
        found = part.stat().st_size if part.is_file() else None
        if found != num_bytes:
            state = "is missing" if found is None else f"has {found} bytes, {num_bytes} are needed"
            raise DatasetError(f"{part} {state}. Copy the library again, or embed it again.")
    return library
