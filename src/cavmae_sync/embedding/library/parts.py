"""Rows of a content on their way to its part.

Encoded pieces go into one unfinished file per content at once, so a run that is killed in the middle of a
long file goes on there. When a content is complete, its rows become the part, and the unfinished file goes.

    work/9f86d081....RANDOM.part    encoded pieces of an unfinished content
    parts/9f/9f86d081....arrow      rows of a finished one
"""

import uuid
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import pyarrow as pa

from cavmae_sync.atomic import PART_SUFFIX
from cavmae_sync.data import Rejected
from cavmae_sync.embedding.library.catalogue import ContentRow
from cavmae_sync.embedding.library.pieces import DecodedPiece, EncodedPiece, LibraryUnit, PieceHead
from cavmae_sync.embedding.library.schema import SENSES, WORK_FOLDER, part_path, write_part


@dataclass(frozen=True, kw_only=True, slots=True)
class FileResult:
    """Result of a file.

    Attributes:
        unit_index: Number of the file.
        content: SHA-256 of it; empty where it could not be read.
        num_bytes: Size when it was read; None where that is not known.
        changed_ns: Time of its last change then.
        rejected: Why it cannot be used, or None.
        notes: Streams that were passed over, in words.
        row: What its part holds, if this run made the part.
    """

    unit_index: int
    content: str
    num_bytes: int | None
    changed_ns: int | None
    rejected: Rejected | None
    notes: tuple[str, ...]
    row: ContentRow | None = None

    @classmethod
    def of(cls, head: PieceHead, row: ContentRow | None = None) -> "FileResult":
        """The result of a file whose last piece is this one."""
        return cls(
            unit_index=head.unit_index,
            content=head.content,
            num_bytes=head.num_bytes,
            changed_ns=head.changed_ns,
            rejected=head.rejected,
            notes=head.notes,
            row=row,
        )


class PartsWriter:
    """Writer of parts, from pieces of many files that come mixed, those of each file in order.

    Args:
        units: The files.
        made_by: Fingerprint of model and configuration; parts carry it.
    """

    def __init__(self, units: Sequence[LibraryUnit], *, made_by: str) -> None:
        self._units = {unit.index: unit for unit in units}
        self._made_by = made_by
        self._open: dict[int, _UnfinishedPart] = {}
        #: File that makes, made or failed to make the part of a content, and results that wait for the part.
        self._makers: dict[str, int] = {}
        self._made: set[str] = set()
        self._waiting: defaultdict[str, list[FileResult]] = defaultdict(list)

    def rows_at_hand(self, piece: DecodedPiece) -> EncodedPiece | None:
        """The piece without encoding: an earlier run did, or another file has the same content; else None."""
        head = piece.head
        if head.rejected is not None or head.is_known or self._is_copy(head):
            return EncodedPiece(head=head, rows=_NO_ROWS)
        return self._part(head).left_over(piece)

    def add(self, piece: EncodedPiece) -> list[FileResult]:
        """Add the next piece of a file. Returns results of the files that are done by it.

        Raises:
            ValueError: The piece is not the next one of its file.
        """
        head = piece.head
        if head.rejected is not None:
            self._give_up(head)
            return [FileResult.of(head)]
        if head.is_known:
            return [FileResult.of(head)]
        if self._is_copy(head):
            if head.is_last and head.content in self._made:
                return [FileResult.of(head)]
            if head.is_last:  # if the part is never made, the file is read again by the next run
                self._waiting[head.content].append(FileResult.of(head))
            return []
        part = self._part(head)
        part.add(piece)
        if not head.is_last:
            return []
        row = part.finish()
        del self._open[head.unit_index]
        self._made.add(head.content)
        return [FileResult.of(head, row), *self._waiting.pop(head.content, [])]

    def close(self) -> None:
        """Close unfinished files; the next run goes on from them."""
        for part in self._open.values():
            part.close()

    def _is_copy(self, head: PieceHead) -> bool:
        return self._makers.setdefault(head.content, head.unit_index) != head.unit_index

    def _part(self, head: PieceHead) -> "_UnfinishedPart":
        if head.unit_index not in self._open:
            unit = self._units[head.unit_index]
            self._open[head.unit_index] = _UnfinishedPart(unit, head.content, made_by=self._made_by)
        return self._open[head.unit_index]

    def _give_up(self, head: PieceHead) -> None:
        part = self._open.pop(head.unit_index, None)
        if part is not None:
            part.discard()


