"""Tar shards in WebDataset layout: the offset of each member is known, and equal content gives equal bytes.

A shard is a plain tar file: `tar`, WebDataset and DALI read it. The members of one clip are neighbours and
share a key: `KEY.00.jpg ... KEY.15.jpg KEY.flac KEY.mel.npy KEY.json`.
"""

import hashlib
import tarfile
from dataclasses import dataclass
from io import BufferedRandom
from typing import Any

_BLOCK = tarfile.BLOCKSIZE


@dataclass(frozen=True, kw_only=True, slots=True)
class Member:
    """Offset and length, in bytes, of the content of a tar member in its shard."""

    offset: int
    length: int


@dataclass(frozen=True, slots=True)
class _Mark:
    position: int
    digest: Any  # hashlib has no public type for its objects


class ShardWriter:
    """Appends members to a tar file, and can remove all that were added since a mark.

    Headers have only name and length (time 0, owner 0), so that the bytes depend on the content alone.

    Args:
        file: Empty file, open for writing in binary.
    """

    def __init__(self, file: BufferedRandom) -> None:
        self._file = file
        self._digest = hashlib.sha256()
        self.num_bytes = 0

    def add(self, name: str, content: bytes) -> Member:
        """Append one member."""
        info = tarfile.TarInfo(name)
        info.size = len(content)
        self._write(info.tobuf(tarfile.GNU_FORMAT, "utf-8", "strict"))
        member = Member(offset=self.num_bytes, length=len(content))
        self._write(content)
        self._write(bytes(-len(content) % _BLOCK))
        return member

    def mark(self) -> _Mark:
        """Present end of the file, for `rewind`."""
        return _Mark(self.num_bytes, self._digest.copy())

    def rewind(self, mark: _Mark) -> None:
        """Remove all members that were added since `mark`."""
        self._file.seek(mark.position)
        self._file.truncate()
        self._digest, self.num_bytes = mark.digest.copy(), mark.position

    def finish(self) -> str:
        """Write the end of the archive and return the SHA-256 of the whole file."""
        self._write(bytes(2 * _BLOCK))
        self._write(bytes(-self.num_bytes % tarfile.RECORDSIZE))
        self._file.flush()
        return self._digest.hexdigest()

    def _write(self, content: bytes) -> None:
        self._file.write(content)
        self._digest.update(content)
        self.num_bytes += len(content)


def shard_key(clip_id: str) -> str:
    """Key of a clip in a shard. WebDataset ends a key at the first dot of the file name.

    So dots of the last component are written `%2E`, and percent signs `%25`: different ids have different
    keys.

    >>> shard_key("dogs/v1.2@10.0")
    'dogs/v1%2E2@10%2E0'
    """
    folder, slash, name = clip_id.replace("%", "%25").rpartition("/")
    return f"{folder}{slash}{name.replace('.', '%2E')}"
