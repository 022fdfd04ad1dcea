"""Timecode: frames counted as hours, minutes, seconds and frames, with and without drop frame.

At 30000/1001 frames a second, a count by 30 runs slow: an hour of it lasts 3.6 s more than an hour. Drop
frame leaves out numbers (not frames) so that the count keeps up with the clock: two in each minute, except in
each tenth. At 60000/1001 it is four.
"""

import re
from dataclasses import dataclass
from fractions import Fraction
from typing import Final, Self

from cavmae_sync.errors import ConfigError

_TEXT: Final = re.compile(r"(\d\d):([0-5]\d):([0-5]\d)([:;.,])(\d{2,3})")
_MINUTES_A_DAY: Final = 24 * 60
_DROPS_EVERY: Final = 30  # drop frame exists at 30, 60 and 120 frames a second, less a thousandth


def counts_in(rate: Fraction) -> int:
    """Frames in a second of timecode: 24 at 24000/1001, 30 at 30000/1001.

    Raises:
        ConfigError: There is no timecode at this rate.
    """
    whole = round(rate)
    if whole < 1 or rate not in (Fraction(whole), Fraction(1000 * whole, 1001)):
        raise ConfigError(
            f"There is no timecode at {rate} frames a second. Take a whole number, or one times 1000/1001, "
            "such as 25 or 30000/1001."
        )
    return whole


def may_drop(rate: Fraction) -> bool:
    """Whether there is drop frame timecode at a rate."""
    return rate.denominator == 1001 and round(rate) % _DROPS_EVERY == 0


def parse_rate(text: str) -> Fraction:
    """Exact rate of what people write: `25`, `29.97`, `23.976`, `30000/1001`.

    >>> parse_rate("29.97"), parse_rate("23.98"), parse_rate("25")
    (Fraction(30000, 1001), Fraction(24000, 1001), Fraction(25, 1))

    Raises:
        ConfigError: It is no rate at which there is timecode.
    """
    try:
        given = Fraction(text.strip())
    except (ValueError, ZeroDivisionError):
        raise ConfigError(f"{text!r:.40} is no frame rate. Write 25, 29.97 or 30000/1001.") from None
    slow = Fraction(1000 * round(given), 1001)
    if given.denominator != 1 and abs(given - slow) < Fraction(1, 100):
        given = slow
    counts_in(given)
    return given


@dataclass(frozen=True, kw_only=True, slots=True)
class Timecode:
    """A frame of a timecode.

    Attributes:
        frame: Frames since 00:00:00:00. After 24 hours the text begins again.
        rate: Frames per second, exact.
        is_drop: Whether it is drop frame.
    """

    frame: int
    rate: Fraction
    is_drop: bool = False

    def __post_init__(self) -> None:
        counts_in(self.rate)
        if self.is_drop and not may_drop(self.rate):
            raise ConfigError(
                f"There is no drop frame timecode at {self.rate} frames a second: only at 30000/1001, "
                "60000/1001 and 120000/1001."
            )

    @property
    def seconds(self) -> Fraction:
        """Time since 00:00:00:00, exact."""
        return self.frame / self.rate

    def later(self, num_frames: int) -> "Timecode":
        """The frame some frames later."""
        return Timecode(frame=self.frame + num_frames, rate=self.rate, is_drop=self.is_drop)

    def __str__(self) -> str:
        """Text of it, with `;` before the frames of drop frame."""
        whole = counts_in(self.rate)
        of_day = self.frame % _frames_a_day(whole, is_drop=self.is_drop)
        minute, frame = _with_dropped_numbers(of_day, whole) if self.is_drop else divmod(of_day, 60 * whole)
        second, frame = divmod(frame, whole)
        digits = max(2, len(str(whole - 1)))
        mark = ";" if self.is_drop else ":"
        return f"{minute // 60:02d}:{minute % 60:02d}:{second:02d}{mark}{frame:0{digits}d}"

    @classmethod
    def parse(cls, text: str, rate: Fraction) -> Self:
        """Timecode of a text; `;`, `,` or `.` before the frames says drop frame, at rates that have it.

        Raises:
            ConfigError: It is none at this rate, or a number that drop frame leaves out.
        """
        whole, found = counts_in(rate), _TEXT.fullmatch(text.strip())
        if found is None or int(found[1]) > 23 or int(found[5]) >= whole:
            raise ConfigError(
                f"{text!r:.40} is no timecode at {rate} frames a second. It must be HH:MM:SS:FF, with FF "
                f"below {whole}."
            )
        hour, minute, second, frame = (int(found[i]) for i in (1, 2, 3, 5))
        is_drop = found[4] != ":" and may_drop(rate)
        minutes = 60 * hour + minute
        count = whole * (60 * minutes + second) + frame
        if is_drop:
            dropped = _dropped_a_minute(whole)
            if second == 0 and frame < dropped and minute % 10:
                raise ConfigError(f"{text!r:.40} does not exist: drop frame leaves this number out.")
            count -= dropped * (minutes - minutes // 10)
        return cls(frame=count, rate=rate, is_drop=is_drop)


def _dropped_a_minute(whole: int) -> int:
    return 2 * whole // _DROPS_EVERY


def _frames_a_day(whole: int, *, is_drop: bool) -> int:
    tenths = _MINUTES_A_DAY // 10
    return 60 * whole * _MINUTES_A_DAY - (9 * tenths * _dropped_a_minute(whole) if is_drop else 0)


def _with_dropped_numbers(frame: int, whole: int) -> tuple[int, int]:
    """Minute, and number in it, of a frame of a day in drop frame."""
    dropped = _dropped_a_minute(whole)
    of_tenth, of_minute = 600 * whole - 9 * dropped, 60 * whole - dropped
    tenth, frame = divmod(frame, of_tenth)
    if frame < 60 * whole:
        return 10 * tenth, frame
    minute, frame = divmod(frame - 60 * whole, of_minute)
    return 10 * tenth + 1 + minute, frame + dropped
