"""Reading a library: its clips, and their vectors in order or all at once.

N clips, T frames per clip, D width.
"""

import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import pyarrow as pa
import pyarrow.parquet as pq
import torch
from pydantic import BaseModel, Field, ValidationError
from torch import Tensor

from cavmae_sync.data.storage.tables import REJECTED_SCHEMA, read_table
from cavmae_sync.embedding.library.config import LibraryConfig
from cavmae_sync.embedding.library.parts import PartRecord
from cavmae_sync.embedding.library.schema import (
    FACTS_SCHEMA,
    LIBRARY_FILE,
    PARTS_FOLDER,
    REJECTED_FILE,
    ROWS_PER_GROUP,
    SCHEMA_VERSION,
    VECTORS,
    vectors_type,
)
from cavmae_sync.embedding.rows import unit_rows
from cavmae_sync.embedding.types import DatasetEmbeddings
from cavmae_sync.embedding.vector_formats import check_fits
from cavmae_sync.errors import DatasetError
from cavmae_sync.model import CAVMAESync, ModelConfig
from cavmae_sync.untrusted import check_subfolder, checked, read_object, size_inside
from cavmae_sync.weights import weights_fingerprint

_REMEDY: Final = "Copy the library again, or embed it again."


class _Model(BaseModel):
    width: int = Field(gt=0)


class _MadeWith(BaseModel):
    model: _Model


class _Plan(BaseModel):
    config: LibraryConfig
    made_with: _MadeWith
    weights: str


class _Counts(BaseModel):
    num_clips: int = Field(ge=0)


class LibraryRecord(BaseModel):
    """Entries of `library.json` that a reader needs."""

    schema_version: int
    """Version of the format."""
    list_sha256: str
    """Fingerprint of the list of clips."""
    plan: _Plan
    """Model and configuration that made it."""
    counts: _Counts
    """Counts, with the number of clips."""
    parts: list[PartRecord]
    """Parquet files."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Library:
    """Library of vectors in a folder; each method reads only what it returns.

    Attributes:
        folder: Folder of the library.
        record: Content of `library.json`.
        config: Configuration that it was made with.
        num_clips: Number of clips.
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
        """Parquet files, in the order of clips."""
        return tuple(self.folder / PARTS_FOLDER / part["name"] for part in self.record["parts"])

    def was_made_by(self, model: CAVMAESync) -> bool:
        """Whether a model made it: the same weights, with the same inputs (their alignment, for one)."""
        plan = self.record["plan"]
        try:
            made_with = ModelConfig.model_validate(plan["made_with"]["model"])
        except ValidationError:  # of a later version
            return False
        return made_with.inputs == model.config.inputs and plan["weights"] == weights_fingerprint(model)

    def clips(self) -> pa.Table:
        """Table of the clips, without their vectors."""
        facts = [read_table(path, FACTS_SCHEMA, remedy=_REMEDY) for path in self.part_paths]
        return pa.concat_tables([FACTS_SCHEMA.empty_table(), *facts])

    def rejected(self) -> pa.Table:
        """Table of rejected files: file, reason, message."""
        return read_table(self.folder / REJECTED_FILE, REJECTED_SCHEMA, remedy=_REMEDY)

    def batches(
        self, columns: Sequence[str] | None = None, *, num_clips: int = ROWS_PER_GROUP
    ) -> Iterator[pa.RecordBatch]:
        """Rows in order, some clips at a time; only these are in memory.

        Args:
            columns: Names of columns; None for all.
            num_clips: Clips at a time, at most.

        Raises:
            DatasetError: A part is damaged.
        """
        for path in self.part_paths:
            try:
                with pq.ParquetFile(path, memory_map=True, page_checksum_verification=True) as file:
                    names = None if columns is None else list(columns)
                    yield from file.iter_batches(batch_size=num_clips, columns=names)
            except (pa.ArrowException, OSError, ValueError, LookupError) as error:
                raise DatasetError(f"{path} is damaged ({error}). {_REMEDY}") from error

    def vectors(self, *, num_clips: int = ROWS_PER_GROUP) -> Iterator[tuple[Tensor, Tensor]]:
        """Vectors of sounds and of frames, some clips at a time: float32 [N, T, D] each, unit rows."""
        for batch in self.batches(VECTORS, num_clips=num_clips):
            yield self._tensor(batch, "audio"), self._tensor(batch, "visual")

    def embeddings(self) -> DatasetEmbeddings:
        """All vectors, in memory, for retrieval and all else that works on datasets.

        Raises:
            DatasetError: The vectors do not fit into memory.
        """
        frames_per_clip, width = self.config.num_frames, self.record["plan"]["made_with"]["model"]["width"]
        # Two modalities in float32; the parts and the joined tensors are in memory together.
        num_bytes = 2 * 2 * 4 * len(self) * frames_per_clip * width
        check_fits(self.folder, "its vectors", num_bytes)
        parts = list(self.vectors())
        if sum(len(audio_NTD) for audio_NTD, _ in parts) != len(self):
            raise DatasetError(f"{self.folder} has other clips than its {LIBRARY_FILE} says. {_REMEDY}")
        return DatasetEmbeddings(
            audio_NTD=torch.cat([audio_NTD for audio_NTD, _ in parts]),
            visual_NTD=torch.cat([visual_NTD for _, visual_NTD in parts]),
            clip_ids=tuple(self.clips()["id"].to_pylist()),
            labels=((),) * len(self),
            clip_list=self.record["list_sha256"],
            weights=self.record["plan"]["weights"],
            made_with=self.record["plan"]["made_with"],
        )

    def _tensor(self, batch: pa.RecordBatch, name: str) -> Tensor:
        column, width = batch[name], self.record["plan"]["made_with"]["model"]["width"]
        if column.type != vectors_type(width=width, config=self.config) or column.null_count:
            raise DatasetError(
                f"{self.folder}: {name} is {column.type}, not as {LIBRARY_FILE} says. {_REMEDY}"
            )
        flat = torch.from_numpy(column.flatten().flatten().to_numpy(zero_copy_only=False).copy())
        rows_NTD = flat.float().reshape(len(column), self.config.num_frames, width)
        # float16 rounds each number, so that rows are no longer of unit length.
        return rows_NTD if self.config.store == "float32" else unit_rows(rows_NTD)


