"""Labels of videos, from a CSV file with the columns `video_id` and `labels`."""

import csv
import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from cavmae_sync.errors import DatasetError

_COLUMNS = ["video_id", "labels"]
_SEPARATOR = ";"


@dataclass(frozen=True, kw_only=True, slots=True)
class Labels:
    """Which labels each video carries.

    Attributes:
        by_video: Video id to labels. An id is a file's path below the source folder without ending; or,
            where no file has this path, the name without folder and ending of just one file.
        fingerprint: SHA-256 of the ids and labels.
    """

    by_video: dict[str, tuple[str, ...]]
    fingerprint: str

    def of(self, files: Sequence[str]) -> tuple[tuple[str, ...], ...]:
        """Labels of all files of a dataset.

        Args:
            files: Paths below the source folder.

        Returns:
            For each file its labels, none when no row names it.

        Raises:
            DatasetError: Not one file is named, or a row could mean several files.
        """
        rows = self._rows_of(files)
        if files and not any(rows):
            raise DatasetError(
                f"No label belongs to any video: the label file names {_some(self.by_video)}, the videos are "
                f"called {_some(_keys(files[-1]))}. A video_id is a file name without folder and ending."
            )
        return tuple(() if row is None else self.by_video[row] for row in rows)

    def _rows_of(self, files: Sequence[str]) -> list[str | None]:
        paths = {_keys(file)[0] for file in files}
        named_by: dict[str, str] = {}
        rows: list[str | None] = []
        for file in files:
            path, name = _keys(file)
            if path in self.by_video:
                rows.append(path)
            elif name in paths or name not in self.by_video:
                rows.append(None)
            elif named_by.setdefault(name, file) == file:
                rows.append(name)
            else:
                raise DatasetError(
                    f"The video_id {name!r} of the label file could mean {named_by[name]} or {file}. "
                    f"Write a row for each, by its path without ending, for example {path!r}."
                )
        return rows

    def count_unknown(self, files: Iterable[str]) -> int:
        """Number of label rows that belong to none of the files."""
        known = {key for file in files for key in _keys(file)}
        return sum(video not in known for video in self.by_video)


def read_labels(path: Path) -> Labels:
    """Read a label file: UTF-8 CSV, header `video_id,labels`, labels separated by `;`.

    Raises:
        DatasetError: The file is missing or malformed; names the line.
    """
    if not path.is_file():
        raise DatasetError(f"{path} is not a file. Give a CSV with the columns video_id,labels.")
    by_video: dict[str, tuple[str, ...]] = {}
    with path.open(encoding="utf-8-sig", newline="") as file:
        reader = csv.reader(file, strict=True)
        try:
            header = next(reader, None)
            if header != _COLUMNS:
                raise DatasetError(
                    f"{path} line 1: the header is {header or 'empty'}, it must be {','.join(_COLUMNS)}."
                )
            for cells in reader:
                _add_row(by_video, cells, f"{path} line {reader.line_num}")
        except (csv.Error, UnicodeDecodeError) as error:
            raise DatasetError(
                f"{path} line {reader.line_num + 1}: {error}. It must be CSV in UTF-8."
            ) from error
    text = "\n".join(f"{video}\t{_SEPARATOR.join(labels)}" for video, labels in sorted(by_video.items()))
    return Labels(by_video=by_video, fingerprint=hashlib.sha256(text.encode()).hexdigest())


def _add_row(by_video: dict[str, tuple[str, ...]], cells: list[str], where: str) -> None:
    if not cells:
        return
    if len(cells) != len(_COLUMNS):
        raise DatasetError(
            f'{where}: {len(cells)} columns, 2 are needed. Separate labels by ";", or quote the cell.'
        )
    video, names = cells[0].strip(), tuple(name.strip() for name in cells[1].split(_SEPARATOR))
    if not video:
        raise DatasetError(f"{where}: the video_id is empty.")
    if video in by_video:
        raise DatasetError(f"{where}: {video} has a row already. Join its labels in one row.")
    if not all(names) or len(set(names)) != len(names):
        raise DatasetError(f"{where}: the labels {cells[1]!r} of {video} contain an empty or repeated one.")
    by_video[video] = names


def _keys(file: str) -> tuple[str, str]:
    path = PurePosixPath(file)
    return str(path.with_suffix("")) if path.name else "", path.stem


def _some(names: Iterable[str]) -> str:
    listed = [repr(name) for name in names]
    return ", ".join(listed[:3]) + (", ..." if len(listed) > 3 else "")
