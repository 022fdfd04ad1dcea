"""Turns: requests that decode or compute wait for theirs without holding a thread that others need."""

from collections.abc import Callable
from functools import partial
from typing import ParamSpec, TypeVar

from anyio import CapacityLimiter
from anyio.to_thread import run_sync

Arguments = ParamSpec("Arguments")
Result = TypeVar("Result")


class Turns:
    """Threads for one kind of work, apart from those that answer everything else.

    Args:
        most: Threads at most; who comes later waits.
    """

    def __init__(self, most: int) -> None:
        self._limiter = CapacityLimiter(most)

    async def take(
        self, work: Callable[Arguments, Result], *args: Arguments.args, **kwargs: Arguments.kwargs
    ) -> Result:
        """Result of something, in its turn."""
        return await run_sync(partial(work, *args, **kwargs), limiter=self._limiter)
