"""Files of a library read on Ray: tasks on cores decode pieces, actors on accelerators encode them.

    files --decode, 1 core each--> pieces --encode, 1 accelerator each--> rows --> this process: parts

The functions are those of `stream`, and pieces are put in order again, so the bytes are the same. Only
vectors reach this process.
"""

import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

import torch

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
from cavmae_sync.embedding.library.stream import Throughput, ThroughputMeter
from cavmae_sync.work.on_ray import COLUMN, RayCluster, failure, ray_started, results_of
from cavmae_sync.work.workers import single_threaded

#: On a cluster without accelerators one core in so many encodes; the others decode.
_CORES_PER_ENCODER: Final = 2
#: Memory that Ray sets aside for a task that decodes: the program, one clip of large frames, and a piece.
_DECODER_BYTES: Final = 512 * 2**20


def encode_on_ray(
    encoder: ClipEncoder,
    units: Sequence[LibraryUnit],
    *,
    made_by: str,
    cluster: RayCluster,
    on_piece: Callable[[PieceHead, Throughput], None],
    should_stop: Callable[[], bool],
) -> Iterator[FileResult]:
    """Decode and encode files on a cluster, and make their parts of the library here; see `encode_units`.

    Args:
        encoder: The encoder. It computes on the accelerators of the cluster, if any.
        units: Files to read. Every machine must see them and the library under the same paths.
        made_by: Fingerprint of model and configuration.
        cluster: The cluster.
        on_piece: Called after each piece with the throughput of this run; its waiting time is the mean over
            encoders.
        should_stop: Asked before each piece; True ends the work. What was encoded stays.

    Yields:
        Result of each file once its part is written, in any order.

    Raises:
        ConfigError: The extra ray is missing, or the cluster cannot be reached.
        DatasetError: A task died; names files that it may have been reading.
        WeightsError: The model gives vectors that are not finite.
    """
    if not units:
        return
    parts = PartsWriter(units, made_by=made_by)
    meter = ThroughputMeter()
    idle_seconds = busy_seconds = 0.0
    try:
        with ray_started(cluster) as ray:
            for done in _in_order(results_of(_pipeline(ray, encoder, units), units)):
                if should_stop():
                    return
                results = parts.add(done.piece)
                idle_seconds, busy_seconds = (
                    idle_seconds + done.idle_seconds,
                    busy_seconds + done.busy_seconds,
                )
                throughput = meter.throughput_after(done.piece)
                waiting_seconds = throughput.seconds * idle_seconds / (idle_seconds + busy_seconds)
                on_piece(done.piece.head, replace(throughput, waiting_seconds=waiting_seconds))
                yield from results
    finally:
        parts.close()


@dataclass(frozen=True, kw_only=True, slots=True)
class _Decoded:
    """A piece on its way to an encoder."""

    unit: LibraryUnit
    piece: DecodedPiece


@dataclass(frozen=True, kw_only=True, slots=True)
class _Done:
    """An encoded piece on its way back, with the seconds that its encoder waited and worked."""

    piece: EncodedPiece
    idle_seconds: float
    busy_seconds: float


def _pipeline(ray: Any, encoder: ClipEncoder, units: Sequence[LibraryUnit]) -> Any:
    resources = ray.cluster_resources()
    num_gpus = int(resources.get("GPU", 0))
    num_encoders = num_gpus or max(1, int(resources["CPU"]) // _CORES_PER_ENCODER)
    rows = ray.data.from_items([{COLUMN: unit} for unit in units], override_num_blocks=len(units))
    # With equal needs, Ray would fuse both steps and decode inside the encoders.
    return rows.flat_map(_decode, num_cpus=1, memory=_DECODER_BYTES).map(
        _Encode,
        fn_constructor_args=(_SentEncoder.of(encoder, ray, device="cuda" if num_gpus else "cpu"),),
        compute=ray.data.ActorPoolStrategy(size=num_encoders),
        num_gpus=1 if num_gpus else 0,
        num_cpus=0 if num_gpus else 1,
    )


def _in_order(arriving: Iterator[_Done]) -> Iterator[_Done]:
    """Pieces with those of each file in order, from pieces in any order."""
    early: dict[tuple[int, int], _Done] = {}
    following: Counter[int] = Counter()
    for done in arriving:
        index = done.piece.head.unit_index
        early[index, done.piece.head.number] = done
        while (index, following[index]) in early:
            yield early.pop((index, following[index]))
            following[index] += 1


def _decode(row: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    unit: LibraryUnit = row[COLUMN]
    try:
        with single_threaded():
            for piece in decode_unit(unit):
                yield {COLUMN: _Decoded(unit=unit, piece=piece)}
    except Exception as error:  # noqa: BLE001 (the driver raises it; Ray would wrap it in an error of its own)
        yield {COLUMN: failure(error, unit)}


@dataclass(frozen=True, kw_only=True, slots=True)
class _SentEncoder:
    """An encoder on its way to another machine: a reference to it, on the CPU."""

    encoder: Any
    device: str
    num_threads: int

    @classmethod
    def of(cls, encoder: ClipEncoder, ray: Any, *, device: str) -> "_SentEncoder":
        """An encoder, ready to be sent to the machines of a cluster."""
        # The number of threads decides how sums are split: as many as here give the same bits.
        return cls(encoder=ray.put(encoder.moved("cpu")), device=device, num_threads=torch.get_num_threads())

    def make(self) -> ClipEncoder:
        """The encoder, on the machine that it was sent to."""
        import ray

        torch.set_num_threads(self.num_threads)
        return ray.get(self.encoder).moved(self.device)


class _Encode:
    """Actor of Ray that holds a model and encodes pieces."""

    def __init__(self, sent: _SentEncoder) -> None:
        self._encoder = sent.make()
        self._idle_since = time.perf_counter()

    def __call__(self, row: Mapping[str, Any]) -> dict[str, Any]:
        decoded: _Decoded | Exception = row[COLUMN]
        if isinstance(decoded, Exception):
            return {COLUMN: decoded}
        began = time.perf_counter()
        try:
            piece = encode_piece(self._encoder, decoded.piece, decoded.unit.config)
        except Exception as error:  # noqa: BLE001 (as above)
            return {COLUMN: failure(error, decoded.unit)}
        idle_seconds, self._idle_since = began - self._idle_since, time.perf_counter()
        return {COLUMN: _Done(piece=piece, idle_seconds=idle_seconds, busy_seconds=self._idle_since - began)}
