"""An opened prepared dataset: its rows, and any part of any clip by one read.

Shapes: T frames per clip, P frames of any clips, H W pixels, C channels, S samples, N spectrogram frames of
a clip or clips of the table, M mel bins.
"""

import hashlib
import os
from collections.abc import Sequence
from functools import cached_property
from pathlib import Path
from typing import Any, Self, TypeVar

import numpy as np
import pyarrow as pa
import torch
from numpy.typing import NDArray
from torch import Tensor

from cavmae_sync.data.config import PrepareConfig
from cavmae_sync.data.storage.byte_ranges import RangeReader
from cavmae_sync.data.storage.check import find_problems
from cavmae_sync.data.storage.clip_files import decode_jpeg
from cavmae_sync.data.storage.frame_memory import FrameMemory
from cavmae_sync.data.storage.mapped_table import open_table
from cavmae_sync.data.storage.record import REMEDY, check_shards, config_of, read_record
from cavmae_sync.data.storage.tables import (
    CLIPS_FILE,
    CLIPS_SCHEMA,
    DATASET_FILE,
    SHARDS_FOLDER,
    ClipRow,
    clip_row,
    list_hash,
    read_table,
)
from cavmae_sync.errors import DatasetError, DecodeError
from cavmae_sync.inputs import Span
from cavmae_sync.media.flac import FLAC_MD5, decode_flac
from cavmae_sync.paper import NUM_MELS

_LOG_MEL_DTYPE = np.dtype("<f2")
#: Longest gap between two clips that are read ahead as one: the rest of one, and a header.
_GAP_BYTES = 1 << 16

NumberT = TypeVar("NumberT", bound=np.generic)


