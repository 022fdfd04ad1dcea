"""Worker processes: one thread each, gone as soon as their parent stops, however it stops."""

import multiprocessing
import multiprocessing.forkserver
import multiprocessing.resource_tracker
import os
import signal
import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from multiprocessing.connection import Connection
from multiprocessing.context import ForkServerContext
from pathlib import Path
from typing import TypeVar

import torch

from cavmae_sync.errors import DatasetError

Item = TypeVar("Item")
Result = TypeVar("Result")

#: What every worker needs and is slow to import. No pyarrow: its import starts a thread, which a fork lacks.
_PRELOADED = ("torch", "pydantic", "av")


def num_cores() -> int:
    """Number of cores that this process may use, by its affinity and by the limit of its container."""
    from joblib import cpu_count  # late: few commands need it

    return cpu_count()


def num_worth_starting(num_items: int, *, items_each: int) -> int:
    """Number of workers that are done sooner than this process alone: at most one per core, 0 = none.

    A worker imports torch before its first item, which takes two seconds of a core.

    Args:
        num_items: Items to work on.
        items_each: Items that take a worker about as long as its start.
    """
    worth = min(num_items // items_each, num_cores())
    return worth if worth > 1 else 0


def run_in_workers(
    function: Callable[[Item], Result],
    items: Sequence[Item],
    *,
    num_workers: int | None,
    suspects: Callable[[], Sequence[str]] = tuple,
) -> Iterator[Result]:
    """Call a function on each item, several at a time.

    When the caller stops before the end (Ctrl-C, an exception, SIGTERM, `kill -9`), the workers end at once,
    in the middle of their items. What a function leaves on disk must not count before it is complete.

    Args:
        function: A function of a module, so that workers can import it.
        items: What to call it with.
        num_workers: Processes, at most one per item; None = one per core, 0 = in this process.
        suspects: Called when a worker died: the files that it may have been reading.

    Yields:
        The results, as they are ready.

    Raises:
        DatasetError: A worker died.
    """
    if num_workers == 0 or not items:
        with single_threaded():
            yield from map(function, items)
        return
    try:
        yield from _run_in_pool(function, items, num_workers=num_workers or num_cores())
    except BrokenProcessPool as error:
        raise worker_died(suspects()) from error


def worker_died(suspects: Sequence[str]) -> DatasetError:
    """Error for a worker process that ended without an exception of its own.

    Args:
        suspects: Files that it may have been reading, or the first files of their units; three are named.
    """
    place = f" It was reading {', '.join(suspects[:3])}, or a file after one of these." if suspects else ""
    return DatasetError(
        "A worker process died: it ran out of memory (shared memory in /dev/shm counts too), or a decoder "
        f"crashed.{place} What is done is kept. Run again to go on: with num_workers=1 to find the file, or "
        f"with fewer workers to use less memory.{_advice_for_scripts()}"
    )


def _advice_for_scripts() -> str:
    main = sys.modules["__main__"]
    path = getattr(main, "__file__", None)
    # Python started with -m or by our command guards itself; a script of the user's may not.
    if path is None or main.__spec__ is not None or Path(path).stem == "cavmae-sync":
        return ""
    return (
        f" Or {path} starts workers as soon as it is imported, and workers import it: put its calls below "
        'the line if __name__ == "__main__":'
    )


def _run_in_pool(
    function: Callable[[Item], Result], items: Sequence[Item], *, num_workers: int
) -> Iterator[Result]:
    context = worker_context()
    stop, stop_all = context.Pipe(duplex=False)
    with stop, stop_all:
        pool = ProcessPoolExecutor(
            min(num_workers, len(items)), mp_context=context, initializer=_start_worker, initargs=(stop,)
        )
        try:
            with interrupts_blocked():  # the workers start on the first submit
                futures = [pool.submit(function, item) for item in items]
            for future in as_completed(futures):
                yield future.result()
        except BaseException:
            stop_all.send_bytes(b"stop")
            raise
        finally:
            pool.shutdown(cancel_futures=True)


def worker_context() -> ForkServerContext:
    """Context of `multiprocessing` whose processes start fast: forks of a server that has imported torch.

    The server is one small process for all workers of this one; it ends with them. Workers share its memory:
    one copy of torch, where every process would import one of its own. They are not forks of this process,
    which would copy locks that threads of torch and pyarrow may hold. Ctrl-C reaches none of them.
    """
    # Libraries of Apple do not survive a fork; there, workers import everything themselves.
    if sys.platform == "linux":
        multiprocessing.set_forkserver_preload(list(_PRELOADED))
    # First, because the start of Python's tracker unblocks SIGINT.
    multiprocessing.resource_tracker.ensure_running()
    with interrupts_blocked():  # while it imports, Ctrl-C would end the server
        multiprocessing.forkserver.ensure_running()
    return multiprocessing.get_context("forkserver")


@contextmanager
def single_threaded() -> Iterator[None]:
    """Torch on one thread, as in a worker, so that sums are the same to the last bit."""
    num_threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(num_threads)


def follow_parent() -> None:
    """End this worker of a `DataLoader` at once when the process that started it is gone; ignore Ctrl-C.

    `DataLoader` itself looks whether the number of the parent process changed. Under "forkserver" it never
    does: the parent is the fork server, which lives as long as its workers.
    """
    # Ctrl-C reaches every process of a terminal. Only the main process decides whether to stop.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=end_with_parent, daemon=True).start()


def end_with_parent() -> None:
    """Wait until the process that started this one is gone, then end at once. For a thread of its own."""
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)


@contextmanager
def interrupts_blocked() -> Iterator[None]:
    """Block SIGINT until the end of the block. Processes that are started inside never receive it.

    Ctrl-C reaches every process of a terminal, also workers that are still importing: a handler set by the
    worker itself would come too late for these, and each would print a traceback.
    """
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _start_worker(stop: Connection) -> None:
    torch.set_num_threads(1)
    threading.Thread(target=_end_when_stopped, args=(stop,), daemon=True).start()


def _end_when_stopped(stop: Connection) -> None:
    """End this process at once when the parent sends a message or is gone: nobody would use its results."""
    # The message is not received: it stays in the pipe and stops the other workers too. When the parent ends,
    # however it ends, the pipe closes, which ends the waiting as well.
    stop.poll(None)
    os._exit(1)
