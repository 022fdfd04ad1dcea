"""Ctrl-C, SIGTERM and a closed terminal let work end cleanly."""

import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from types import FrameType
from typing import Final

#: Signals that ask a process to end: `kill`, `timeout`, service managers and clusters send the first, a
#: terminal sends the second when it is closed. Without a handler, no `finally` would run.
_STOPS: Final = (signal.SIGTERM, signal.SIGHUP)
#: Shells add this to the number of the signal that ended a command.
_EXIT_BASE: Final = 128


@contextmanager
def stops_are_interrupts() -> Iterator[Callable[[], int]]:
    """Let SIGTERM and SIGHUP raise `KeyboardInterrupt`, as Ctrl-C does, so that all three clean up alike.

    Signals that something else handles or ignores (submitit, `nohup`) are left alone; so are other threads.

    Yields:
        A function that gives the exit code of a command that was interrupted: 130, 143 or 129.
    """
    numbers: list[int] = []

    def interrupt(number: int, frame: FrameType | None) -> None:  # noqa: ARG001 (the handler's signature)
        numbers.append(number)
        raise KeyboardInterrupt

    is_main = threading.current_thread() is threading.main_thread()
    ours = [each for each in _STOPS if is_main and signal.getsignal(each) == signal.SIG_DFL]
    for each in ours:
        signal.signal(each, interrupt)
    try:
        yield lambda: _EXIT_BASE + (numbers[-1] if numbers else signal.SIGINT)
    finally:
        for each in ours:
            signal.signal(each, signal.SIG_DFL)


@contextmanager
def stop_on_signal() -> Iterator[Callable[[], bool]]:
    """Turn the first Ctrl-C, SIGTERM or SIGHUP into a question that can be asked; the second acts as usual.

    Yields:
        A function that says whether to stop.
    """
    asked = False

    def remember(number: int, frame: FrameType | None) -> None:
        nonlocal asked
        asked = True
        for each, handler in before.items():
            signal.signal(each, handler)
        handler = before[signal.Signals(number)]
        if callable(handler):
            with suppress(KeyboardInterrupt):
                handler(number, frame)  # it notes which one came, for the exit code

    before = {
        number: handler
        for number in (signal.SIGINT, *_STOPS)
        if (handler := signal.getsignal(number)) is not signal.SIG_IGN
    }
    for number in before:
        signal.signal(number, remember)
    try:
        yield lambda: asked
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
