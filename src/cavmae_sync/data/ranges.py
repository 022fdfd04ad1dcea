"""Reading byte ranges of files that stay open."""

import os
from collections import OrderedDict
from pathlib import Path

from cavmae_sync.errors import DatasetError

_MAX_OPEN = 256


class RangeReader:
    """Reads ranges of the files of a folder, keeping at most 256 of them open.

    `os.pread` has no position to share, so a forked process may go on with the same descriptors. A pickled
    copy opens its own. Not for several threads at once.

    Args:
        folder: Where the files are.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._open: OrderedDict[str, int] = OrderedDict()

    def read(self, name: str, *, offset: int, length: int) -> bytes:
        """`length` bytes of a file from `offset`.

        Raises:
            DatasetError: The file is missing or ends before.
        """
        content = os.pread(self._descriptor(name), length, offset)
        if len(content) != length:
            raise DatasetError(
                f"{self._folder / name} ends after {offset + len(content)} bytes, {offset + length} were "
                "expected. Copy the dataset again, or prepare it again."
            )
        return content

    def close(self) -> None:
        """Close all files."""
        while self._open:
            os.close(self._open.popitem()[1])

    def __getstate__(self) -> Path:
        """Only the folder; open files stay behind."""
        return self._folder

    def __setstate__(self, folder: Path) -> None:
        """Nothing is open yet."""
        self._folder = folder
        self._open = OrderedDict()

    def __del__(self) -> None:
        """Close what is still open."""
        self.close()

    def _descriptor(self, name: str) -> int:
        if name in self._open:
            self._open.move_to_end(name)
            return self._open[name]
        if len(self._open) >= _MAX_OPEN:
            os.close(self._open.popitem(last=False)[1])
        try:
            descriptor = os.open(self._folder / name, os.O_RDONLY)
        except FileNotFoundError as error:
            raise DatasetError(f"{self._folder / name} is missing. Copy the dataset again.") from error
        self._open[name] = descriptor
        return descriptor
