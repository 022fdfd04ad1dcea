"""Long jobs side by side, each in a process of its own with one thread.

A small model leaves a second thread waiting most of the time. Two runs side by side on one thread each do
more than the same runs one after the other on two threads (docs/results-speed.md).
"""

import copy
import multiprocessing.connection
import signal
import sys
import threading
import traceback
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from multiprocessing.connection import Connection
from multiprocessing.context import ForkServerProcess
from pathlib import Path
from typing import Any, Generic, TypeVar

import torch

from cavmae_sync.work.workers import (
    end_with_parent,
    interrupts_blocked,
    num_cores,
    worker_context,
    worker_died,
)

Item = TypeVar("Item")
Result = TypeVar("Result")

#: Most seconds until a request to stop is passed on.
_POLL_SECONDS = 0.2
#: Seconds that a process gets to end by itself.
_PATIENCE_SECONDS = 10.0


@dataclass(frozen=True, kw_only=True, slots=True)
class JobState:
    """State of a job.

    Attributes:
        name: Name of the job.
        done: Part of the work that is done, in steps or whatever the job counts.
        total: All of the work; 0 before the job began.
        note: Latest remark of the job.
        peak_bytes: Largest memory of its process so far; 0 where that is not known.
    """

    name: str
    done: int = 0
    total: int = 0
    note: str = ""
    peak_bytes: int = 0


class JobLink:
    """Link of a job to the process that started it."""

    def __init__(self, pipe: Connection) -> None:
        self._pipe, self._stops = pipe, False

    def tell(self, done: int, total: int, note: str = "") -> None:
        """Tell how much of the work is done, and how much there is."""
        self._pipe.send(("state", (done, total, note, _peak_bytes())))

    def should_stop(self) -> bool:
        """Whether the job is asked to save what it has and to return early."""
        # A question is the only message that comes this way.
        self._stops = self._stops or self._pipe.poll()
        return self._stops


#: Called with the states of all jobs, in their order.
OnStates = Callable[[Sequence[JobState]], None]


def run_side_by_side(
    function: Callable[[Item, JobLink], Result],
    items: Sequence[tuple[str, Item]],
    *,
    num_processes: int,
    on_states: OnStates = lambda _: None,
    should_stop: Callable[[], bool] = lambda: False,
) -> dict[str, Result]:
    """Call a function on each item, some at a time, each call in a new process with one thread.

    When the caller ends, however it ends, the processes end at once. What a function leaves on disk must not
    count before it is complete.

    Args:
        function: A function of a module. It tells its progress by the link, and returns early when asked to.
        items: Names of the jobs and what they are called with.
        num_processes: Most processes at a time, at least one.
        on_states: Called when a job has told something.
        should_stop: Asked a few times a second; after it says yes no job begins, and all are asked to stop.

    Returns:
        Results by name, of the jobs that began. Whether a job was complete, its result must say.

    Raises:
        DatasetError: A process died.
        Exception: What a job raised; the others are asked to stop, and have ended.
    """
    board = _Board(function, items, on_states)
    try:
        while board.begin(num_processes) or board.running:
            board.listen()
            if should_stop() or board.error is not None:
                board.stop()
    finally:
        board.end()
    if board.error is not None:
        raise board.error
    return board.results


def num_fitting(*, bytes_each: int, most: int | None = None) -> int:
    """Number of processes for which there are cores and memory, at least one.

    Args:
        bytes_each: Memory that a process is expected to need.
        most: Limit of the number.
    """
    free = _available_bytes()
    by_memory = num_cores() if free is None else free // bytes_each
    return max(1, min(by_memory, num_cores(), num_cores() if most is None else most))


@dataclass(slots=True)
class _Running:
    name: str
    process: ForkServerProcess
    is_asked: bool = False


