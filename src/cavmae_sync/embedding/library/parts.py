"""Parts of a library: the rows of a unit on their way to disk, in memory that does not grow with the unit.

Pieces are appended to an unfinished file of the unit as they come. After the last one, the rows of damaged
files are left out, and the rest becomes the unit's part of the library.

A run that is stopped leaves its unfinished file. The next run decodes the unit again, which is cheap, but
takes the rows of pieces that were already encoded from that file: hours of work on a long video are kept.
"""

import hashlib
import json
import uuid
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa

from cavmae_sync.atomic import PART_SUFFIX, write_text, written_whole
from cavmae_sync.data import Rejected
from cavmae_sync.data.storage.tables import PASSED_OVER, rejected_table, write_table
from cavmae_sync.embedding.library.pieces import DecodedPiece, EncodedPiece, LibraryUnit
from cavmae_sync.embedding.library.schema import PARTS_FOLDER, ROWS_PER_GROUP, open_part
from cavmae_sync.work.units import UnitResult


@dataclass(frozen=True, kw_only=True, slots=True)
class PartRecord:
    """Record of a finished unit: `work/NNNNNN.json`.

    Attributes:
        name: File name of its part in `parts/`.
        num_clips: Rows of the part.
        num_bytes: Size of the file.
        sha256: SHA-256 of the file.
    """

    name: str
    num_clips: int
    num_bytes: int
    sha256: str

    def to_dict(self) -> dict[str, Any]:
        """The record as JSON values."""
        return asdict(self)


class UnitParts:
    """Collector of the pieces of one unit, in order, which writes the unit's part of the library.

    Args:
        unit: The unit.
    """

    def __init__(self, unit: LibraryUnit) -> None:
        self.unit = unit
        self._next = 0
        self._rejected: list[Rejected] = []
        # A random name: another machine may be working on the same unit.
        self._path = unit.work_file(f"rows.{uuid.uuid4().hex}{PART_SUFFIX}")
        self._file: pa.OSFile | None = None
        self._rows: pa.RecordBatchStreamWriter | None = None
        self._left_over = _read_left_over(unit)

    def left_over(self, piece: DecodedPiece) -> EncodedPiece | None:
        """The piece as an earlier run encoded it, or None. Must be called for each piece, in order."""
        batch = next(self._left_over, None)
        if batch is None or not _is_of(batch, piece):
            self._left_over = iter(())
            return None
        return EncodedPiece(
            unit_index=piece.unit_index,
            number=piece.number,
            is_last=piece.is_last,
            rows=pa.Table.from_batches([batch]),
            num_files=piece.num_files,
            rejected=piece.rejected,
        )

    def add(self, piece: EncodedPiece) -> UnitResult | None:
        """Add the next piece; the last one finishes the unit and gives its result.

        Raises:
            ValueError: The piece is not the next one of this unit.
        """
        if (piece.unit_index, piece.number) != (self.unit.index, self._next):
            raise ValueError(
                f"piece {piece.number} of unit {piece.unit_index} came where piece {self._next} of "
                f"unit {self.unit.index} is next: pieces of a unit must come in order"
            )
        self._next += 1
        self._rejected += piece.rejected
        if self._rows is None:
            self._file = pa.OSFile(str(self._path), "wb")
            self._rows = pa.ipc.new_stream(self._file, piece.rows.schema)
        self._rows.write_table(piece.rows)
        return self._finish(piece.rows.schema) if piece.is_last else None

    def close(self) -> None:
        """Close the unfinished file; the next run goes on from it."""
        for each in (self._rows, self._file):
            if each is not None:
                each.close()
        self._rows = self._file = None

    def _finish(self, schema: pa.Schema) -> UnitResult:
        self.close()
        unit = self.unit
        path = unit.out / PARTS_FOLDER / f"part-{unit.index:06d}.parquet"
        num_clips = 0
        with written_whole(path) as part, open_part(part, schema) as writer:
            for rows in self._groups(schema):
                writer.write_table(rows, row_group_size=ROWS_PER_GROUP)
                num_clips += len(rows)
        self._path.unlink()
        record = PartRecord(
            name=path.name, num_clips=num_clips, num_bytes=path.stat().st_size, sha256=_sha256(path)
        )
        write_table(rejected_table(self._rejected), unit.work_file("rejected.parquet"))
        write_text(unit.work_file("json"), json.dumps(record.to_dict()))
        return UnitResult(num_files=unit.num_files, num_clips=num_clips, num_rejected=len(self._refused()))

    def _refused(self) -> set[str]:
        return {rejected.file for rejected in self._rejected if rejected.reason != PASSED_OVER}

    def _groups(self, schema: pa.Schema) -> Iterator[pa.Table]:
        """Rows of accepted files, one row group at a time."""
        refused = self._refused()
        waiting = schema.empty_table()
        with pa.OSFile(str(self._path)) as file, pa.ipc.open_stream(file) as batches:
            for batch in batches:
                rows = pa.Table.from_batches([batch])
                if refused:
                    is_taken = [source not in refused for source in rows["source"].to_pylist()]
                    rows = rows.filter(pa.array(is_taken, pa.bool_()))
                waiting = pa.concat_tables([waiting, rows])
                while len(waiting) >= ROWS_PER_GROUP:
                    yield waiting.slice(0, ROWS_PER_GROUP).combine_chunks()
                    waiting = waiting.slice(ROWS_PER_GROUP)
        if len(waiting):
            yield waiting.combine_chunks()


def _read_left_over(unit: LibraryUnit) -> Iterator[pa.RecordBatch]:
    """Whole pieces of a run that was stopped; of several such runs, those of the one that came farthest.

    The file is only read, so a run that is still working on it elsewhere is not disturbed.
    """
    pattern = unit.work_file(f"rows.*{PART_SUFFIX}")
    found = sorted(pattern.parent.glob(pattern.name), key=lambda path: path.stat().st_size)
    try:
        if found:
            with pa.OSFile(str(found[-1])) as file, pa.ipc.open_stream(file) as batches:
                for batch in batches:
                    batch.validate(full=True)  # offsets that point outside would end the process
                    yield batch
    except (pa.ArrowException, OSError, ValueError, MemoryError):
        return  # cut off in the middle of a piece, or damaged


def _is_of(batch: pa.RecordBatch, piece: DecodedPiece) -> bool:
    names = ("id", "content_hash", "start_seconds")
    found = list(zip(*(batch[name].to_pylist() for name in names), strict=True))
    return found == [tuple(facts[name] for name in names) for facts in piece.facts]


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