class PreparedDataset:
    """All clips of a prepared dataset, or some of them.

    Reading opens shards as needed and keeps them open; `close` or a `with` block closes them. It can be
    pickled and forked: the copy opens files of its own.

    Attributes:
        folder: Folder of the dataset.
        config: Configuration that it was prepared with.
    """

    def __init__(
        self,
        folder: Path,
        *,
        config: PrepareConfig,
        clips: pa.Table,
        rows: NDArray[np.int64] | None = None,
        memory: FrameMemory | None = None,
    ) -> None:
        """Use `open` instead. `clips` is the table of all clips; `rows` those of this dataset, None = all."""
        self.folder = folder
        self.config = config
        self._memory = memory
        self._table = clips
        self._rows = rows
        self._shards = RangeReader(folder / SHARDS_FOLDER)
        self._frame_offsets_NT = _matrix(folder, clips, "frame_offsets", config.num_frames, dtype=np.int64)
        self._frame_lengths_NT = _matrix(folder, clips, "frame_lengths", config.num_frames, dtype=np.int64)
        self._lengths_N = _numbers(_one_array(clips["num_spectrogram_frames"]))
        self._log_mel_offsets_N = _numbers(_one_array(clips["log_mel_offset"]))
        self._log_mel_lengths_N = _numbers(_one_array(clips["log_mel_length"]))
        self._frame_seconds_NT = _matrix(folder, clips, "frame_seconds", config.num_frames, dtype=np.float64)
        self._shard_names = _one_array(clips["shard"])

    @classmethod
    def open(cls, folder: str | os.PathLike[str]) -> Self:
        """Open a prepared dataset.

        Raises:
            DatasetError: It is missing, incomplete or of another version, or a shard is missing or of
                another size.
        """
        folder = Path(folder).absolute()
        record = read_record(folder)
        check_shards(folder, record)
        clips = open_table(folder, record)
        if len(clips) != record["counts"]["num_clips"]:
            raise DatasetError(
                f"{folder / CLIPS_FILE} has {len(clips)} clips, but {DATASET_FILE} says "
                f"{record['counts']['num_clips']}. {REMEDY}"
            )
        return cls(folder, config=config_of(folder, record), clips=clips)

    def __len__(self) -> int:
        """Number of clips."""
        return len(self._table) if self._rows is None else len(self._rows)

    @property
    def num_frames(self) -> int:
        """Frames of a clip."""
        return self.config.num_frames

    @cached_property
    def list_sha256(self) -> str:
        """Fingerprint of the clips, in order; see `tables.list_hash`."""
        return list_hash(self._columns("id", "content_hash", "start_seconds", "stop_seconds"))

    @property
    def clip_ids(self) -> list[str]:
        """Id of every clip."""
        return self._columns("id")["id"].to_pylist()

    @property
    def content_hashes(self) -> list[str]:
        """SHA-256 of the file that each clip was cut from."""
        return self._columns("content_hash")["content_hash"].to_pylist()

    @property
    def labels(self) -> list[tuple[str, ...]]:
        """Labels of every clip."""
        return [tuple(labels) for labels in self._columns("labels")["labels"].to_pylist()]

    @property
    def frame_lengths_NT(self) -> NDArray[np.int64]:  # noqa: N802 (the shape)
        """Bytes of each frame's JPEG, int64 [N, T]."""
        return self._frame_lengths_NT if self._rows is None else self._frame_lengths_NT[self._rows]

    def facts(self, *names: str) -> list[list[Any]]:
        """Columns of the table of clips, each as a list; see `ClipRow` for their names."""
        return [column.to_pylist() for column in self._columns(*names).columns]

    def row(self, index: int) -> ClipRow:
        """Row of a clip in `clips.parquet`."""
        return clip_row(self._table, self._row(index))

    def ids_and_labels(self, indices: Sequence[int]) -> tuple[tuple[str, ...], tuple[tuple[str, ...], ...]]:
        """Ids and labels of some clips, in the order given."""
        rows = np.array([self._row(index) for index in indices], dtype=np.int64)
        found = self._table.select(["id", "labels"]).take(_places(rows))
        return tuple(found["id"].to_pylist()), tuple(tuple(names) for names in found["labels"].to_pylist())

    def clip_id(self, index: int) -> str:
        """Id of a clip."""
        return self._table["id"][self._row(index)].as_py()

    def num_spectrogram_frames(self, index: int) -> int:
        """Length of a clip's log-mel without padding."""
        return int(self._lengths_N[self._row(index)])

    def frame_seconds(self, index: int) -> NDArray[np.float64]:
        """Times of a clip's frames, seconds from its start, float64 [T]."""
        return self._frame_seconds_NT[self._row(index)]

    def read_frame(self, index: int, frame: int) -> NDArray[np.uint8]:
        """One frame of a clip, uint8 [H, W, C].

        Args:
            index: Which clip.
            frame: Which frame, 0 <= frame < num_frames.
        """
        if not 0 <= frame < self.num_frames:
            raise IndexError(f"frame {frame} of clip {index}: a clip has frames 0 to {self.num_frames - 1}")
        kept_HWC, row = None, self._row(index)
        if self._memory is not None:
            kept_HWC = self._memory.get((row, frame))
        if kept_HWC is not None:
            return kept_HWC.copy()
        return self._decode_frame(row, frame)

    def _decode_frame(self, row: int, frame: int) -> NDArray[np.uint8]:
        offset, length = int(self._frame_offsets_NT[row, frame]), int(self._frame_lengths_NT[row, frame])
        content = self._read(row, offset, length)
        try:
            frame_HWC = decode_jpeg(content)
        except ValueError as error:
            raise DatasetError(f"{self._place(row)}, frame {frame}: {error}. {REMEDY}") from error
        if self._memory is not None:
            self._memory.keep((row, frame), frame_HWC)
        return frame_HWC

    def read_frames(self, places: Sequence[tuple[int, int]]) -> Tensor:
        """Several frames of one size: a tensor, uint8 [P, H, W, C].

        Args:
            places: Clip and frame of each, P of them.
        """
        first_HWC = self.read_frame(*places[0])
        frames_PHWC = np.empty((len(places), *first_HWC.shape), dtype=np.uint8)
        frames_PHWC[0] = first_HWC
        for place, (index, frame) in enumerate(places[1:], start=1):
            frames_PHWC[place] = self.read_frame(index, frame)
        return torch.from_numpy(frames_PHWC)

    def read_log_mel_rows(self, index: int, *, start: int, stop: int) -> NDArray[np.float16]:
        """Rows [start, stop) of a clip's log-mel, not normalised, float16 [stop - start, M]; writable.

        Args:
            index: Which clip.
            start: First spectrogram frame.
            stop: One past the last, at most `num_spectrogram_frames(index)`.
        """
        row = self._row(index)
        length = int(self._lengths_N[row])
        if not 0 <= start <= stop <= length:
            raise IndexError(f"rows [{start}, {stop}) of clip {index}, whose log-mel has {length} rows")
        content = bytearray(self._read(row, *self._log_mel_range(row, start, stop)))
        return np.frombuffer(content, dtype=_LOG_MEL_DTYPE).reshape(stop - start, NUM_MELS)

    def read_ahead_pairs(self, places: Sequence[tuple[int, int]], spans: Sequence[Span]) -> None:
        """Ask the system to read frames and rows into its cache: all at once, not one after the other.

        Args:
            places: Clip and frame of each pair.
            spans: Rows of the clip's log-mel, each inside of it.
        """
        for (index, frame), span in zip(places, spans, strict=True):
            row = self._row(index)
            shard = self._shard_names[row].as_py()
            offset, length = self._log_mel_range(row, span.start, span.stop)
            self._shards.read_ahead(shard, offset=offset, length=length)
            if self._memory is None or self._memory.get((row, frame)) is None:
                offset, length = self._frame_offsets_NT[row, frame], self._frame_lengths_NT[row, frame]
                self._shards.read_ahead(shard, offset=int(offset), length=int(length))

    def read_ahead_clips(self, indices: Sequence[int]) -> None:
        """Ask the system to read whole clips but for their description, neighbours as one range.

        Args:
            indices: Clips, in the order of their files.
        """
        runs: list[tuple[str, int, int]] = []
        for row in map(self._row, indices):
            name, start = self._shard_names[row].as_py(), int(self._frame_offsets_NT[row, 0])
            stop = int(self._log_mel_offsets_N[row] + self._log_mel_lengths_N[row])
            if runs and runs[-1][0] == name and 0 <= start - runs[-1][2] <= _GAP_BYTES:
                runs[-1] = (name, runs[-1][1], stop)
            else:
                runs.append((name, start, stop))
        for name, start, stop in runs:
            self._shards.read_ahead(name, offset=start, length=stop - start)

    def read_waveform(self, index: int) -> NDArray[np.float32]:
        """The sound of a clip, float32 [S] in [-1, 1], 16 kHz."""
        row, stored = self._row(index), self.row(index)
        content = self._read(row, stored.sound_offset, stored.sound_length)
        try:
            return decode_flac(content)
        except DecodeError as error:
            raise DatasetError(f"{self._place(row)}, sound: {error} {REMEDY}") from error

    def read_sound_digest(self, index: int) -> bytes:
        """MD5 of a clip's samples, read from the header of its FLAC. Equal sounds have equal digests."""
        return self._read(self._row(index), self.row(index).sound_offset, FLAC_MD5.stop)[FLAC_MD5]

    def read_frames_digest(self, index: int) -> bytes:
        """SHA-256 of the JPEGs of a clip, in order."""
        stored, row = self.row(index), self._row(index)
        digest = hashlib.sha256()
        for offset, length in zip(stored.frame_offsets, stored.frame_lengths, strict=True):
            digest.update(self._read(row, offset, length))
        return digest.digest()

    def subset(self, indices: Sequence[int] | NDArray[np.integer]) -> Self:
        """Dataset of some of the clips, in the order given."""
        rows = np.asarray(indices, dtype=np.int64)
        for index in rows[(rows < 0) | (rows >= len(self))]:
            self._row(int(index))  # raises
        rows = rows if self._rows is None else self._rows[rows]
        return self._with(rows, self._memory)

    def keeping_frames(self, *, max_bytes: int) -> Self:
        """The same dataset, which keeps decoded frames in memory.

        A frame is decoded when it is first read. Subsets share the memory; a pickled copy, as workers get it,
        keeps nothing.

        Args:
            max_bytes: Limit of the pixels that are kept; frames beyond it are decoded at each reading.
        """
        return self._with(self._rows, FrameMemory(max_bytes))

    def head(self, num_clips: int) -> Self:
        """Dataset of the first `num_clips` clips; of all if there are fewer."""
        return self.subset(range(min(num_clips, len(self))))

    def check(self) -> tuple[str, ...]:
        """Differences between the files and their record: one sentence for each, none if all is well.

        Reads all files of the folder, also for a subset.
        """
        record = read_record(self.folder)
        clips = read_table(self.folder / CLIPS_FILE, CLIPS_SCHEMA)
        return tuple(find_problems(self.folder, record, clips))

    def close(self) -> None:
        """Close the shards. The next read opens them again."""
        self._shards.close()

    def __reduce__(self) -> tuple[Any, ...]:
        """Pickle as folder and rows: each worker opens the table itself, instead of receiving a copy."""
        return _reopen, (type(self), self.folder, self._rows)

    def __enter__(self) -> Self:
        """Start of a `with` block, which closes the shards at its end."""
        return self

    def __exit__(self, *_: object) -> None:
        """Close the shards."""
        self.close()

    def _with(self, rows: NDArray[np.int64] | None, memory: FrameMemory | None) -> Self:
        return type(self)(self.folder, config=self.config, clips=self._table, rows=rows, memory=memory)

    def _read(self, row: int, offset: int, length: int) -> bytes:
        return self._shards.read(self._shard_names[row].as_py(), offset=offset, length=length)

    def _log_mel_range(self, row: int, start: int, stop: int) -> tuple[int, int]:
        """Offset and length in bytes of rows of a log-mel."""
        # The rows are the end of the npy file, after its header: no need to read the header to find them.
        row_bytes = NUM_MELS * _LOG_MEL_DTYPE.itemsize
        log_mel_stop = int(self._log_mel_offsets_N[row] + self._log_mel_lengths_N[row])
        return log_mel_stop - (int(self._lengths_N[row]) - start) * row_bytes, (stop - start) * row_bytes

    def _place(self, row: int) -> str:
        """Shard and id of a clip, for messages."""
        return (
            f"{self.folder / SHARDS_FOLDER / self._shard_names[row].as_py()}, clip {self._table['id'][row]}"
        )

    def _row(self, index: int) -> int:
        """Row of a clip in the table of all clips."""
        if not 0 <= index < len(self):
            raise IndexError(f"clip {index} of a dataset of {len(self)} clips")
        return index if self._rows is None else int(self._rows[index])

    def _columns(self, *names: str) -> pa.Table:
        """Columns of the table, with the rows of this dataset."""
        columns = self._table.select(names)
        return columns if self._rows is None else columns.take(_places(self._rows))