@dataclass(slots=True)
class _Board(Generic[Item, Result]):
    """Jobs that wait, run and are done."""

    function: Callable[[Item, JobLink], Result]
    items: Sequence[tuple[str, Item]]
    on_states: OnStates
    running: dict[Connection, _Running] = field(default_factory=dict)
    results: dict[str, Result] = field(default_factory=dict)
    error: BaseException | None = None
    waiting: deque[tuple[str, Item]] = field(init=False)
    states: dict[str, JobState] = field(init=False)

    def __post_init__(self) -> None:
        self.waiting = deque(self.items)
        self.states = {name: JobState(name=name) for name, _ in self.items}

    def begin(self, num_processes: int) -> bool:
        """Start waiting jobs while fewer than `num_processes` run; tells whether any runs."""
        context = worker_context()
        while self.waiting and len(self.running) < num_processes:
            name, item = self.waiting.popleft()
            ours, theirs = context.Pipe()
            process = context.Process(target=_live, args=(theirs, self.function, item), name=name)
            with interrupts_blocked():
                process.start()
            theirs.close()
            self.running[ours] = _Running(name, process)
        return bool(self.running)

    def listen(self) -> None:
        """Take the messages that came, or wait for one for a moment."""
        for pipe in multiprocessing.connection.wait(list(self.running), timeout=_POLL_SECONDS):
            assert isinstance(pipe, Connection)
            try:
                kind, value = pipe.recv()
            except (EOFError, OSError):
                kind, value = "error", worker_died([])
            self._take(pipe, kind, value)

    def _take(self, pipe: Connection, kind: str, value: Any) -> None:
        name = self.running[pipe].name
        if kind == "state":
            done, total, note, peak = value
            told = replace(self.states[name], done=done, total=total, note=note, peak_bytes=peak)
            self.states[name] = told
            self.on_states(list(self.states.values()))
            return
        if kind == "error":
            self.error = self.error or value
        else:
            self.results[name] = value
        _end(pipe, self.running.pop(pipe).process)

    def stop(self) -> None:
        """Begin no further job, and ask those that run to stop."""
        self.waiting.clear()
        for pipe, job in self.running.items():
            if not job.is_asked:
                job.is_asked = True
                with _closed_pipes_ignored():
                    pipe.send("stop")

    def end(self) -> None:
        """End all processes, by force if they still run."""
        for pipe, job in self.running.items():
            job.process.kill()
            _end(pipe, job.process)
        self.running.clear()


def _live(pipe: Connection, function: Callable[[Any, JobLink], Any], item: Any) -> None:
    """Main function of the process of a job."""
    # Ctrl-C reaches every process of a terminal. Only the main process decides whether to stop.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=end_with_parent, daemon=True).start()
    torch.set_num_threads(1)
    try:
        message = ("result", function(item, JobLink(pipe)))
    except Exception as error:  # noqa: BLE001 -- the process that started this one raises it
        message = ("error", _portable(error))
    pipe.send(message)


def _portable(error: Exception) -> Exception:
    """An error that another process can read, with the traceback as a note."""
    text = traceback.format_exc()
    try:
        copy.copy(error)  # as pickle makes a copy
    except Exception:  # noqa: BLE001 -- whatever a class of errors does when it is copied
        return RuntimeError(text)
    error.add_note(text)
    return error


def _end(pipe: Connection, process: ForkServerProcess) -> None:
    pipe.close()
    process.join(_PATIENCE_SECONDS)
    if process.is_alive():
        process.kill()
        process.join()


@contextmanager
def _closed_pipes_ignored() -> Iterator[None]:
    """Nothing happens where the job has just ended."""
    try:
        yield
    except (BrokenPipeError, ConnectionResetError):
        return


def _peak_bytes() -> int:
    """Largest memory of this process; 0 where the system has no such number."""
    try:
        import resource
    except ImportError:
        return 0
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak * 1024  # macOS counts bytes


def _available_bytes() -> int | None:
    """Memory that can be used without swapping; None where the system does not say."""
    try:
        lines = Path("/proc/meminfo").read_text(encoding="ascii").splitlines()
    except OSError:
        return None
    found = [line.split()[1] for line in lines if line.startswith("MemAvailable:")]
    return int(found[0]) * 1024 if found else None
