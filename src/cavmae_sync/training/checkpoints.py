"""Checkpoints and weights that are written while the run goes on.

A snapshot in the memory of the host is taken between two steps; another thread writes it. So the devices, and
the other processes, do not wait for a disk. The files hold the same bits as if they had.
"""

from collections import deque
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import torch
from safetensors import SafetensorError
from torch import Tensor
from torch.utils._pytree import tree_map

from cavmae_sync.errors import TrainingError
from cavmae_sync.model import ModelConfig
from cavmae_sync.training.run_folder import RunFolder
from cavmae_sync.weights import Provenance, save_tensors

#: Snapshots that may wait for the disk: the best weights, and the checkpoint of the same step.
_MAX_WAITING = 2


class Checkpoints:
    """Writer of a run's checkpoints and weights; for the main process. Leaving its block waits for the files.

    Args:
        run: Where to write.
        config: Shape of the model, for the header of the weights.
        num_frames: Frames of a training clip, for the header of the weights.
        keep: Checkpoints kept; older ones are deleted.
    """

    def __init__(self, run: RunFolder, *, config: ModelConfig, num_frames: int, keep: int) -> None:
        self.run, self.config, self.keep = run, config, keep
        self.provenance = Provenance(num_frames=num_frames)
        # Its thread is no daemon: even an end that nobody foresaw waits for a file that is being written.
        self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="checkpoints")
        self._waiting: deque[Future[None]] = deque()

    def save(self, state: dict[str, Any], *, step: int) -> None:
        """Write the newest weights, and a checkpoint that a run goes on from.

        Args:
            state: What a run needs to go on; `model` holds its weights, `average` their average if it is
                kept.
            step: Updates made.
        """

        def write(copy: dict[str, Any]) -> None:
            with _says_what_failed(self.run.path):
                # A run that keeps an average of its weights gives that away.
                self._write_weights({**copy["model"], **copy.get("average", {})}, self.run.weights)
                self.run.save_checkpoint(copy, step=step, keep=self.keep)

        self._write_later(write, state)

    def save_best(self, weights: dict[str, Tensor]) -> None:
        """Write the weights of the lowest validation loss."""

        def write(copy: dict[str, Any]) -> None:
            with _says_what_failed(self.run.path):
                self._write_weights(copy, self.run.best_weights)

        self._write_later(write, weights)

    def check(self) -> None:
        """Raise what went wrong in files of which nobody has asked yet. Waits for nothing."""
        while self._waiting and self._waiting[0].done():
            self._waiting.popleft().result()

    def __enter__(self) -> Self:
        self.run.remove_unfinished()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._thread.shutdown(wait=True)
        try:
            self.check()
        except Exception as failed:
            if error is None:
                raise
            error.add_note(f"A checkpoint could not be written either: {failed}")

    def _write_later(self, write: Callable[[Any], None], values: dict[str, Any]) -> None:
        while len(self._waiting) >= _MAX_WAITING:
            self._waiting.popleft().result()
        self.check()
        copy = _copy_to_host(values)
        self._waiting.append(self._thread.submit(lambda: write(copy())))

    def _write_weights(self, weights: Mapping[str, Tensor], path: Path) -> None:
        save_tensors(weights, path, config=self.config, provenance=self.provenance)


@contextmanager
def _says_what_failed(run: Path) -> Iterator[None]:
    """Give errors of a disk, which each library of files has its own of, the form of this package."""
    try:
        yield
    except (OSError, RuntimeError, SafetensorError) as error:
        raise TrainingError(
            f"weights or a checkpoint could not be written to {run}: {error}. Free space, and "
            f"go on from the checkpoint before it with --resume {run}."
        ) from error


def _copy_to_host(values: dict[str, Any]) -> Callable[[], dict[str, Any]]:
    """A function that gives a copy of nested values, with tensors on the CPU, once the copy is complete.

    On CUDA nothing waits here: copies into pinned memory stand in the device's queue before the next update.
    """
    copy = tree_map(_host_copy, values)
    if not torch.cuda.is_available():
        return lambda: copy
    is_copied = torch.cuda.Event()
    is_copied.record()

    def when_copied() -> dict[str, Any]:
        is_copied.synchronize()
        return copy

    return when_copied


def _host_copy(value: object) -> object:
    if not isinstance(value, Tensor):
        return value
    if value.device.type != "cuda":
        return value.detach().to("cpu", copy=True)
    host = torch.empty(value.shape, dtype=value.dtype, pin_memory=True)
    return host.copy_(value.detach(), non_blocking=True)
