"""Byte ranges of the files of a folder, which stay open."""

import os
from collections import OrderedDict
from pathlib import Path

from cavmae_sync.data.storage.record import REMEDY
from cavmae_sync.errors import DatasetError
from cavmae_sync.untrusted import open_inside

_MAX_OPEN = 256
#: Longest range. Members of a dataset are far shorter; a damaged table or a sparse file could claim any
#: length.
_MOST_BYTES = 1 << 30

#: Longest range of one advice: Linux follows no more of it than its read-ahead, by default this.
_ADVISED_BYTES = 128 * 1024


class RangeReader:
    """Reads ranges of the files of a folder, keeping at most 256 of them open.

    `os.pread` uses no shared position, so a forked process may go on with the same descriptors. A pickled
    copy opens its own. Not for several threads at once.

    Args:
        folder: The folder.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._open: OrderedDict[str, tuple[int, int]] = OrderedDict()

    def read(self, name: str, *, offset: int, length: int) -> bytes:
        """`length` bytes of a file, from `offset` on.

        Raises:
            DatasetError: The file is missing, is not in the folder, or is too short.
        """
        descriptor, num_bytes = self._opened(name)
        if not (offset >= 0 and 0 <= length <= _MOST_BYTES and offset + length <= num_bytes):
            raise DatasetError(
                f"{self._folder / name} has {num_bytes} bytes, but the table of clips points to "
                f"{length} bytes from {offset} on. {REMEDY}"
            )
        content = os.pread(descriptor, length, offset)
        if len(content) != length:
            raise DatasetError(
                f"{self._folder / name} ends after {offset + len(content)} bytes, {offset + length} were "
                f"expected. {REMEDY}"
            )
        return content

    def read_ahead(self, name: str, *, offset: int, length: int) -> None:
        """Ask the system to read a range into its cache, without waiting for it.

        Nothing happens where the system takes no such advice, or for bytes beyond the end of the file.
        """
        if hasattr(os, "posix_fadvise"):
            descriptor, num_bytes = self._opened(name)
            stop = min(offset + length, num_bytes)
            for start in range(max(0, offset), stop, _ADVISED_BYTES):
                size = min(_ADVISED_BYTES, stop - start)
                os.posix_fadvise(descriptor, start, size, os.POSIX_FADV_WILLNEED)

    def close(self) -> None:
        """Close all files."""
        while self._open:
            os.close(self._open.popitem()[1][0])

    def __getstate__(self) -> Path:
        """The folder alone: open files are not pickled."""
        return self._folder

    def __setstate__(self, folder: Path) -> None:
        """Set the folder; no file is open yet."""
        self._folder = folder
        self._open = OrderedDict()

    def __del__(self) -> None:
        """Close what is still open."""
        self.close()

    def _opened(self, name: str) -> tuple[int, int]:
        """Descriptor and size in bytes of a file, which is opened if it is not open."""
        if name in self._open:
            self._open.move_to_end(name)
            return self._open[name]
        if len(self._open) >= _MAX_OPEN:
            os.close(self._open.popitem(last=False)[1][0])
        try:
            self._open[name] = open_inside(self._folder, name)
        except FileNotFoundError as error:
            raise DatasetError(f"{self._folder / name} is missing. Copy the dataset again.") from error
        return self._open[name]
