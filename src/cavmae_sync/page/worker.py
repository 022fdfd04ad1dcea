"""A process that decodes files of strangers, with limits of time and memory.

A decoder may crash, run for ever, or ask for all memory there is. In a process of its own it costs one
answer and not the service.
"""

import contextlib
import os
import sys
import threading
from collections.abc import Callable
from multiprocessing.connection import Connection
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Any, Final, ParamSpec, TypeVar, cast

from cavmae_sync.errors import CavMaeSyncError, MediaError
from cavmae_sync.work.workers import interrupts_blocked, worker_context

#: Bytes that the process may take beyond what it has when it starts, and seconds for one file.
MOST_BYTES: Final = 4 << 30
MOST_SECONDS: Final = 120.0

Arguments = ParamSpec("Arguments")
Result = TypeVar("Result")


class LimitedWorker:
    """A process that calls functions, one after the other; started when it is needed, again after a crash.

    Args:
        most_bytes: Bytes that it may take beyond what it begins with. Only Linux keeps to them.
        most_seconds: Seconds that a call may take.
    """

    def __init__(self, *, most_bytes: int = MOST_BYTES, most_seconds: float = MOST_SECONDS) -> None:
        self._most_bytes, self._most_seconds = most_bytes, most_seconds
        self._lock = threading.Lock()
        self._is_closed = False
        self._process: BaseProcess | None = None
        self._connection: Connection | None = None

    def call(
        self, function: Callable[Arguments, Result], *args: Arguments.args, **kwargs: Arguments.kwargs
    ) -> Result:
        """Result of a function of a module, called in the process.

        Raises:
            MediaError: It crashed, took too long, or needed too much memory.
            CavMaeSyncError: What the function raised.
        """
        with self._lock:
            if self._is_closed:
                raise MediaError("The service is stopping.")
            connection = self._started()
            try:
                connection.send((function, args, kwargs))
                if not connection.poll(self._most_seconds):
                    self._end()
                    took = f"Decoding took more than {self._most_seconds:.0f} s."
                    raise MediaError(f"{took} Take a shorter part of the file.")
                is_result, answer = connection.recv()
            except (EOFError, OSError):
                self._end()
                raise MediaError(
                    "The decoder crashed on this file. Convert it, for example with ffmpeg, and send that."
                ) from None
        if not is_result:
            raise cast("CavMaeSyncError", answer)
        return cast("Result", answer)

    def close(self) -> None:
        """End the process, also in the middle of a call, which then fails."""
        self._is_closed = True
        process = self._process
        if process is not None:
            process.kill()
        with self._lock:
            self._end()

    def _started(self) -> Connection:
        if self._process is not None and self._process.is_alive() and self._connection is not None:
            return self._connection
        self._end()
        context = worker_context()
        ours, theirs = context.Pipe()
        process = context.Process(target=_serve, args=(theirs, self._most_bytes), daemon=True)
        with interrupts_blocked():
            process.start()
        theirs.close()
        self._process, self._connection = process, ours
        return ours

    def _end(self) -> None:
        if self._process is not None:
            self._process.kill()
            self._process.join()
        if self._connection is not None:
            self._connection.close()
        self._process = self._connection = None


def _serve(connection: Connection, most_bytes: int) -> None:
    """Answer calls until the other side is gone."""
    _limit_memory(most_bytes)
    while True:
        try:
            function, args, kwargs = connection.recv()
        except (EOFError, OSError):
            return
        with contextlib.suppress(BrokenPipeError):
            connection.send(_answer(function, args, kwargs))


def _answer(function: Callable[..., Any], args: Any, kwargs: Any) -> tuple[bool, Any]:
    try:
        return True, function(*args, **kwargs)
    except CavMaeSyncError as error:
        return False, error
    except MemoryError:
        return False, MediaError(
            "Decoding needs more memory than is allowed. Send a smaller or shorter part."
        )
    except OSError as error:
        return False, MediaError(f"The file cannot be read: {error.strerror or error}.")


def _limit_memory(most_bytes: int) -> None:
    if sys.platform != "linux":
        return  # other systems do not keep to the limit
    import resource

    pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[0])
    limit = pages * os.sysconf("SC_PAGE_SIZE") + most_bytes
    resource.setrlimit(resource.RLIMIT_AS, (limit, limit))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
