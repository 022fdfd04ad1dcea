"""Timelines: the moments of each content of a library at equal steps, with the vectors of both senses.

Parts hold moments as they were cut; here they lie on one grid per content, so that a query can be laid along
them at any place. Most libraries are cut at equal steps anyway and nothing moves. A moment that is silent, or
that the content lacks, is *absent* for that sense: its row is zero and is never compared.

    derived/search/contents.arrow          which contents are in, where, with their times; written last
    derived/search/audio.f16, visual.f16   rows of the grids, one content after the other

The folder follows from the parts and may be deleted at any time. G places of a grid, D width.
"""

import os
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from cavmae_sync.atomic import written_whole
from cavmae_sync.embedding.library.part import Part
from cavmae_sync.embedding.library.schema import SENSES, Sense, is_content
from cavmae_sync.errors import DatasetError

_CONTENTS_FILE: Final = "contents.arrow"
#: Rows that are looked at at a time.
_BLOCK_ROWS: Final = 1 << 18
#: How far from a place of the grid a moment may lie, in steps.
_NEAREST: Final = 0.5
_SCHEMA: Final = pa.schema(
    [
        pa.field("content", pa.string(), nullable=False),
        pa.field("first", pa.int64(), nullable=False),
        pa.field("count", pa.int64(), nullable=False),
        pa.field("start_seconds", pa.float64(), nullable=False),
        pa.field("stop_seconds", pa.float64(), nullable=False),
    ]
)
_REMEDY: Final = "Delete the folder; it is made again from the parts."


@dataclass(frozen=True, kw_only=True, slots=True)
class Grid:
    """Moments of one content at equal steps.

    Attributes:
        start_seconds: Time of the first place in the file.
        stop_seconds: End of the file's last clip.
        rows: For each sense float16 [G, D]; absent places are zero.
    """

    start_seconds: float
    stop_seconds: float
    rows: dict[Sense, NDArray[np.float16]]


def grid_of(part: Part, *, step_seconds: float, width: int) -> Grid:
    """The grid of a content: each place takes the nearest moment, at most half a step away.

    Args:
        part: The content.
        step_seconds: Time from one place to the next.
        width: D.
    """
    seconds_F = part.moment_seconds
    start = float(seconds_F.min()) if len(seconds_F) else 0.0
    places_F = (seconds_F - start) / step_seconds
    nearest_F = np.rint(places_F).astype(np.int64)
    distance_F = np.abs(places_F - nearest_F)
    # Where several moments are near one place, the nearest is written last.
    order = np.argsort(-distance_F, kind="stable")
    order = order[distance_F[order] <= _NEAREST]
    num_places = int(nearest_F.max()) + 1 if len(nearest_F) else 0
    rows: dict[Sense, NDArray[np.float16]] = {}
    for sense in SENSES:
        grid_GD = np.zeros((num_places, width), np.float16)
        vectors_FD = part.vectors(sense)
        if vectors_FD is not None:
            heard = order if sense == "visual" else order[~part.flags("is_silent")[order]]
            grid_GD[nearest_F[heard]] = vectors_FD[heard]
        rows[sense] = grid_GD
    stops = part.facts["stop_seconds"].to_numpy()
    return Grid(start_seconds=start, stop_seconds=float(stops.max(initial=start)), rows=rows)


