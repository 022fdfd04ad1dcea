"""The catalogue of a library: which files it knows, where they lie, and what became of them. An SQLite file.

    roots     folders of files, by name; a folder may move, and its files keep their names
    files     path below a root, size, time of change, content (SHA-256), state
    contents  what a part holds: clips, seconds, senses
    skipped   files of a root that are not tried, with the reason

One process writes, any number read meanwhile. Each change is one transaction: a process that is killed leaves
the state before it or after it. No write-ahead log is used, so that a library works on network folders and on
disks that cannot be written to.
"""

import os
import sqlite3
from collections.abc import Iterable, Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import astuple, dataclass, fields, replace
from pathlib import Path, PurePosixPath
from typing import Any, Final, Literal, Self

from cavmae_sync.data.storage.tables import Rejected
from cavmae_sync.embedding.library.schema import CATALOGUE_FILE, is_content, part_path
from cavmae_sync.errors import DatasetError

#: What became of a file: to be encoded, in the library, refused, no longer there. A file whose root is not
#: there is offline, which is seen when it is looked for and not stored.
FileState = Literal["pending", "ok", "failed", "gone"]

_APPLICATION_ID: Final = 0x43415653
_SECONDS_TO_WAIT: Final = 60.0
_TABLES: Final = """
CREATE TABLE roots (name TEXT PRIMARY KEY, path TEXT NOT NULL, is_listed INTEGER NOT NULL);
CREATE TABLE files (
  root TEXT NOT NULL, path TEXT NOT NULL, num_bytes INTEGER, changed_ns INTEGER, content TEXT,
  state TEXT NOT NULL, reason TEXT, message TEXT, PRIMARY KEY (root, path)
);
CREATE INDEX files_by_content ON files (content);
CREATE INDEX files_by_state ON files (state);
CREATE TABLE contents (
  content TEXT PRIMARY KEY, num_clips INTEGER NOT NULL, num_frames INTEGER NOT NULL, seconds REAL NOT NULL,
  has_audio INTEGER NOT NULL, has_visual INTEGER NOT NULL, num_silent INTEGER NOT NULL,
  num_still INTEGER NOT NULL, num_short INTEGER NOT NULL, num_bytes INTEGER NOT NULL
);
CREATE TABLE skipped (root TEXT NOT NULL, path TEXT NOT NULL, reason TEXT NOT NULL, message TEXT NOT NULL);
CREATE TABLE facts (name TEXT PRIMARY KEY, value TEXT NOT NULL);
INSERT INTO facts VALUES ('generation', '0');
"""
#: Contents that no file holds any more.
_ORPHANS: Final = "FROM contents WHERE content NOT IN (SELECT content FROM files WHERE content IS NOT NULL)"


@dataclass(frozen=True, kw_only=True, slots=True)
class Root:
    """A folder that files lie below.

    Attributes:
        name: Name in this library.
        path: Where it is now; None where it is not known.
        is_listed: Whether files were named one by one, so that new ones in the folder are not looked for.
    """

    name: str
    path: Path | None
    is_listed: bool


@dataclass(frozen=True, kw_only=True, slots=True)
class FileRow:
    """A file that the library knows.

    Attributes:
        root: Name of its root.
        path: Path below the root, with `/` on every system.
        num_bytes: Size when it was last looked at; None where that is not known.
        changed_ns: Time of its last change then, nanoseconds.
        content: SHA-256 of what it holds; None before it was read.
        state: What became of it.
        reason: `MediaError.code` of a failed file, or `passed_over` for a note on a good one.
        message: The same in words.
    """

    root: str
    path: str
    num_bytes: int | None = None
    changed_ns: int | None = None
    content: str | None = None
    state: FileState = "pending"
    reason: str | None = None
    message: str | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class ContentRow:
    """Counts of a part.

    Attributes:
        content: SHA-256 of the file.
        num_clips: Its clips.
        num_frames: Moments of all clips: vectors of each sense.
        seconds: Length of all clips.
        has_audio: Whether it has sound.
        has_visual: Whether it has a picture.
        num_silent: Clips flagged silent.
        num_still: Clips flagged still.
        num_short: Clips flagged short.
        num_bytes: Size of the part.
    """

    content: str
    num_clips: int
    num_frames: int
    seconds: float
    has_audio: bool
    has_visual: bool
    num_silent: int
    num_still: int
    num_short: int
    num_bytes: int


