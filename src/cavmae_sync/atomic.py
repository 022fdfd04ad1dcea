"""Files that appear complete or not at all, even when the machine stops in between; and text for them."""

import csv
import fcntl
import io
import os
import uuid
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from cavmae_sync.errors import DatasetError

PART_SUFFIX = ".part"


@contextmanager
def written_whole(path: Path) -> Iterator[Path]:
    """A temporary name in the same folder; on success it is flushed to disk and renamed to `path`.

    On an exception the temporary file is removed. After a kill it stays behind, ending in `.part`.
    """
    part = path.with_name(f"{path.name}.{uuid.uuid4().hex}{PART_SUFFIX}")
    try:
        yield part
        with part.open("rb+") as file:
            os.fsync(file.fileno())
        part.replace(path)
        _flush_folder(path.parent)
    finally:
        part.unlink(missing_ok=True)


def write_text(path: Path, text: str) -> None:
    """Write a UTF-8 text file, whole or not at all."""
    with written_whole(path) as part:
        part.write_text(text, encoding="utf-8")


def csv_text(rows: Iterable[Sequence[object]]) -> str:
    """Rows as the text of a CSV file; the first one is its header.

    >>> print(csv_text([("start", "label"), (0.5, "a, b")]), end="")
    start,label
    0.5,"a, b"
    """
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerows(rows)
    return text.getvalue()


@contextmanager
def locked(path: Path, *, busy: str | None = None) -> Iterator[None]:
    """Hold a lock that the system takes back when the process ends, however it ends.

    Args:
        path: File that stands for the lock; made, with its folder, and left.
        busy: What to say when another holds it; None waits.

    Raises:
        DatasetError: `busy`.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | (0 if busy is None else fcntl.LOCK_NB))
        except BlockingIOError as error:
            raise DatasetError(str(busy)) from error
        yield


def _flush_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
