"""Reading parts: the clips of one content, with their vectors, as they lie in the file.

F moments of a whole file, D width.
"""

import os
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Final

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from cavmae_sync.embedding.library.catalogue import ContentRow
from cavmae_sync.embedding.library.parts import count_part
from cavmae_sync.embedding.library.record import LibraryRecord
from cavmae_sync.embedding.library.schema import (
    FACTS_SCHEMA,
    SENSES,
    Sense,
    about_of,
    part_path,
    part_schema,
)
from cavmae_sync.errors import DatasetError
from cavmae_sync.untrusted import open_inside

#: What damaged files make pyarrow raise.
_DAMAGE: Final = (pa.ArrowException, OSError, ValueError, KeyError, MemoryError)
_REMEDY: Final = "Delete it and run cavmae-sync index update, which makes it again."


@dataclass(frozen=True)
class Part:
    """Clips of one content, with their vectors.

    Attributes:
        content: SHA-256 of the file that they come from.
        rows: Their table: facts and vectors.
    """

    content: str
    rows: pa.Table

    def __len__(self) -> int:
        """Number of clips."""
        return len(self.rows)

    @property
    def facts(self) -> pa.Table:
        """Table of the clips without vectors."""
        return self.rows.select(FACTS_SCHEMA.names)

    @cached_property
    def frames_per_clip(self) -> NDArray[np.int64]:
        """Number of moments of each clip."""
        column = self.rows["frame_seconds"].combine_chunks()
        return np.diff(column.offsets.to_numpy()).astype(np.int64)

    @cached_property
    def moment_seconds(self) -> NDArray[np.float64]:
        """Time of each moment on the file's timeline, clip after clip."""
        inner = self.rows["frame_seconds"].combine_chunks().flatten().to_numpy()
        return inner + np.repeat(self.rows["start_seconds"].to_numpy(), self.frames_per_clip)

    def vectors(self, sense: Sense) -> NDArray[np.floating] | None:
        """Vectors of one sense, [F, D] as they are stored, clip after clip; None where the content lacks it.

        Raises:
            DatasetError: They are not what the other columns say, or not unit vectors.
        """
        column = self.rows[sense].combine_chunks()
        if column.null_count == len(column):
            return None
        width = column.type.value_type.list_size
        flat = column.flatten().flatten().to_numpy(zero_copy_only=True)
        rows_FD = flat.reshape(-1, width)
        lengths = np.linalg.norm(rows_FD.astype(np.float32), axis=1)
        if len(rows_FD) != len(self.moment_seconds) or not (np.abs(lengths - 1) < _UNIT_TOLERANCE).all():
            raise DatasetError(
                f"The part {self.content} holds {sense} vectors that are not of unit length, or too few. "
                f"{_REMEDY}"
            )
        return rows_FD

    def flags(self, name: str) -> NDArray[np.bool_]:
        """A flag of each moment: that of its clip; False where it is not known."""
        values = np.array([value is True for value in self.rows[name].to_pylist()])
        return np.repeat(values, self.frames_per_clip)


#: How far the length of a stored vector may be from 1: float16 rounds each number.
_UNIT_TOLERANCE: Final = 0.01


def read_part(folder: Path, content: str, record: LibraryRecord) -> Part:
    """Read the part of a content.

    The file is mapped into memory: only what is used is read.

    Args:
        folder: Folder of the library.
        content: SHA-256 of the file that its clips come from.
        record: What made the library.

    Raises:
        DatasetError: It is missing or damaged, or something else made it.
    """
    path = part_path(folder, content)
    try:
        descriptor, _ = open_inside(path.parent, path.name)
        os.close(descriptor)
        with pa.memory_map(str(path)) as file, pa.ipc.open_file(file) as batches:
            schema, about = batches.schema.remove_metadata(), about_of(batches.schema)
            if schema != part_schema(width=record.encoder.width, config=record.config):
                raise ValueError("its columns are others than library.json says")
            if about.get("content") != content or about.get("made_by") != record.fingerprint:
                raise ValueError("it was made by another model or configuration, or of another file")
            found = [batches.get_batch(number) for number in range(batches.num_record_batches)]
            for batch in found:
                batch.validate(full=True)  # offsets that point outside would end the process
        rows = pa.Table.from_batches(found, schema)
    except FileNotFoundError:
        raise DatasetError(
            f"{path} is missing. Run cavmae-sync index update, which makes it again."
        ) from None
    except _DAMAGE as error:
        raise DatasetError(f"{path} is damaged: {error}. {_REMEDY}") from error
    if any(rows[name].null_count for name in ("id", "start_seconds", "stop_seconds", "frame_seconds")):
        raise DatasetError(f"{path} has rows without a value. {_REMEDY}")
    return Part(content=content, rows=rows)


def counted_part(folder: Path, content: str, record: LibraryRecord) -> ContentRow:
    """Counts of a part, for the catalogue.

    Raises:
        DatasetError: As `read_part`.
    """
    part = read_part(folder, content, record)
    size = part_path(folder, content).stat().st_size
    return count_part(content, iter(part.rows.to_batches()), num_bytes=size)


def has_sense(row: ContentRow, sense: Sense) -> bool:
    """Whether a content has a sense."""
    assert sense in SENSES
    return row.has_audio if sense == "audio" else row.has_visual