@dataclass
class _UnfinishedPart:
    """Rows of one content that are being collected."""

    unit: LibraryUnit
    content: str
    made_by: str = field(kw_only=True)

    def __post_init__(self) -> None:
        self._next = 0
        folder = self.unit.out / WORK_FOLDER
        folder.mkdir(exist_ok=True)
        # A random name: another machine may be working on the same content.
        self._path = folder / f"{self.content}.{uuid.uuid4().hex}{PART_SUFFIX}"
        self._file: pa.OSFile | None = None
        self._rows: pa.RecordBatchStreamWriter | None = None
        self._left_over = _read_left_over(folder, self.content)

    def left_over(self, piece: DecodedPiece) -> EncodedPiece | None:
        """The piece as an earlier run encoded it, or None. Must be called for each piece, in order."""
        batch = next(self._left_over, None)
        if batch is None or not _is_of(batch, piece):
            self._left_over = iter(())
            return None
        return EncodedPiece(head=piece.head, rows=batch)

    def add(self, piece: EncodedPiece) -> None:
        if piece.head.number != self._next:
            raise ValueError(
                f"piece {piece.head.number} of {self.unit.path} came where piece {self._next} is next: "
                "pieces of a file must come in order"
            )
        self._next += 1
        if self._rows is None:
            self._file = pa.OSFile(str(self._path), "wb")
            self._rows = pa.ipc.new_stream(self._file, piece.rows.schema)
        self._rows.write_batch(piece.rows)

    def close(self) -> None:
        for each in (self._rows, self._file):
            if each is not None:
                each.close()
        self._rows = self._file = None

    def discard(self) -> None:
        self.close()
        for path in _left_over_files(self._path.parent, self.content):
            path.unlink(missing_ok=True)

    def finish(self) -> ContentRow:
        self.close()
        path = part_path(self.unit.out, self.content)
        counts = _Counts()
        with pa.OSFile(str(self._path)) as file, pa.ipc.open_stream(file) as batches:
            about = {"content": self.content, "made_by": self.made_by}
            write_part(path, counts.of(batches), schema=batches.schema, about=about)
        self.discard()
        return counts.row(self.content, num_bytes=path.stat().st_size)


class _Counts:
    """Counts of rows that pass by."""

    def __init__(self) -> None:
        self.num_clips = self.num_frames = self.num_silent = self.num_still = self.num_short = 0
        self.seconds = 0.0
        self.has: dict[str, bool] = dict.fromkeys(SENSES, False)

    def of(self, batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        """The same rows, counted."""
        for batch in batches:
            self.num_clips += len(batch)
            self.num_frames += len(batch["frame_seconds"].flatten())
            self.seconds += float(
                (batch["stop_seconds"].to_numpy() - batch["start_seconds"].to_numpy()).sum()
            )
            self.num_silent += batch["is_silent"].to_pylist().count(True)
            self.num_still += batch["is_still"].to_pylist().count(True)
            self.num_short += batch["is_short"].to_pylist().count(True)
            for name in SENSES:
                self.has[name] |= batch[name].null_count < len(batch)
            yield batch

    def row(self, content: str, *, num_bytes: int) -> ContentRow:
        return ContentRow(
            content=content,
            num_clips=self.num_clips,
            num_frames=self.num_frames,
            seconds=self.seconds,
            has_audio=self.has["audio"],
            has_visual=self.has["visual"],
            num_silent=self.num_silent,
            num_still=self.num_still,
            num_short=self.num_short,
            num_bytes=num_bytes,
        )


def count_part(content: str, batches: Iterator[pa.RecordBatch], *, num_bytes: int) -> ContentRow:
    """Counts of a part, from its rows."""
    counts = _Counts()
    for _ in counts.of(batches):
        pass
    return counts.row(content, num_bytes=num_bytes)


_NO_ROWS: pa.RecordBatch = pa.record_batch({"id": pa.array([], pa.string())})


def _left_over_files(folder: Path, content: str) -> list[Path]:
    return sorted(folder.glob(f"{content}.*{PART_SUFFIX}"), key=lambda path: path.stat().st_size)


def _read_left_over(folder: Path, content: str) -> Iterator[pa.RecordBatch]:
    """Whole pieces of a run that was stopped; of several such runs, those of the one that came farthest.

    The file is only read, so a run that is still working on it elsewhere is not disturbed.
    """
    try:
        found = _left_over_files(folder, content)
        if found:
            with pa.OSFile(str(found[-1])) as file, pa.ipc.open_stream(file) as batches:
                for batch in batches:
                    batch.validate(full=True)  # offsets that point outside would end the process
                    yield batch
    except (pa.ArrowException, OSError, ValueError, MemoryError):
        return  # cut off in the middle of a piece, or damaged


def _is_of(batch: pa.RecordBatch, piece: DecodedPiece) -> bool:
    if "start_seconds" not in batch.schema.names:
        return False
    names = ("id", "start_seconds")
    found = list(zip(*(batch[name].to_pylist() for name in names), strict=True))
    return found == [tuple(facts[name] for name in names) for facts in piece.facts]
