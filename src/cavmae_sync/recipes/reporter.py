"""Callbacks of the long runs: tables and the demo."""

from collections.abc import Callable
from dataclasses import dataclass

#: Called with the name of what is done now, how much of it is done, and how much there is.
OnNamedProgress = Callable[[str, int, int], None]


@dataclass(frozen=True, kw_only=True, slots=True)
class Reporter:
    """Functions that a run calls while it goes on.

    Attributes:
        on_progress: Called with the name of what is done now, how much of it is done, and how much there is.
        should_stop: Asked after each training step and between measurements; true ends the run early.
    """

    on_progress: OnNamedProgress = lambda *_: None
    should_stop: Callable[[], bool] = lambda: False
