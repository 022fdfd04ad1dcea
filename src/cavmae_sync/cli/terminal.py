"""All printing of commands: names of files, clips and labels cannot steer a terminal or forge lines."""

import json
import sys
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from rich.console import Console, ConsoleOptions, RenderableType
from rich.segment import Segment
from rich.text import Text

from cavmae_sync.safe_text import escape_line, escape_lines


class Terminal(Console):
    """Prints texts as they are: no markup, no emoji codes, and every string is one line.

    Several lines are several calls, `print_lines`, or what `cavmae_sync.safe_text` makes for a table.

    Args:
        settings: As for rich's `Console`.
    """

    def __init__(self, **settings: Any) -> None:
        super().__init__(markup=False, emoji=False, **settings)

    def render_str(self, text: str, **options: Any) -> Text:
        """A string as rich's text; rich asks here for all strings, those in tables too."""
        return super().render_str(escape_line(text), **options | {"markup": False, "emoji": False})

    def render(self, renderable: RenderableType, options: ConsoleOptions | None = None) -> Iterator[Segment]:
        """Pieces of text on their way out: those that were no strings are made safe too."""
        for segment in super().render(renderable, options):
            yield segment if segment.control else Segment(escape_lines(segment.text), segment.style)


def print_line(text: str) -> None:
    """Print one line to standard output."""
    Terminal(highlight=False).print(text, soft_wrap=True)


def print_lines(text: str) -> None:
    """Print text of our own making to standard output, JSON for example; its line breaks are kept."""
    print(escape_lines(text).removesuffix("\n"))


def print_json(content: Mapping[str, Any], *, indent: int | None = 2) -> None:
    """Print one JSON object to standard output, for programs.

    Args:
        content: What to print; a number that is not finite is refused, since JSON has none.
        indent: Blanks of a level; None prints one line.
    """
    print_lines(json.dumps(content, indent=indent, allow_nan=False, ensure_ascii=indent is None))


@contextmanager
def readable_warnings() -> Iterator[None]:
    """Warnings are shown as one safe line each while this lasts."""
    before = warnings.formatwarning
    warnings.formatwarning = lambda message, *_, **__: f"warning: {escape_line(str(message))}\n"
    try:
        yield
    finally:
        warnings.formatwarning = before


def accept_all_letters() -> None:
    """Letters that the encoding of standard output lacks are escaped instead of ending the program."""
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):  # not where a program has put something else in its place
            stream.reconfigure(errors="backslashreplace")