class Catalogue:
    """The catalogue of a library, open. Use it as a context, or close it.

    Args:
        folder: Folder of the library.
        is_writable: Whether to make it if it is missing, and to change it. Callers see to it that only one
            process does.

    Raises:
        DatasetError: The file is no catalogue, or damaged.
    """

    def __init__(self, folder: Path, *, is_writable: bool = False) -> None:
        self.path = folder / CATALOGUE_FILE
        if not (is_writable or self.path.is_file()):
            self._connection = _empty()
            return
        try:
            self._connection = _connect(self.path, is_new=is_writable)
            if is_writable:
                self._make()
            found = self._connection.execute("PRAGMA application_id").fetchone()[0]
        except sqlite3.Error as error:
            raise _damaged(self.path, error) from error
        if found != _APPLICATION_ID:
            raise _damaged(self.path, "it was not written by this program")

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_error: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the file."""
        self._connection.close()

    @property
    def generation(self) -> int:
        """A number that grows with each change: readers see by it that they have to look again."""
        return int(self._rows("SELECT value FROM facts WHERE name = 'generation'")[0][0])

    def fact(self, name: str) -> str | None:
        """A fact that was noted under a name."""
        found = self._rows("SELECT value FROM facts WHERE name = ?", name)
        return found[0][0] if found else None

    def note(self, name: str, value: str) -> None:
        """Note a fact, such as where the model lies."""
        with self._changing() as execute:
            execute("INSERT OR REPLACE INTO facts VALUES (?, ?)", (name, value))

    def roots(self) -> dict[str, Root]:
        """All roots by name, in the order in which they came."""
        rows = self._rows("SELECT name, path, is_listed FROM roots ORDER BY rowid")
        return {
            name: Root(name=name, path=Path(path) if path else None, is_listed=bool(listed))
            for name, path, listed in rows
        }

    def put_root(self, root: Root) -> None:
        """Add a root, or change where it is."""
        values = (root.name, "" if root.path is None else str(root.path), int(root.is_listed))
        with self._changing() as execute:
            execute(
                "INSERT INTO roots VALUES (?, ?, ?) ON CONFLICT (name) DO UPDATE SET "
                "path = excluded.path, is_listed = excluded.is_listed",
                values,
            )

    def files(self, root: str | None = None, *, state: FileState | None = None) -> list[FileRow]:
        """Files, by root and path.

        Args:
            root: Only those of this root.
            state: Only those in this state.
        """
        rows = self._rows(
            "SELECT * FROM files WHERE (?1 IS NULL OR root = ?1) AND (?2 IS NULL OR state = ?2) "
            "ORDER BY root, path",
            root,
            state,
        )
        return [self._file(row) for row in rows]

    def files_of(self, content: str) -> list[FileRow]:
        """Files that hold a content, by root and path."""
        rows = self._rows("SELECT * FROM files WHERE content = ? ORDER BY root, path", content)
        return [self._file(row) for row in rows]

    def put_files(self, rows: Sequence[FileRow], contents: Sequence[ContentRow] = ()) -> None:
        """Add files or change what is known about them, together with contents, at once."""
        with self._changing() as execute:
            for row in rows:
                execute("INSERT OR REPLACE INTO files VALUES (?, ?, ?, ?, ?, ?, ?, ?)", astuple(row))
            for content in contents:
                execute(
                    "INSERT OR REPLACE INTO contents VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)", astuple(content)
                )

    def replace_skipped(self, root: str, rows: Iterable[Rejected]) -> None:
        """Note which files of a root are not tried, in the place of those noted before."""
        with self._changing() as execute:
            execute("DELETE FROM skipped WHERE root = ?", (root,))
            for row in rows:
                execute("INSERT INTO skipped VALUES (?, ?, ?, ?)", (root, row.file, row.reason, row.message))

    def skipped(self) -> list[tuple[str, Rejected]]:
        """Files that are not tried: root, and path with the reason."""
        rows = self._rows("SELECT root, path, reason, message FROM skipped ORDER BY root, path")
        return [
            (root, Rejected(file=path, reason=reason, message=message))
            for root, path, reason, message in rows
        ]

    def contents(self) -> list[ContentRow]:
        """Contents that some file holds, or held when it was last seen, by hash."""
        rows = self._rows("SELECT * FROM contents ORDER BY content")
        return [self._content(row) for row in rows]

    def content(self, content: str) -> ContentRow | None:
        """Counts of one content, or None."""
        rows = self._rows("SELECT * FROM contents WHERE content = ?", content)
        return self._content(rows[0]) if rows else None

    def has_part(self, content: str) -> bool:
        """Whether the part of a content is there, whatever it holds."""
        return part_path(self.path.parent, content).is_file()

    def remove(self, files: Sequence[FileRow], *, roots: Sequence[str] = ()) -> list[str]:
        """Forget files and roots, and contents that no file holds any more. Returns these contents."""
        with self._changing() as execute:
            for row in files:
                execute("DELETE FROM files WHERE root = ? AND path = ?", (row.root, row.path))
            for name in roots:
                execute("DELETE FROM files WHERE root = ?", (name,))
                execute("DELETE FROM skipped WHERE root = ?", (name,))
                execute("DELETE FROM roots WHERE name = ?", (name,))
            left = [row[0] for row in execute(f"SELECT content {_ORPHANS}")]
            execute(f"DELETE {_ORPHANS}")
        return [content for content in left if is_content(content)]

    def _make(self) -> None:
        if self._connection.execute("SELECT count(*) FROM sqlite_master").fetchone()[0] == 0:
            self._connection.executescript(
                f"BEGIN; PRAGMA application_id = {_APPLICATION_ID}; {_TABLES} COMMIT;"
            )

    def _rows(self, query: str, *values: object) -> list[tuple[Any, ...]]:
        try:
            with closing(self._connection.execute(query, values)) as cursor:
                return cursor.fetchall()
        except sqlite3.Error as error:
            raise _damaged(self.path, error) from error

    @contextmanager
    def _changing(self) -> Iterator[Any]:
        try:
            self._connection.execute("BEGIN IMMEDIATE")
            try:
                yield self._connection.execute
                self._connection.execute(
                    "UPDATE facts SET value = CAST(value AS INTEGER) + 1 WHERE name = 'generation'"
                )
                self._connection.execute("COMMIT")
            except BaseException:
                self._connection.execute("ROLLBACK")
                raise
        except sqlite3.Error as error:
            raise _damaged(self.path, error) from error

    def _file(self, row: tuple[Any, ...]) -> FileRow:
        found = FileRow(**dict(zip((field.name for field in fields(FileRow)), row, strict=True)))
        path = PurePosixPath(found.path)
        if path.is_absolute() or ".." in path.parts or "\0" in found.path:
            raise _damaged(self.path, f"it names the file {found.path!r:.80}, which leads out of its root")
        if found.content is not None and not is_content(found.content):
            raise _damaged(self.path, f"it names the content {found.content!r:.80}")
        return found

    def _content(self, row: tuple[Any, ...]) -> ContentRow:
        found = ContentRow(**dict(zip((field.name for field in fields(ContentRow)), row, strict=True)))
        if not is_content(found.content):
            raise _damaged(self.path, f"it names the content {found.content!r:.80}")
        return replace(found, has_audio=bool(found.has_audio), has_visual=bool(found.has_visual))


def _connect(path: Path, *, is_new: bool) -> sqlite3.Connection:
    """A connection, also to a file that cannot be written to.

    Readers open it to write too where they can: after a kill, whoever comes next puts the last change back.
    """
    can_write = is_new or os.access(path, os.W_OK)
    uri = f"{path.absolute().as_uri()}?mode={'rwc' if is_new else 'rw' if can_write else 'ro'}"
    connection = sqlite3.connect(uri, uri=True, timeout=_SECONDS_TO_WAIT, isolation_level=None)
    # A file of strangers must not run functions that its schema names, nor lead reading astray.
    connection.execute("PRAGMA trusted_schema = OFF")
    connection.execute("PRAGMA cell_size_check = ON")
    return connection


def _empty() -> sqlite3.Connection:
    """A catalogue without files: a library that was begun and has none yet."""
    connection = sqlite3.connect(":memory:", isolation_level=None)
    connection.executescript(_TABLES)
    return connection


def _damaged(path: Path, why: object) -> DatasetError:
    return DatasetError(
        f"{path} cannot be used: {why}. Copy the library again; or delete this file and add the folders "
        "again, which encodes nothing that is in its parts."
    )
