"""Processes that prepare: spawned, one thread each, gone as soon as their parent stops, however it stops."""

import multiprocessing
import multiprocessing.process
import os
import signal
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from contextlib import contextmanager
from multiprocessing.connection import Connection
from typing import TypeVar

import torch

Item = TypeVar("Item")
Result = TypeVar("Result")


def num_cores() -> int:
    """Cores this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def run_in_workers(
    function: Callable[[Item], Result], items: Sequence[Item], *, num_workers: int
) -> Iterator[Result]:
    """Call a function on each item, several at a time.

    When the caller stops before the end (Ctrl-C, an exception, SIGTERM, `kill -9`), the workers end at once,
    in the middle of their items. What a function leaves on disk must not count before it is complete.

    Args:
        function: A function of a module, so that workers can import it.
        items: What to call it with.
        num_workers: Processes; no more are started than there are items.

    Yields:
        The results, as they are ready.

    Raises:
        BrokenProcessPool: A worker died.
    """
    # Spawned, not forked: a fork copies locks that other threads (torch, pyarrow) may hold.
    context = multiprocessing.get_context("spawn")
    stop, stop_all = context.Pipe(duplex=False)
    with stop, stop_all:
        pool = ProcessPoolExecutor(
            min(num_workers, len(items)), mp_context=context, initializer=_start_worker, initargs=(stop,)
        )
        try:
            with _interrupts_held():  # submitting starts the workers
                futures = [pool.submit(function, item) for item in items]
            for future in as_completed(futures):
                yield future.result()
        except BaseException:
            stop_all.send_bytes(b"stop")
            raise
        finally:
            pool.shutdown(cancel_futures=True)


@contextmanager
def single_threaded() -> Iterator[None]:
    """Torch on one thread, as in a worker, so that sums come out the same."""
    num_threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(num_threads)


def follow_parent() -> None:
    """End this worker at once when the process that started it is gone; leave Ctrl-C to that one.

    For processes of a `DataLoader`. Its own watch looks whether the parent's number changed, and under
    "forkserver" it does not: the parent is the server, which lives as long as its workers.
    """
    # Ctrl-C reaches every process of a terminal; whether to stop is for the one that collects to decide.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    parent = multiprocessing.parent_process()
    if parent is not None:
        threading.Thread(target=_end_after, args=(parent,), daemon=True).start()


def _end_after(parent: multiprocessing.process.BaseProcess) -> None:
    parent.join()
    os._exit(1)


@contextmanager
def _interrupts_held() -> Iterator[None]:
    """Hold SIGINT back; it acts afterwards. Processes started meanwhile hold it back for good.

    Ctrl-C reaches every process of a terminal. A handler would come too late for workers that still import.
    """
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _start_worker(stop: Connection) -> None:
    torch.set_num_threads(1)
    threading.Thread(target=_end_when_told, args=(stop,), daemon=True).start()


def _end_when_told(stop: Connection) -> None:
    """End at once when the parent says so, or is gone: nobody would collect what is still computed."""
    # Not received: what is left in the pipe tells the other workers too. The end of the parent closes it.
    stop.poll(None)
    os._exit(1)