class Timelines:
    """Grids of all contents of a library, on disk.

    Args:
        folder: Folder of the files; made if it is missing.
        width: D.
        step_seconds: Time from one place to the next.

    Raises:
        DatasetError: The files are damaged.
    """

    def __init__(self, folder: Path, *, width: int, step_seconds: float) -> None:
        self.folder, self.width, self.step_seconds = folder, width, step_seconds
        folder.mkdir(parents=True, exist_ok=True)
        table = self._read_table()
        self.contents: tuple[str, ...] = tuple(table["content"].to_pylist())
        self.first_C = table["first"].to_numpy()
        self.count_C = table["count"].to_numpy()
        self.start_seconds_C = table["start_seconds"].to_numpy()
        self.stop_seconds_C = table["stop_seconds"].to_numpy()
        self.number = {content: number for number, content in enumerate(self.contents)}
        self._files = {sense: self._open(sense) for sense in SENSES}
        self._mapped: dict[Sense, NDArray[np.float16]] = {}
        self._present: dict[Sense, NDArray[np.bool_]] = {}

    def close(self) -> None:
        """Close the files."""
        for descriptor in self._files.values():
            os.close(descriptor)

    @property
    def num_places(self) -> int:
        """Places of all grids."""
        return int(self.first_C[-1] + self.count_C[-1]) if len(self.contents) else 0

    def mapped(self, sense: Sense) -> NDArray[np.float16]:
        """Rows of all grids, float16 [G, D], mapped: only what is used is read."""
        if sense not in self._mapped:
            shape = (self.num_places, self.width)
            path = self.folder / f"{sense}.f16"
            self._mapped[sense] = (
                np.memmap(path, np.float16, mode="r", shape=shape)
                if shape[0]
                else np.zeros(shape, np.float16)
            )
        return self._mapped[sense]

    def present(self, sense: Sense) -> NDArray[np.bool_]:
        """Places that are not absent for a sense, bool [G]. Reads all rows, once."""
        rows_GD, known_G = self.mapped(sense), self._present.get(sense, np.zeros(0, bool))
        if sense not in self._present or len(known_G) < len(rows_GD):
            blocks = range(len(known_G), len(rows_GD), _BLOCK_ROWS)
            found: list[NDArray[np.bool_]] = []
            for start in blocks:
                block_GD = rows_GD[start : start + _BLOCK_ROWS]
                if not np.isfinite(block_GD).all():
                    path = self.folder / f"{sense}.f16"
                    raise DatasetError(f"{path} is damaged: it holds numbers that are not finite. {_REMEDY}")
                found.append(np.asarray(block_GD.any(axis=1)))
            self._present[sense] = np.concatenate([known_G, *found])
        return self._present[sense]

    def follow(self, before: "Timelines") -> None:
        """Take over what is known of timelines that these ones have grown out of."""
        if self.contents[: len(before.contents)] == before.contents:
            self._present = dict(before._present)

    def spans(self, sense: Sense, first: NDArray[np.int64], count: int) -> NDArray[np.float16]:
        """Rows from several places on: float16 [spans, count, D], read at once.

        Args:
            sense: Audio or visual.
            first: Place that each span begins at; the whole span is inside of all grids.
            count: Rows of each span.
        """
        self._will_need(sense, first, count)
        rows_GD = self.mapped(sense)
        row_bytes = 2 * self.width
        spans_SX = np.lib.stride_tricks.as_strided(
            rows_GD, (len(rows_GD) - count + 1, count * self.width), (row_bytes, 2), writeable=False
        )
        return spans_SX[first].reshape(len(first), count, self.width)

    def _will_need(self, sense: Sense, first: NDArray[np.int64], count: int) -> None:
        """Ask for all spans at once: one after the other, 200 reads from a disk take most of a second."""
        if not hasattr(os, "posix_fadvise"):
            return
        row_bytes = 2 * self.width
        for place in first.tolist():
            os.posix_fadvise(self._files[sense], place * row_bytes, count * row_bytes, os.POSIX_FADV_WILLNEED)

    def content_of(self, places: NDArray[np.int64]) -> NDArray[np.int64]:
        """Number of the content that each place belongs to."""
        return np.searchsorted(self.first_C, places, side="right") - 1

    def seconds_of(self, number: int, place: float) -> float:
        """Time in the file of a place of a content; places may be fractions."""
        return float(self.start_seconds_C[number]) + place * self.step_seconds

    def _read_table(self) -> pa.Table:
        path = self.folder / _CONTENTS_FILE
        if not path.is_file():
            return _SCHEMA.empty_table()
        try:
            with pa.OSFile(str(path)) as file, pa.ipc.open_file(file) as batches:
                table = batches.read_all()
            table.validate(full=True)
            table = table.cast(_SCHEMA).combine_chunks()
        except (pa.ArrowException, OSError, ValueError, KeyError, MemoryError) as error:
            raise DatasetError(f"{path} is damaged: {error}. {_REMEDY}") from error
        first, count = table["first"].to_numpy(), table["count"].to_numpy()
        follows = np.concatenate([[0], np.cumsum(count)])[:-1]
        if (count < 0).any() or not np.array_equal(first, follows):
            raise DatasetError(f"{path} names rows that do not follow each other. {_REMEDY}")
        if not all(map(is_content, table["content"].to_pylist())):
            raise DatasetError(f"{path} names contents that are none. {_REMEDY}")
        return table

    def _open(self, sense: Sense) -> int:
        path = self.folder / f"{sense}.f16"
        path.touch(exist_ok=True)
        needed = 2 * self.width * self.num_places
        if path.stat().st_size < needed:
            raise DatasetError(f"{path} has {path.stat().st_size} bytes, {needed} are needed. {_REMEDY}")
        return os.open(path, os.O_RDONLY | os.O_CLOEXEC)


def extend_timelines(
    folder: Path, grids: Iterator[tuple[str, Grid]], *, width: int, step_seconds: float
) -> None:
    """Add contents to the files of `Timelines`. Only one process may do so at a time.

    Rows are written first and the table last: a process that is killed leaves rows that nobody looks at.

    Args:
        folder: Folder of the files.
        grids: Contents that are not in yet, with their grids.
        width: D.
        step_seconds: Time from one place to the next.
    """
    before = Timelines(folder, width=width, step_seconds=step_seconds)
    before.close()
    rows = before._read_table().to_pylist()
    place = before.num_places
    files = {sense: (folder / f"{sense}.f16").open("r+b") for sense in SENSES}
    try:
        for file in files.values():
            file.seek(2 * width * place)
            file.truncate()
        for content, grid in grids:
            count = len(grid.rows["audio"])
            for sense, file in files.items():
                file.write(np.ascontiguousarray(grid.rows[sense], np.float16).tobytes())
            rows.append(
                {
                    "content": content,
                    "first": place,
                    "count": count,
                    "start_seconds": grid.start_seconds,
                    "stop_seconds": grid.stop_seconds,
                }
            )
            place += count
        for file in files.values():
            file.flush()
            os.fsync(file.fileno())
    finally:
        for file in files.values():
            file.close()
    with (
        written_whole(folder / _CONTENTS_FILE) as part,
        pa.OSFile(str(part), "wb") as out,
        pa.ipc.new_file(out, _SCHEMA) as table,
    ):
        table.write_table(pa.Table.from_pylist(rows, schema=_SCHEMA))


def clear_timelines(folder: Path) -> None:
    """Remove everything, so that it is made again."""
    shutil.rmtree(folder, ignore_errors=True)
