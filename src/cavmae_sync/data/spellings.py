"""Spellings of one name: an accented letter can be one character or two.

macOS and most lists write `é` as one character (Unicode form NFC); older file systems and archives write an
`e` and an accent (form NFD). Both look the same. So names of lists, tables and folders are compared here:

    1. the same characters: always preferred
    2. the same characters in form NFC: if only one name has them

If several names differ only in their form, and none has the same characters, an error is raised. Names and
paths are never changed: a file keeps the name that it has on disk.
"""

import os
import unicodedata
from collections import defaultdict
from collections.abc import Iterable
from pathlib import Path

from cavmae_sync.errors import DatasetError


def nfc(name: str) -> str:
    r"""Unicode form NFC of a name, which is equal for all spellings of it.

    >>> nfc("cafe\u0301") == nfc("caf\u00e9")
    True
    """
    return unicodedata.normalize("NFC", name)


def escaped(name: str) -> str:
    """Name with all letters beyond ASCII as numbers, for messages about names that look the same."""
    return ascii(name)


class Spellings:
    """Names that can be found by any of their spellings."""

    def __init__(self, names: Iterable[str]) -> None:
        """Takes the names. A repeated name counts once."""
        self._names = frozenset(names)
        self._by_form: dict[str, list[str]] = defaultdict(list)
        for name in sorted(self._names):
            self._by_form[nfc(name)].append(name)

    def find(self, name: str) -> str | None:
        """Name as it is spelled here; None if it is not here.

        Raises:
            DatasetError: Several names are spellings of it, and none has the same characters.
        """
        if name in self._names:
            return name
        found = self._by_form.get(nfc(name), [])
        if len(found) > 1:
            raise DatasetError(
                f"{name} ({escaped(name)}) could mean {' or '.join(map(escaped, found))}: they look the same "
                "and differ only in how accented letters are written. Rename all but one."
            )
        return found[0] if found else None


class DiskSpellings:
    """Paths of a list or table as they are spelled on disk. Each folder is listed only once."""

    def __init__(self) -> None:
        """No folder is listed yet."""
        self._names: dict[Path, Spellings] = {}

    def find(self, path: Path) -> Path:
        """Path as it is spelled on disk; the same path if there is no such file.

        Raises:
            DatasetError: Several files are spellings of it, and none has the same characters.
        """
        if str(path).isascii() or os.path.lexists(path):
            return path
        found = Path(path.anchor)
        for part in path.parts[1:] if path.anchor else path.parts:
            name = part if os.path.lexists(found / part) else self._names_in(found).find(part)
            if name is None:
                return path
            found /= name
        return found

    def _names_in(self, folder: Path) -> Spellings:
        if folder not in self._names:
            try:
                self._names[folder] = Spellings(path.name for path in folder.iterdir())
            except OSError:  # no folder, or not readable: reading the file will raise a better error
                self._names[folder] = Spellings(())
        return self._names[folder]
