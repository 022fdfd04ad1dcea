"""Process of one variant: both ends of the pipe between it and the run.

The run sends "repeat", and the process replies with seconds. The run sends "finish" or "answer", and the
process replies with its peak memory; for "answer" it writes its answer to a file before. Errors travel as
text.
"""

import traceback
from collections.abc import Mapping
from dataclasses import dataclass
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.machine import Load, device_memory_bytes, peak_memory_bytes, synchronize
from benchmarks.part import Setting, Variant, Work
from cavmae_sync.errors import ConfigError
from cavmae_sync.work.workers import worker_context

_SHORTEST_SAMPLE_SECONDS = 0.2
_PATIENCE_SECONDS = 10


class VariantError(Exception):
    """A variant failed; the message is the error of its process."""


class UnableError(VariantError):
    """The device cannot run a variant; the message says why."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Sample:
    """One timed sample.

    Attributes:
        seconds: Seconds of one repetition.
        foreign: Share of all cores that others used meanwhile; None where it cannot be known.
        numbers: Numbers that the repetition measured itself.
    """

    seconds: float
    foreign: float | None
    numbers: Mapping[str, float]


@dataclass(frozen=True, kw_only=True, slots=True)
class Ending:
    """Peak memory of a variant, known when it ends."""

    peak_bytes: int
    device_bytes: int


class VariantProcess:
    """A variant, prepared in a process of its own."""

    def __init__(self, variant: Variant, setting: Setting, *, answer: Path) -> None:
        context = worker_context()
        self._pipe, theirs = context.Pipe()
        # Not a daemon: variants have workers of their own.
        self._process = context.Process(target=_live, args=(theirs, variant, setting, answer))
        self._process.start()
        theirs.close()
        try:
            # Units, operations and precision of the work.
            self.facts: dict[str, Any] = self._ask(None)
        except BaseException:
            self.stop()
            raise

    def sample(self) -> Sample:
        """One timed sample."""
        before = Load.now()
        seconds, numbers = self._ask("repeat")
        after = Load.now()
        foreign = None if before is None or after is None else after.foreign_since(before)
        return Sample(seconds=seconds, foreign=foreign, numbers=numbers)

    def finish(self, *, with_answer: bool = True) -> Ending:
        """End the process; returns its peak memory."""
        ending: Ending = self._ask("answer" if with_answer else "finish")
        self.stop()
        return ending

    def stop(self) -> None:
        """End the process, by force if needed."""
        self._pipe.close()
        self._process.join(_PATIENCE_SECONDS)
        if self._process.is_alive():
            self._process.terminate()
            self._process.join()

    def _ask(self, question: str | None) -> Any:
        try:
            if question is not None:
                self._pipe.send(question)
            kind, value = self._pipe.recv()
        except (EOFError, OSError) as error:
            self._process.join(_PATIENCE_SECONDS)
            raise VariantError(
                f"its process ended without a message (exit code {self._process.exitcode})"
            ) from error
        if kind in ("failed", "unable"):
            raise (UnableError if kind == "unable" else VariantError)(value)
        return value


def _live(pipe: Connection, variant: Variant, setting: Setting, answer: Path) -> None:
    """Main function of the process."""
    work: Work | None = None
    try:
        work, repeats = _ready(variant, setting)
        pipe.send(
            ("ready", {"units": work.units, "operations": work.operations, "precision": work.precision})
        )
        while (question := pipe.recv()) == "repeat":
            pipe.send(("sample", _timed(work, repeats, setting)))
        pipe.send(("ending", _ending(work, setting, answer if question == "answer" else None)))
    except EOFError:
        pass  # the run has ended
    except ConfigError as error:
        pipe.send(("unable", str(error)))
    except Exception:  # noqa: BLE001 -- whatever it is, the run must hear of it
        pipe.send(("failed", traceback.format_exc()))
    finally:
        if work is not None and work.close is not None:
            work.close()


def _ready(variant: Variant, setting: Setting) -> tuple[Work, int]:
    """Work of the variant, and its repetitions per sample: short work is repeated several times."""
    import torch

    from cavmae_sync.compute import choose_float32_products, keep_freed_memory

    torch.set_num_threads(setting.threads)
    if variant.is_set_up:
        keep_freed_memory()
        torch.set_float32_matmul_precision(choose_float32_products(torch.device(setting.device)))
    work = variant.make(setting)
    (work.warm_up or work.repeat)()
    if work.warm_up is not None:
        return work, 1
    seconds, _ = _timed(work, 1, setting)
    return work, max(1, round(_SHORTEST_SAMPLE_SECONDS / max(seconds, 1e-6))) if seconds < 0.1 else 1


def _timed(work: Work, repeats: int, setting: Setting) -> tuple[float, dict[str, float]]:
    synchronize(setting.device)
    began = setting.clock()
    for _ in range(repeats):
        numbers = work.repeat()
    synchronize(setting.device)
    return (setting.clock() - began) / repeats, dict(numbers or {})


def _ending(work: Work, setting: Setting, answer: Path | None) -> Ending:
    peak = peak_memory_bytes()  # before the answer is put together
    ending = Ending(peak_bytes=peak, device_bytes=device_memory_bytes(setting.device))
    if answer is not None and work.answer is not None:
        part = answer.with_suffix(".part.npz")
        np.savez(part, **work.answer())
        part.rename(answer)
    return ending
