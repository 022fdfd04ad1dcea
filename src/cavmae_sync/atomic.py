"""Files that are written whole or not at all, even when the machine stops in between; locks; CSV text."""

import csv
import errno
import fcntl
import functools
import hashlib
import io
import os
import platform
import time
import uuid
import warnings
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO

from cavmae_sync.errors import CavMaeSyncError, DatasetError

PART_SUFFIX = ".part"
_DIGITS = 16
_SECONDS_BETWEEN_TRIES = 0.2
#: Errors of a file system that has no locks.
_NO_LOCKS = frozenset({errno.ENOSYS, errno.ENOLCK, errno.EOPNOTSUPP, errno.ENOTSUP})


@contextmanager
def written_whole(path: Path) -> Iterator[Path]:
    """Give a temporary path in the same folder; on success it is flushed to disk and renamed to `path`.

    On an exception the temporary file is removed. After a kill it stays, ending in `.part`, until a process
    of the same machine writes into that folder.
    """
    _remove_left_by_kills(path.parent)
    part = path.with_name(f"{path.name}.{_machine()}{uuid.uuid4().hex[:_DIGITS]}{PART_SUFFIX}")
    try:
        with part.open("wb") as held:
            _try_lock(held)
            yield part
            with part.open("rb+") as file:
                os.fsync(file.fileno())
            part.replace(path)
            # Without this the rename may be lost when the machine stops, though the file is on disk.
            _flush_folder(path.parent)
    finally:
        part.unlink(missing_ok=True)


def write_text(path: Path, text: str) -> None:
    """Write a UTF-8 text file, whole or not at all."""
    with written_whole(path) as part:
        part.write_text(text, encoding="utf-8")


def csv_text(rows: Iterable[Sequence[object]]) -> str:
    """Text of a CSV file from rows; the first one is its header.

    >>> print(csv_text([("start", "label"), (0.5, "a, b")]), end="")
    start,label
    0.5,"a, b"
    """
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerows(rows)
    return text.getvalue()


@contextmanager
def locked(
    path: Path,
    *,
    busy: str | None = None,
    error: type[CavMaeSyncError] = DatasetError,
    on_wait: Callable[[], None] | None = None,
) -> Iterator[None]:
    """Hold a lock on a file. The system releases it when the process ends, however it ends.

    On a file system without locks (Lustre, depending on how it is mounted) it warns and holds nothing.

    Args:
        path: File that is locked; it and its folder are made, and stay.
        busy: Message of the error when another process holds the lock; None waits for it.
        error: Kind of that error.
        on_wait: Called again and again while it waits (without `busy`); what it raises ends the waiting.

    Raises:
        CavMaeSyncError: Another process holds it, and `busy` is given; of the kind `error`.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    with _opened_lock(path) as file:
        while not _take_lock(file, waits=busy is None and on_wait is None):
            if busy is not None:
                raise error(busy)
            if on_wait is not None:
                on_wait()
            time.sleep(_SECONDS_BETWEEN_TRIES)
        yield


@functools.cache
def _remove_left_by_kills(folder: Path) -> None:
    """Remove unfinished files that no process writes any more. Once for each folder, since it may be large.

    Files of other machines are left alone: not every network file system shows their locks.
    """
    for part in folder.glob(f"*.{_machine()}{'?' * _DIGITS}{PART_SUFFIX}"):
        with suppress(FileNotFoundError), part.open("rb") as file:
            if _try_lock(file):
                part.unlink()


@functools.cache
def _machine() -> str:
    return hashlib.sha256(platform.node().encode()).hexdigest()[:_DIGITS]


def _opened_lock(path: Path) -> IO[str]:
    try:
        return path.open("a")
    except PermissionError:
        if not path.exists():
            raise
        return path.open()  # another user of the folder made it; reading is enough for a lock


def _take_lock(file: IO[str], *, waits: bool) -> bool:
    """Whether the lock is held now. Where the file system has none, it warns and says yes."""
    try:
        fcntl.flock(file, fcntl.LOCK_EX | (0 if waits else fcntl.LOCK_NB))
    except BlockingIOError:
        return False
    except OSError as error:
        if error.errno not in _NO_LOCKS:
            raise
        folder = Path(file.name).parent
        warnings.warn(
            f"The file system of {folder} has no locks: nothing keeps a second process from writing there.",
            stacklevel=4,  # the `with` of the caller
        )
    return True


def _try_lock(file: IO[bytes]) -> bool:
    """Whether the lock could be taken. It ends when the file is closed or the process ends."""
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:  # held, or a file system without locks
        return False
    return True


def _flush_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
