"""Progress on standard error: a bar with rate and time left on a terminal, a line now and then elsewhere."""

import os
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from typing import Protocol

from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    ProgressColumn,
    SpinnerColumn,
    Task,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)
from rich.text import Text

from cavmae_sync.cli.terminal import Terminal
from cavmae_sync.safe_text import escape_line


class Advance(Protocol):
    """Shows how far the work is; takes what is done, what there is in all, and a short note."""

    def __call__(self, done: int, total: int, note: str = "", /) -> None:
        """Show it."""


_SECONDS_BETWEEN_LINES = 15.0
#: Title of the work that saves by itself when it is asked to stop, and must not be interrupted.
_SAVES_FIRST = "pretraining"


class _Rate(ProgressColumn):
    """Things per second, over the whole task."""

    def render(self, task: Task) -> Text:
        """For example "12.3/s"."""
        speed = task.finished_speed or task.speed
        return Text("" if speed is None else f"{speed:.1f}/s", style="progress.data.speed")


@contextmanager
def show_progress(title: str) -> Iterator[Advance]:
    """Show the progress of some work on standard error.

    Args:
        title: Name of the work.

    Yields:
        A function to call with (done, total, note).
    """
    console = Terminal(stderr=True)
    if os.environ.get("RANK", "0") != "0":  # torchrun: one process shows what all do
        yield lambda *_: None
        return
    if not console.is_terminal:
        yield _Lines(title, console)
        return
    with Progress(
        SpinnerColumn(),
        TextColumn("{task.description}", markup=False),
        BarColumn(),
        MofNCompleteColumn(),
        _Rate(),
        TimeElapsedColumn(),
        TextColumn("left"),
        TimeRemainingColumn(),
        TextColumn("{task.fields[note]}", markup=False),
        console=console,
    ) as progress:
        task = progress.add_task(title, total=None, note="")

        def advance(done: int, total: int, note: str = "") -> None:
            if progress.tasks[0].total is None:  # work of earlier starts would spoil the rate
                progress.reset(task, completed=done, total=total, note=escape_line(note))
            progress.update(task, completed=done, total=total, note=escape_line(note))

        yield advance


class _Lines:
    """One line every now and then, for logs."""

    def __init__(self, title: str, console: Terminal) -> None:
        self.title, self.console = title, console
        self.began = self.last = time.monotonic()
        self.done_before: int | None = None
        self.finished: int | None = None

    def __call__(self, done: int, total: int, note: str = "") -> None:
        now = time.monotonic()
        if self.done_before is None:
            self.done_before = max(done - 1, 0)
        is_finished = done >= total
        if total == self.finished if is_finished else now - self.last < _SECONDS_BETWEEN_LINES:
            return
        self.last, self.finished = now, total if is_finished else None
        spent = now - self.began
        done_now = done - self.done_before
        left = f", {spent / done_now * (total - done):.0f} s left" if done_now and not is_finished else ""
        self.console.print(
            f"{self.title}: {done}/{total}, {spent:.0f} s{left} {note}".rstrip(), soft_wrap=True
        )


class _Stages:
    """One progress display per stage, opened when the stage begins."""

    def __init__(self, stack: ExitStack, should_stop: Callable[[], bool]) -> None:
        self.stack, self.title, self.should_stop = stack, "", should_stop
        self.advance: Advance | None = None

    def __call__(self, title: str, done: int, total: int) -> None:
        if not title.startswith(_SAVES_FIRST) and self.should_stop():
            raise KeyboardInterrupt
        if title != self.title or self.advance is None:
            self.stack.close()
            self.title, self.advance = title, self.stack.enter_context(show_progress(title))
        self.advance(done, total)


@contextmanager
def show_stages(should_stop: Callable[[], bool]) -> Iterator[Callable[[str, int, int], None]]:
    """Show the progress of several stages, one after the other, and stop between two steps when asked to.

    Args:
        should_stop: Asked at every report; a stage whose title begins with "pretraining" asks by itself.

    Yields:
        A function to call with (title of the stage, done, total).
    """
    with ExitStack() as stack:
        yield _Stages(stack, should_stop)
