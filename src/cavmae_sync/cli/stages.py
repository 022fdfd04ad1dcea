"""One progress display after the other, for commands that do several things in a row."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager

from cavmae_sync.cli.progress import Advance, show_progress

#: What saves by itself when it is asked to stop, and must not be interrupted.
_SAVES_FIRST = "pretraining"


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
        self.advance(done, total, "")


@contextmanager
def show_stages(should_stop: Callable[[], bool]) -> Iterator[Callable[[str, int, int], None]]:
    """Show how far each of several stages is, and stop between two steps of one when asked to.

    Args:
        should_stop: Asked at every report; a stage whose title begins with "pretraining" asks by itself.

    Yields:
        A function to call with (title of the stage, done, total).
    """
    with ExitStack() as stack:
        yield _Stages(stack, should_stop)
