"""Batches on the device of a run: the next one is copied while this one is computed with."""

from collections.abc import Iterable, Iterator

import torch
from torch import Tensor

from cavmae_sync.training.masks import MaskedBatch


def on_device(batches: Iterable[MaskedBatch], device: torch.device) -> Iterator[MaskedBatch]:
    """Move batches to a device, in order, one batch ahead of the caller; on the CPU they are passed on.

    A batch is given when the copy of the next one has begun. So an error in reading comes one batch early,
    and a caller that stops has had one batch read for nothing.

    Args:
        batches: Batches on the CPU; for CUDA in pinned memory, else each copy is waited for.
        device: Where to.
    """
    if device.type == "cpu":
        yield from batches
        return
    copies = _CudaCopies(device) if device.type == "cuda" else _Copies(device)
    ahead: _Started | None = None
    for batch in batches:
        started = copies.start(batch)
        if ahead is not None:
            yield copies.finish(ahead)
        ahead = started
    if ahead is not None:
        yield copies.finish(ahead)


#: A batch on its device, and on CUDA the event after which it has arrived.
_Started = tuple[MaskedBatch, torch.cuda.Event | None]


class _Copies:
    def __init__(self, device: torch.device) -> None:
        self.device = device

    def start(self, batch: MaskedBatch) -> _Started:
        return batch.to(self.device), None

    def finish(self, started: _Started) -> MaskedBatch:
        return started[0]


class _CudaCopies(_Copies):
    """Copies on a stream of their own, beside the stream that computes."""

    def __init__(self, device: torch.device) -> None:
        super().__init__(device)
        self.stream = torch.cuda.Stream(device)

    def start(self, batch: MaskedBatch) -> _Started:
        with torch.cuda.stream(self.stream):
            moved, arrived = batch.to(self.device), torch.cuda.Event()
            arrived.record(self.stream)
            return moved, arrived

    def finish(self, started: _Started) -> MaskedBatch:
        batch, arrived = started
        computing = torch.cuda.current_stream(self.device)
        if arrived is not None:  # of this copy alone: the next one has begun on the same stream
            computing.wait_event(arrived)

        def note_use(tensor: Tensor) -> Tensor:
            # The memory belongs to the stream of copies. Without this note it would be written again as soon
            # as the batch is dropped here, while kernels that read it still wait for their turn.
            tensor.record_stream(computing)
            return tensor

        return batch.each(note_use)
