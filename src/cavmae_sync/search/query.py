"""Queries: what is looked for, as vectors at the steps of a library; and parts of files to look for.

N moments of a query, D width.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Self

import numpy as np
from numpy.typing import NDArray

from cavmae_sync.embedding.library.schema import Sense
from cavmae_sync.errors import ConfigError

#: Phases at which the moments of a query are taken: steps of a library are long, and sounds short.
NUM_PHASES: Final = 4
_SPAN: Final = re.compile(r"(?P<path>.+)@(?P<start>[0-9.:]+)-(?P<stop>[0-9.:]+)$", re.DOTALL)


@dataclass(frozen=True, kw_only=True, slots=True)
class Span:
    """A part of a file, in seconds from its beginning; a stop of None is its end."""

    start_seconds: float = 0.0
    stop_seconds: float | None = None

    def __post_init__(self) -> None:
        stop = float("inf") if self.stop_seconds is None else self.stop_seconds
        if not 0 <= self.start_seconds < stop:
            raise ConfigError(f"The span from {self.start_seconds:g} to {stop:g} s ends before it begins.")


@dataclass(frozen=True, kw_only=True, slots=True)
class Box:
    """A part of a picture, in fractions of its width and height from the upper left corner."""

    left: float
    top: float
    width: float
    height: float

    def __post_init__(self) -> None:
        is_inside = self.left >= 0 and self.top >= 0 and self.left + self.width <= 1 + 1e-9
        is_inside &= self.top + self.height <= 1 + 1e-9
        if not (is_inside and self.width > 0 and self.height > 0):
            raise ConfigError(
                f"The box {self.left:g},{self.top:g},{self.width:g},{self.height:g} must be "
                "left,top,width,height in fractions of the picture: 0.5,0,0.5,1 is its right half."
            )

    @classmethod
    def parse(cls, text: str) -> Self:
        """The box of `left,top,width,height`.

        Raises:
            ConfigError: It is none, or not inside of the picture.
        """
        try:
            left, top, width, height = map(float, text.split(","))
        except ValueError as error:
            raise ConfigError(f"The box {text!r:.80} must be left,top,width,height: 0.5,0,0.5,1.") from error
        return cls(left=left, top=top, width=width, height=height)

    def cut(self, frames_THWC: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """The part of frames, at least one pixel."""
        height, width = frames_THWC.shape[1:3]
        top, left = int(self.top * height), int(self.left * width)
        bottom = max(round((self.top + self.height) * height), top + 1)
        right = max(round((self.left + self.width) * width), left + 1)
        return frames_THWC[:, top:bottom, left:right]


@dataclass(frozen=True, kw_only=True, slots=True)
class Query:
    """Vectors that are looked for.

    Attributes:
        rows: For each sense that the query has float32 [N, D], unit rows; a row that is absent is zero.
        step_seconds: Time from one row to the next.
        first_seconds: Time of the first row, from the beginning of the query.
        duration_seconds: Length of the query; 0 for a picture.
        about: What it is, for people.
        later: The same query with its moments a part of a step later, as queries of their own. Moments of a
            library lie on a grid, and those of a query need not meet it: one of its phases nearly does.
        is_native: Whether its rows are of the kind that the library holds, so that stretches of the library
            can show how strangers score. Those of a text are not.
        weights: How much a cosine with each sense counts, where the query says so itself.
    """

    rows: dict[Sense, NDArray[np.float32]]
    step_seconds: float
    first_seconds: float
    duration_seconds: float
    about: str
    later: tuple["Query", ...] = ()
    is_native: bool = True
    weights: Mapping[Sense, float] | None = None

    def __post_init__(self) -> None:
        if not self.rows or len({len(rows) for rows in self.rows.values()}) != 1:
            raise ValueError("a query needs rows of a sense, and as many of both")

    def __len__(self) -> int:
        """Number of rows of each sense."""
        return len(next(iter(self.rows.values())))

    @property
    def senses(self) -> tuple[Sense, ...]:
        """Senses that it has."""
        return tuple(self.rows)

    @property
    def phases(self) -> "tuple[Query, ...]":
        """Itself, and the later ones."""
        return (self, *self.later)


def parse_span(text: str) -> tuple[Path, Span]:
    """Path and span of `FILE` or `FILE@START-STOP`; times are seconds or H:MM:SS.

    >>> parse_span("a.mp4@1:02.5-1:10")
    (PosixPath('a.mp4'), Span(start_seconds=62.5, stop_seconds=70.0))
    >>> parse_span("a@b.mp4")[1]
    Span(start_seconds=0.0, stop_seconds=None)

    Raises:
        ConfigError: The span ends before it begins, or a time is none.
    """
    found = _SPAN.match(text)
    if found is None or Path(text).exists():
        return Path(text), Span()
    start, stop = (_seconds(found[name], text) for name in ("start", "stop"))
    if not stop > start:
        raise ConfigError(f"{text}: the span ends before it begins. Write FILE@START-STOP, in seconds.")
    return Path(found["path"]), Span(start_seconds=start, stop_seconds=stop)


def _seconds(text: str, whole: str) -> float:
    parts: Sequence[str] = text.split(":")
    try:
        numbers = [float(part) for part in parts]
    except ValueError as error:
        raise ConfigError(f"{whole}: {text!r} is no time. Write seconds, or H:MM:SS.") from error
    return sum(number * 60.0**power for power, number in enumerate(reversed(numbers)))
