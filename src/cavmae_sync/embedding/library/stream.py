"""Stream of pieces: worker processes take files one after the other, and decode ahead of the encoder.

    worker 0   file 0: piece, piece, ...   file 3: piece, ...
    worker 1   file 1: piece, ...          file 2: piece, ...    -> a few pieces wait -> encoder, this process

Pieces of several files arrive mixed, those of one file in order. What a piece holds depends on its file
alone, so the result does not depend on the number of workers or on their speed.
"""

import time
from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import closing
from dataclasses import asdict, dataclass
from typing import Any, Final

import torch
from torch.utils.data import DataLoader, IterableDataset

from cavmae_sync.embedding.encoders import ClipEncoder
from cavmae_sync.embedding.library.parts import FileResult, PartsWriter
from cavmae_sync.embedding.library.pieces import (
    DecodedPiece,
    EncodedPiece,
    LibraryUnit,
    PieceHead,
    decode_unit,
    encode_piece,
)
from cavmae_sync.errors import DatasetError
from cavmae_sync.work.workers import follow_parent, single_threaded, worker_context, worker_died

#: Decoded pieces that each worker may have waiting for the encoder.
_PIECES_AHEAD: Final = 2


@dataclass(frozen=True, kw_only=True, slots=True)
class Throughput:
    """Progress and speed of a run.

    Attributes:
        num_files: Files that were read to their end.
        num_rejected: Rejected files among them.
        num_clips: Clips encoded.
        footage_seconds: Length of these clips together.
        seconds: Time since the start.
        waiting_seconds: Time in which the encoder waited for decoded clips.
    """

    num_files: int = 0
    num_rejected: int = 0
    num_clips: int = 0
    footage_seconds: float = 0.0
    seconds: float = 0.0
    waiting_seconds: float = 0.0

    @property
    def waiting_fraction(self) -> float:
        """Share of the time in which the encoder waited, in [0, 1]."""
        return self.waiting_seconds / self.seconds if self.seconds else 0.0

    @property
    def clips_per_second(self) -> float:
        """Clips encoded per second."""
        return self.num_clips / self.seconds if self.seconds else 0.0

    @property
    def hours_per_hour(self) -> float:
        """Hours of footage encoded per hour."""
        return self.footage_seconds / self.seconds if self.seconds else 0.0

    def to_dict(self) -> dict[str, float]:
        """All numbers, ready for JSON."""
        names = ("waiting_fraction", "clips_per_second", "hours_per_hour")
        return asdict(self) | {name: getattr(self, name) for name in names}


def encode_units(
    encoder: ClipEncoder,
    units: Sequence[LibraryUnit],
    *,
    made_by: str,
    num_workers: int,
    on_piece: Callable[[PieceHead, Throughput], None],
    should_stop: Callable[[], bool],
) -> Iterator[FileResult]:
    """Decode files in worker processes, encode them here, and make their parts of the library.

    Args:
        encoder: The encoder.
        units: Files to read.
        made_by: Fingerprint of model and configuration.
        num_workers: Processes that decode; 0 decodes in this process, in turns with encoding.
        on_piece: Called after each piece, with the throughput of this run so far.
        should_stop: Asked before each piece; True ends the work. What was encoded stays.

    Yields:
        Result of each file once its part is written, in any order.

    Raises:
        DatasetError: A worker died; names files that it may have been reading.
        WeightsError: The model gives vectors that are not finite.
    """
    config = {unit.index: unit.config for unit in units}
    parts = PartsWriter(units, made_by=made_by)
    meter = ThroughputMeter()
    pieces = _decoded_by_workers(units, num_workers) if num_workers and units else _decoded_here(units)
    try:
        with closing(pieces):
            for piece in meter.waiting_for(pieces):
                if should_stop():
                    return
                encoded = parts.rows_at_hand(piece)
                if encoded is None:
                    encoded = encode_piece(encoder, piece, config[piece.head.unit_index])
                results = parts.add(encoded)
                on_piece(encoded.head, meter.throughput_after(encoded))
                yield from results
    finally:
        parts.close()


class ThroughputMeter:
    """Counter of the work done and of the time spent waiting."""

    def __init__(self) -> None:
        self.began = time.perf_counter()
        self.waiting_seconds = self.footage_seconds = 0.0
        self.num_files = self.num_rejected = self.num_clips = 0

    def waiting_for(self, pieces: Iterator[DecodedPiece]) -> Iterator[DecodedPiece]:
        """The same pieces; the time until each of them arrives counts as waiting."""
        while True:
            asked = time.perf_counter()
            piece = next(pieces, None)
            self.waiting_seconds += time.perf_counter() - asked
            if piece is None:
                return
            yield piece

    def throughput_after(self, piece: EncodedPiece) -> Throughput:
        """Throughput of the run with this piece counted."""
        self.num_files += piece.head.is_last
        self.num_rejected += piece.head.rejected is not None
        self.num_clips += len(piece.rows)
        if len(piece.rows):
            stops, starts = (piece.rows[name].to_numpy() for name in ("stop_seconds", "start_seconds"))
            self.footage_seconds += float((stops - starts).sum())
        return Throughput(
            num_files=self.num_files,
            num_rejected=self.num_rejected,
            num_clips=self.num_clips,
            footage_seconds=self.footage_seconds,
            seconds=time.perf_counter() - self.began,
            waiting_seconds=self.waiting_seconds,
        )


class _Units(IterableDataset[DecodedPiece]):
    """Pieces of files; each worker takes the next file that no other has taken."""

    def __init__(self, units: Sequence[LibraryUnit], taken: Any) -> None:
        self.units, self.taken = units, taken

    def __iter__(self) -> Iterator[DecodedPiece]:
        while True:
            with self.taken.get_lock():
                index = self.taken.value
                self.taken.value += 1
            if index >= len(self.units):
                return
            yield from decode_unit(self.units[index])


def _decoded_here(units: Sequence[LibraryUnit]) -> Generator[DecodedPiece]:
    for unit in units:
        pieces = decode_unit(unit)
        while True:
            with single_threaded():
                piece = next(pieces, None)
            if piece is None:
                break
            yield piece


def _decoded_by_workers(units: Sequence[LibraryUnit], num_workers: int) -> Generator[DecodedPiece]:
    context = worker_context()
    taken = context.Value("q", 0)
    loader = DataLoader(
        _Units(units, taken),
        batch_size=None,
        num_workers=min(num_workers, len(units)),
        multiprocessing_context=context,
        prefetch_factor=_PIECES_AHEAD,
        worker_init_fn=_start_worker,
        in_order=False,  # a worker at a slow file must not hold up the others
        generator=torch.Generator(),
    )
    done: set[int] = set()

    def died() -> DatasetError:
        return worker_died([unit.path for unit in units[: taken.value] if unit.index not in done])

    try:
        for piece in loader:
            if piece.head.is_last:
                done.add(piece.head.unit_index)
            yield piece
    except RuntimeError as error:
        if "DataLoader worker" not in str(error):
            raise
        raise died() from error
    except (ConnectionError, EOFError) as error:  # the worker died while it sent a piece
        raise died() from error


def _start_worker(_worker: int) -> None:
    follow_parent()
