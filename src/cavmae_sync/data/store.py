"""A prepared dataset, opened: its rows, and any part of any clip by one read.

Shapes: T frames per clip, H W pixels, C channels, S samples, N spectrogram frames, M mel bins.
"""

import json
import os
from collections.abc import Sequence
from functools import cached_property
from pathlib import Path
from typing import Any, Self

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from cavmae_sync.data.audit import find_problems
from cavmae_sync.data.config import PrepareConfig
from cavmae_sync.data.encode import decode_jpeg
from cavmae_sync.data.manifest import (
    CLIPS_FILE,
    CLIPS_SCHEMA,
    DATASET_FILE,
    SCHEMA_VERSION,
    SHARDS_FOLDER,
    ClipRow,
    clip_row,
    list_hash,
    read_table,
)
from cavmae_sync.data.ranges import RangeReader
from cavmae_sync.errors import DatasetError
from cavmae_sync.media.flac import decode_flac
from cavmae_sync.paper import NUM_MELS

_LOG_MEL_DTYPE = np.dtype("<f2")


class PreparedDataset:
    """Clips of a prepared dataset, or some of them.

    Reading opens shards as needed and keeps them open; `close` or a `with` block closes them. It can be
    pickled and forked: the copy opens files of its own.

    Attributes:
        folder: Where the dataset lies.
        config: How it was prepared.
    """

    def __init__(
        self, folder: Path, *, config: PrepareConfig, clips: pa.Table, rows: NDArray[np.int64] | None = None
    ) -> None:
        """Takes an opened table, and which rows of the file it has; users call `open`."""
        self.folder = folder
        self.config = config
        self._clips = clips
        self._rows = rows
        self._shards = RangeReader(folder / SHARDS_FOLDER)
        self._frame_offsets_NT = _matrix(clips["frame_offsets"], config.num_frames)
        self._frame_lengths_NT = _matrix(clips["frame_lengths"], config.num_frames)
        self._lengths = clips["num_spectrogram_frames"].to_numpy()
        self._log_mel_stops = clips["log_mel_offset"].to_numpy() + clips["log_mel_length"].to_numpy()

    @classmethod
    def open(cls, folder: str | os.PathLike[str]) -> Self:
        """Open a prepared dataset.

        Raises:
            DatasetError: It is missing, incomplete, of another version, or a shard is missing or of another
                size.
        """
        folder = Path(folder).absolute()
        record = _read_record(folder)
        for shard in record["shards"]:
            _check_shard(folder / SHARDS_FOLDER / shard["name"], shard["num_bytes"])
        clips = read_table(folder / CLIPS_FILE, CLIPS_SCHEMA)
        if len(clips) != record["counts"]["num_clips"]:
            raise DatasetError(
                f"{folder / CLIPS_FILE} has {len(clips)} clips, {DATASET_FILE} says "
                f"{record['counts']['num_clips']}. Copy the folder again, or prepare it again."
            )
        config = PrepareConfig.model_validate(record["plan"]["config"])
        return cls(folder, config=config, clips=clips)

    def __len__(self) -> int:
        """Number of clips."""
        return len(self._clips)

    @property
    def num_frames(self) -> int:
        """Frames of a clip."""
        return self.config.num_frames

    @cached_property
    def list_sha256(self) -> str:
        """Fingerprint of which clips these are, in order; see `manifest.list_hash`."""
        return list_hash(self._clips)

    @property
    def clip_ids(self) -> list[str]:
        """Id of every clip."""
        return self._clips["id"].to_pylist()

    @property
    def content_hashes(self) -> list[str]:
        """SHA-256 of the file that each clip was cut from."""
        return self._clips["content_hash"].to_pylist()

    @property
    def labels(self) -> list[tuple[str, ...]]:
        """Labels of every clip."""
        return [tuple(labels) for labels in self._clips["labels"].to_pylist()]

    def row(self, index: int) -> ClipRow:
        """All that is known of a clip."""
        return clip_row(self._clips, self._checked(index))

    def clip_id(self, index: int) -> str:
        """Id of a clip."""
        return self._clips["id"][self._checked(index)].as_py()

    def clip_labels(self, index: int) -> tuple[str, ...]:
        """Labels of a clip."""
        return tuple(self._clips["labels"][self._checked(index)].as_py())

    def num_spectrogram_frames(self, index: int) -> int:
        """Length of a clip's log-mel without padding."""
        return int(self._lengths[self._checked(index)])

    def read_frame(self, index: int, frame: int) -> NDArray[np.uint8]:
        """One frame of a clip, uint8 [H, W, C].

        Args:
            index: Which clip.
            frame: Which frame, 0 <= frame < num_frames.
        """
        if not 0 <= frame < self.num_frames:
            raise IndexError(f"frame {frame} of clip {index}: a clip has frames 0 to {self.num_frames - 1}")
        row = self._checked(index)
        offset, length = int(self._frame_offsets_NT[row, frame]), int(self._frame_lengths_NT[row, frame])
        return decode_jpeg(self._read(row, offset, length))

    def read_log_mel_rows(self, index: int, *, start: int, stop: int) -> NDArray[np.float16]:
        """Rows [start, stop) of a clip's log-mel, not normalised, float16 [stop - start, M]; writable.

        Args:
            index: Which clip.
            start: First spectrogram frame.
            stop: One past the last, at most `num_spectrogram_frames(index)`.
        """
        row = self._checked(index)
        length = int(self._lengths[row])
        if not 0 <= start <= stop <= length:
            raise IndexError(f"rows [{start}, {stop}) of clip {index}, whose log-mel has {length} rows")
        # The rows are the end of the npy file, after its header.
        row_bytes = NUM_MELS * _LOG_MEL_DTYPE.itemsize
        offset = int(self._log_mel_stops[row]) - (length - start) * row_bytes
        content = bytearray(self._read(row, offset, (stop - start) * row_bytes))
        return np.frombuffer(content, dtype=_LOG_MEL_DTYPE).reshape(stop - start, NUM_MELS)

    def read_waveform(self, index: int) -> NDArray[np.float32]:
        """The sound of a clip, float32 [S] in [-1, 1], 16 kHz."""
        row = self.row(index)
        return decode_flac(self._read(self._checked(index), row.sound_offset, row.sound_length))

    def subset(self, indices: Sequence[int] | NDArray[np.integer]) -> Self:
        """Some of the clips, in the order given."""
        chosen = np.array([self._checked(int(index)) for index in indices], dtype=np.int64)
        rows = chosen if self._rows is None else self._rows[chosen]
        clips = self._clips.take(pa.array(chosen)).combine_chunks()
        return type(self)(self.folder, config=self.config, clips=clips, rows=rows)

    def head(self, num_clips: int) -> Self:
        """The first clips, all if there are fewer."""
        return self.subset(range(min(num_clips, len(self))))

    def check(self) -> tuple[str, ...]:
        """Read everything and list what is not as it was written; empty when all is well.

        Covers the whole folder, also for a subset.
        """
        record = _read_record(self.folder)
        clips = read_table(self.folder / CLIPS_FILE, CLIPS_SCHEMA)
        return tuple(find_problems(self.folder, record, clips))

    def close(self) -> None:
        """Close the shards. Reading again opens them again."""
        self._shards.close()

    def __reduce__(self) -> tuple[Any, ...]:
        """Pickled as folder and rows: workers read the table themselves, it is not sent to each."""
        return _reopen, (type(self), self.folder, self._rows)

    def __enter__(self) -> Self:
        """Close at the end of a `with` block."""
        return self

    def __exit__(self, *_: object) -> None:
        """Close the shards."""
        self.close()

    def _read(self, row: int, offset: int, length: int) -> bytes:
        return self._shards.read(self._clips["shard"][row].as_py(), offset=offset, length=length)

    def _checked(self, index: int) -> int:
        if not 0 <= index < len(self):
            raise IndexError(f"clip {index} of a dataset of {len(self)} clips")
        return index


