"""Checks of a caller's wishes: all errors are reported at once, with the name that was probably meant."""

import difflib
from collections.abc import Callable, Iterable
from typing import TypeVar

from cavmae_sync.errors import CavMaeSyncError, SeveralError

T = TypeVar("T")


class Checks:
    """Checks made one after the other, whose errors are reported together instead of one per attempt."""

    def __init__(self) -> None:
        """Begin without errors."""
        self._errors: list[Exception] = []

    def collect(self, check: Callable[[], T]) -> T | None:
        """Result of a check; None where it raises an error of ours or of the system, which is kept."""
        try:
            return check()
        except SeveralError as error:
            self._errors += error.errors
        except (CavMaeSyncError, OSError) as error:
            self._errors.append(error)
        return None

    def raise_errors(self) -> None:
        """Raise the errors that were kept.

        Raises:
            Exception: There is one error.
            SeveralError: There are several.
        """
        different = list({str(error): error for error in self._errors}.values())
        if len(different) == 1:
            raise different[0]
        if different:
            raise SeveralError(different)


def unknown_name(what: str, name: str, names: Iterable[str]) -> str:
    """Message for an unknown name: the nearest known one, and all known ones.

    >>> unknown_name("table", "tabel8", ["table7", "table8"])
    "There is no table 'tabel8'. Did you mean 'table8'? There are: table7, table8."
    """
    known = list(names)
    hint = did_you_mean(name, known)
    return f"There is no {what} {name!r}. {hint}There are: {', '.join(known)}."


def first_names(names: Iterable[str], *, most: int = 5) -> str:
    """First names of many, and how many more there are, for messages.

    >>> first_names(["a", "b", "c", "d"], most=2)
    'a, b and 2 more'
    """
    found = list(names)
    more = f" and {len(found) - most} more" if len(found) > most else ""
    return f"{', '.join(found[:most])}{more}"


def did_you_mean(name: str, names: Iterable[str]) -> str:
    """Question with the nearest name, and a blank; empty where none is near.

    >>> did_you_mean("flaot32", ["float32", "bfloat16"])
    "Did you mean 'float32'? "
    >>> did_you_mean("xyz", ["float32", "bfloat16"])
    ''
    """
    by_lower = {each.lower(): each for each in names}
    near = difflib.get_close_matches(name.lower(), by_lower, n=1)
    return f"Did you mean {by_lower[near[0]]!r}? " if near else ""
