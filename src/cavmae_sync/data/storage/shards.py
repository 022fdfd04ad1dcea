"""Tar shards in WebDataset layout: each member's place is known, and equal content gives equal bytes.

A shard is plain tar: `tar`, WebDataset and DALI read it. Members of one clip stand together and share a key:
`KEY.00.jpg ... KEY.15.jpg KEY.flac KEY.mel.npy KEY.json`.
"""

import hashlib
import tarfile
from dataclasses import dataclass
from io import BufferedRandom
from typing import Any

_BLOCK = tarfile.BLOCKSIZE


@dataclass(frozen=True, kw_only=True, slots=True)
class Member:
    """Where the content of a tar member lies in its shard, in bytes."""

    offset: int
    length: int


@dataclass(frozen=True, slots=True)
class _Mark:
    position: int
    digest: Any  # hashlib has no public type for its objects


class ShardWriter:
    """Appends members to a tar file, and can take back all since a mark.

    Headers carry nothing but name and length (time 0, owner 0), so that the bytes follow from the content.

    Args:
        file: Empty file, open for writing in binary.
    """

    def __init__(self, file: BufferedRandom) -> None:
        self._file = file
        self._digest = hashlib.sha256()
        self.num_bytes = 0

    def add(self, name: str, content: bytes) -> Member:
        """Append one member and return its place."""
        info = tarfile.TarInfo(name)
        info.size = len(content)
        self._write(info.tobuf(tarfile.GNU_FORMAT, "utf-8", "strict"))
        member = Member(offset=self.num_bytes, length=len(content))
        self._write(content)
        self._write(bytes(-len(content) % _BLOCK))
        return member

    def mark(self) -> _Mark:
        """The state now, for `rewind`."""
        return _Mark(self.num_bytes, self._digest.copy())

    def rewind(self, mark: _Mark) -> None:
        """Take back everything added since `mark`."""
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
    """The name a clip has in a shard: WebDataset ends a key at the first dot of the file name.

    Dots of the last component are written `%2E` and percent signs `%25`, so that different ids keep
    different keys.

    >>> shard_key("dogs/v1.2@10.0")
    'dogs/v1%2E2@10%2E0'
    """
    folder, slash, name = clip_id.replace("%", "%25").rpartition("/")
    return f"{folder}{slash}{name.replace('.', '%2E')}"