def _reopen(cls: type[PreparedDataset], folder: Path, rows: NDArray[np.int64] | None) -> PreparedDataset:
    dataset = cls.open(folder)
    return dataset if rows is None else dataset.subset(rows)


def _one_array(column: pa.ChunkedArray) -> pa.Array:
    """A column as one array, without the copy that `combine_chunks` makes even of one chunk."""
    return column.chunk(0) if column.num_chunks == 1 else column.combine_chunks()


def _places(rows: NDArray[np.int64]) -> pa.Array:
    """Row numbers for `take`, not copied. `pa.array` would import pandas where it is installed."""
    return pa.Array.from_buffers(pa.int64(), len(rows), [None, pa.py_buffer(np.ascontiguousarray(rows))])


def _numbers(array: pa.Array) -> NDArray[np.int64]:
    """Numbers of a column, not copied. `to_numpy` would import pandas into every process that has it."""
    return np.asarray(np.from_dlpack(array), dtype=np.int64)


def _matrix(
    folder: Path, clips: pa.Table, name: str, num_frames: int, *, dtype: type[NumberT]
) -> NDArray[NumberT]:
    lists = _one_array(clips[name])
    if not np.array_equal(np.diff(_numbers(lists.offsets)), np.full(len(lists), num_frames)):
        raise DatasetError(
            f"{folder / CLIPS_FILE}, {name}: not every clip has {num_frames} frames, as {DATASET_FILE} says. "
            "Prepare the dataset again."
        )
    return np.asarray(np.from_dlpack(lists.flatten()), dtype=dtype).reshape(-1, num_frames)
