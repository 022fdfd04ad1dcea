"""Check of a whole prepared dataset against its record."""

import hashlib
import tarfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pyarrow as pa

from cavmae_sync.data.storage.mapped_table import MAPPED_FILE, open_table
from cavmae_sync.data.storage.shards import Member, shard_key
from cavmae_sync.data.storage.tables import SHARDS_FOLDER, ClipRow, clip_row, list_hash
from cavmae_sync.errors import DatasetError
from cavmae_sync.untrusted import size_inside


def find_problems(folder: Path, record: dict[str, Any], clips: pa.Table) -> Iterator[str]:
    """Differences between a dataset and its record: in tables, checksums of shards, offsets of members.

    Args:
        folder: Folder of the dataset.
        record: Content of `dataset.json`.
        clips: Content of `clips.parquet`.

    Yields:
        One sentence per difference.
    """
    if not open_table(folder, record).equals(clips):
        yield f"{MAPPED_FILE} differs from clips.parquet"
    if list_hash(clips) != record["list_sha256"]:
        yield "clips.parquet does not list the clips that dataset.json was written for"
    ids = clips["id"].to_pylist()
    if len(set(ids)) != len(ids):
        yield f"clips.parquet has {len(ids) - len(set(ids))} repeated ids"
    by_shard: dict[str, list[int]] = {shard["name"]: [] for shard in record["shards"]}
    for index, name in enumerate(clips["shard"].to_pylist()):
        by_shard.setdefault(name, []).append(index)
    expected = {shard["name"]: shard["sha256"] for shard in record["shards"]}
    for name, indices in by_shard.items():
        path = folder / SHARDS_FOLDER / name
        try:
            size_inside(str(path.parent), name)
        except FileNotFoundError:
            yield f"{name} is missing"
            continue
        except DatasetError as error:
            yield str(error)
            continue
        if _sha256(path) != expected.get(name):
            yield f"{name} is not the file that was written: its SHA-256 differs"
        else:
            yield from _misplaced(path, [clip_row(clips, index) for index in indices])


def _misplaced(path: Path, rows: list[ClipRow]) -> Iterator[str]:
    try:
        with tarfile.open(path, "r:") as archive:  # never unpacked
            found = {info.name: Member(offset=info.offset_data, length=info.size) for info in archive}
    except (tarfile.TarError, ValueError, OverflowError) as error:
        yield f"{path.name} is not a tar file ({error})"
        return
    for row in rows:
        for name, member in _members(row).items():
            if found.get(name) != member:
                yield f"{path.name}: {name} is not where clips.parquet says"


def _members(row: ClipRow) -> dict[str, Member]:
    key = shard_key(row.id)
    places = zip(row.frame_offsets, row.frame_lengths, strict=True)
    members = {f"{key}.{t:02d}.jpg": Member(offset=o, length=n) for t, (o, n) in enumerate(places)}
    members[f"{key}.flac"] = Member(offset=row.sound_offset, length=row.sound_length)
    members[f"{key}.mel.npy"] = Member(offset=row.log_mel_offset, length=row.log_mel_length)
    members[f"{key}.json"] = Member(offset=row.json_offset, length=row.json_length)
    return members


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
