"""Stream of pieces: worker processes take units one after the other, and decode ahead of the encoder.

    worker 0   unit 0: piece, piece, ...   unit 3: piece, ...
    worker 1   unit 1: piece, ...          unit 2: piece, ...    -> a few pieces wait -> encoder, this process

Pieces of several units arrive mixed, those of one unit in order. The content of a piece depends on its unit
alone, so the result does not depend on the number of workers or on their speed.
"""

import time
from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import closing
from dataclasses import asdict, dataclass
from typing import Any, Final

import torch
from torch.utils.data import DataLoader, IterableDataset

from cavmae_sync.data.storage.tables import count_rejected
from cavmae_sync.embedding.embedder import Embedder
from cavmae_sync.embedding.library.parts import UnitParts
from cavmae_sync.embedding.library.pieces import (
    DecodedPiece,
    EncodedPiece,
    LibraryUnit,
    decode_unit,
    encode_piece,
)
from cavmae_sync.work.units import UnitResult, unfinished
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
    embedder: Embedder,
    units: Sequence[LibraryUnit],
    *,
    num_workers: int,
    on_piece: Callable[[Throughput], None],
) -> Iterator[UnitResult]:
    """Decode units in worker processes, encode them here, and make their parts of the library.

    Args:
        embedder: The model and how it computes.
        units: Units of the library to make.
        num_workers: Processes that decode; 0 decodes in this process, in turns with encoding.
        on_piece: Called after each piece with the throughput of this run so far.

    Yields:
        Result of each unit once its record is written, in any order.

    Raises:
        DatasetError: A worker died; names files that it may have been reading.
        WeightsError: The model gives vectors that are not finite.
    """
    by_index = {unit.index: unit for unit in units}
    open_parts: dict[int, UnitParts] = {}
    meter = ThroughputMeter()
    pieces = _decoded_by_workers(units, num_workers) if num_workers and units else _decoded_here(units)
    try:
        with closing(pieces):
            for piece in meter.waiting_for(pieces):
                unit = by_index[piece.unit_index]
                if unit.index not in open_parts:
                    open_parts[unit.index] = UnitParts(unit)
                parts = open_parts[unit.index]
                encoded = parts.left_over(piece) or encode_piece(embedder, piece, unit.config)
                result = parts.add(encoded)
                on_piece(meter.throughput_after(encoded))
                if result is not None:
                    del open_parts[unit.index]
                    yield result
    finally:
        for parts in open_parts.values():
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
        self.num_files += piece.num_files
        self.num_rejected += count_rejected(piece.rejected)
        self.num_clips += len(piece.rows)
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
    """Pieces of units; each worker takes the next unit that no other has taken."""

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
    loader = DataLoader(
        _Units(units, context.Value("q", 0)),
        batch_size=None,
        num_workers=min(num_workers, len(units)),
        multiprocessing_context=context,
        prefetch_factor=_PIECES_AHEAD,
        worker_init_fn=_start_worker,
        in_order=False,  # a worker at a slow file must not hold up the others
        generator=torch.Generator(),
    )
    try:
        yield from loader
    except RuntimeError as error:
        if "DataLoader worker" not in str(error):
            raise
        raise worker_died(unfinished(units)) from error
    except (ConnectionError, EOFError) as error:  # the worker died while it sent a piece
        raise worker_died(unfinished(units)) from error


def _start_worker(_worker: int) -> None:
    follow_parent()