def _reopen(cls: type[PreparedDataset], folder: Path, rows: NDArray[np.int64] | None) -> PreparedDataset:
    dataset = cls.open(folder)
    return dataset if rows is None else dataset.subset(rows)


def _matrix(column: pa.ChunkedArray, num_frames: int) -> NDArray[np.int64]:
    values = column.combine_chunks().flatten().to_numpy()
    if len(values) != len(column) * num_frames:
        raise DatasetError(
            f"{CLIPS_FILE} lists {len(values)} frames for {len(column)} clips of {num_frames} frames each. "
            "Prepare the dataset again."
        )
    return values.reshape(-1, num_frames)


def _read_record(folder: Path) -> dict[str, Any]:
    path = folder / DATASET_FILE
    if not path.is_file():
        raise DatasetError(
            f"{folder} is not a complete prepared dataset: it has no {DATASET_FILE}. "
            'Run "cavmae-sync prepare" on it, again if it was interrupted.'
        )
    try:
        record = json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise DatasetError(f"{path} is not JSON: {error}. Prepare the dataset again.") from error
    found = record.get("schema_version") if isinstance(record, dict) else None
    if found != SCHEMA_VERSION:
        raise DatasetError(
            f"{path} has schema version {found}, this program reads {SCHEMA_VERSION}. Prepare the dataset "
            "again, or use the version of the program that made it."
        )
    return record


def _check_shard(path: Path, num_bytes: int) -> None:
    found = path.stat().st_size if path.is_file() else None
    if found != num_bytes:
        raise DatasetError(
            f"{path} should have {num_bytes} bytes but {'is missing' if found is None else f'has {found}'}. "
            "Copy the dataset again, or prepare it again."
        )
