"""When two texts are one name: accented letters can be written in one piece or in two.

macOS and most lists write `é` as one character (Unicode's form NFC), older file systems and archives write an
`e` and an accent (NFD). Both look the same, and no byte tells which one a person meant. So names of lists,
tables and folders are compared here, in this order:

    the very same characters      always goes first
    the same in form NFC          where just one name is

Where several names differ in nothing but their form, and none is meant exactly, that is refused. Names and
paths are never changed: a file keeps the name that it has on the disk.
"""

import os
import unicodedata
from collections import defaultdict
from collections.abc import Iterable
from pathlib import Path

from cavmae_sync.errors import DatasetError


def nfc(name: str) -> str:
    r"""What two spellings of one name have in common.

    >>> nfc("cafe\u0301") == nfc("caf\u00e9")
    True
    """
    return unicodedata.normalize("NFC", name)


def escaped(name: str) -> str:
    """A name for a message in which another looks like it: every letter beyond ASCII as its number."""
    return ascii(name)


class Spellings:
    """Names, found by any spelling of theirs."""

    def __init__(self, names: Iterable[str]) -> None:
        """Takes the names; a repeated one counts once."""
        self._names = frozenset(names)
        self._by_form: dict[str, list[str]] = defaultdict(list)
        for name in sorted(self._names):
            self._by_form[nfc(name)].append(name)

    def find(self, name: str) -> str | None:
        """The name as it is spelled here; None where it is not here.

        Raises:
            DatasetError: Several names here are spellings of it, and none is the very same.
        """
        if name in self._names:
            return name
        found = self._by_form.get(nfc(name), [])
        if len(found) > 1:
            raise DatasetError(
                f"{name} could mean {' or '.join(map(escaped, found))}, which look the same, and is spelled "
                f"like none of them ({escaped(name)}). Rename all but one."
            )
        return found[0] if found else None


class DiskSpellings:
    """Paths of lists and tables as the disk spells them. Folders are listed once: use one for each list."""

    def __init__(self) -> None:
        """Nothing is known yet."""
        self._names: dict[Path, Spellings] = {}

    def find(self, path: Path) -> Path:
        """A path as the disk spells it; as it was where nothing of that name is there.

        Raises:
            DatasetError: Several files differ from it in nothing but the form of their letters.
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
            except OSError:  # no folder, or one that may not be read: who reads the file says so
                self._names[folder] = Spellings(())
        return self._names[folder]