def open_library(folder: str | os.PathLike[str]) -> Library:
    """Open a library that `embed_library` made.

    Raises:
        DatasetError: The folder is not a library or not finished, its version is later than this program, or
            a part is missing or cut off.
    """
    place = Path(folder)
    path = place / LIBRARY_FILE
    if not path.is_file():
        raise DatasetError(
            f"{place} is not a finished library: it has no {LIBRARY_FILE}. Make it, or finish it, with "
            f"cavmae-sync embed MODEL --videos SOURCE --out {place}."
        )
    record = read_object(path, remedy=_REMEDY)
    found = record.get("schema_version")
    if isinstance(found, int) and found > SCHEMA_VERSION:
        raise DatasetError(
            f"{path} has version {found} of the format; this program reads {SCHEMA_VERSION}. "
            "Update cavmae-sync."
        )
    known = checked(record, LibraryRecord, path=path, remedy=_REMEDY)
    _check_parts(place, known)
    return Library(folder=place, record=record, config=known.plan.config, num_clips=known.counts.num_clips)


def _check_parts(folder: Path, record: LibraryRecord) -> None:
    check_subfolder(folder, PARTS_FOLDER)
    for part in record.parts:
        path = folder / PARTS_FOLDER / part.name
        try:
            found = size_inside(str(path.parent), part.name)
        except FileNotFoundError:
            found = None
        if found != part.num_bytes:
            state = "is missing" if found is None else f"has {found} bytes, {part.num_bytes} are needed"
            raise DatasetError(f"{path} {state}. Copy the library again, or embed it again.")
