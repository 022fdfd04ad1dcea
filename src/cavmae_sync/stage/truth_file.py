"""Truth on disk: a Parquet file with one row for each clip, its writer, and a reader of single clips."""

import os
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict
from functools import cached_property
from pathlib import Path, PurePosixPath
from typing import Any, Final

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from cavmae_sync.atomic import written_whole
from cavmae_sync.data.storage.tables import ClipRow
from cavmae_sync.errors import DatasetError
from cavmae_sync.stage.truth import ClipTruth, EventTruth, ObjectTruth
from cavmae_sync.untrusted import read_object

_OBJECT: Final = pa.struct(
    [
        ("number", pa.int16()),
        ("name", pa.string()),
        ("class_name", pa.string()),
        ("size", pa.float64()),
        ("warmth", pa.float64()),
        ("texture", pa.float64()),
        ("is_on_stage", pa.bool_()),
        ("boxes_T4", pa.list_(pa.list_(pa.int32(), 4))),
        ("visible_share_T", pa.list_(pa.float32())),
        ("loudness_T", pa.list_(pa.float32())),
    ]
)
_EVENT: Final = pa.struct(
    [
        ("object_number", pa.int16()),
        ("start_seconds", pa.float64()),
        ("stop_seconds", pa.float64()),
        ("loudness", pa.float64()),
        ("is_on_screen", pa.bool_()),
    ]
)
TRUTH_SCHEMA: Final = pa.schema(
    [
        ("video_id", pa.string()),
        ("split", pa.string()),
        ("variant", pa.string()),
        ("control", pa.string()),
        ("labels", pa.list_(pa.string())),
        ("duration_seconds", pa.float64()),
        ("frame_seconds_T", pa.list_(pa.float64())),
        ("objects", pa.list_(_OBJECT)),
        ("events", pa.list_(_EVENT)),
        ("object_map_pngs", pa.list_(pa.binary())),
    ]
)


class StageTruth(Mapping[str, ClipTruth]):
    """Truth of all clips of a stage, by video id. Clips are read when asked for, one row group each."""

    def __init__(self, folder: str | os.PathLike[str]) -> None:
        """Open `truth.parquet` in the folder of a stage.

        Raises:
            DatasetError: The file is missing, damaged, or of another version.
        """
        self._folder = Path(folder)
        path = self._folder / "truth.parquet"
        if not path.is_file():
            raise DatasetError(
                f"{folder} has no truth.parquet. Either it is not a stage, or making it was interrupted: "
                f"run the same command again to finish it."
            )
        with self._naming_file():
            self._file = pq.ParquetFile(path, page_checksum_verification=True)
            if not self._file.schema_arrow.equals(TRUTH_SCHEMA):
                raise DatasetError(f"{path} is of another version. Make the stage again in a new folder.")
            ids = self._file.read(columns=["video_id"]).column("video_id").to_pylist()
            if self._file.num_row_groups != len(ids):
                raise ValueError(f"{self._file.num_row_groups} row groups for {len(ids)} clips")
        self._row_of = {video_id: row for row, video_id in enumerate(ids)}

    def __getitem__(self, video_id: str) -> ClipTruth:
        """Truth of one clip."""
        row = self._row_of[video_id]
        with self._naming_file(f", clip {video_id}"):
            return _from_row(self._file.read_row_group(row).to_pylist()[0])

    def __iter__(self) -> Iterator[str]:
        """Video ids, in the order of the file."""
        return iter(self._row_of)

    def __len__(self) -> int:
        """Number of clips."""
        return len(self._row_of)

    def for_clip(self, clip: ClipRow) -> ClipTruth:
        """Truth of a clip that was prepared from this stage; times in it count from the start of the file.

        Raises:
            DatasetError: The clip was not prepared from this stage.
        """
        video_id = PurePosixPath(clip.source).stem
        if video_id not in self._row_of:
            raise DatasetError(
                f"Clip {clip.id} was prepared from {clip.source}, which is not in the stage {self._folder}. "
                "Give the stage that the dataset was prepared from."
            )
        return self[video_id]

    @cached_property
    def name(self) -> str:
        """Name of the stage, for reports: `stage2-bind-test`, or of version 1 `stage1-standard-test`.

        Raises:
            DatasetError: The stage has no `stage.json`, or it is damaged.
        """
        path = self._folder / "stage.json"
        if not path.is_file():
            raise DatasetError(
                f"{self._folder} has no stage.json, so it is not a whole stage. Make it again."
            )
        described = read_object(path, remedy="Make the stage again.")
        config = described.get("config")
        config = config if isinstance(config, dict) else {}
        old_name = f"stage{described.get('version')}-{config.get('variant')}-{config.get('split')}"
        return str(described.get("name", old_name))

    def labels(self) -> dict[str, tuple[str, ...]]:
        """Labels of all clips, without reading the rest."""
        with self._naming_file(", labels"):
            rows = self._file.read(columns=["video_id", "labels"]).to_pylist()
            return {row["video_id"]: tuple(row["labels"]) for row in rows}

    @contextmanager
    def _naming_file(self, what: str = "") -> Iterator[None]:
        """Turn any failure to read into an error that names the file."""
        try:
            yield
        except (pa.ArrowException, OSError, ValueError, TypeError, LookupError, MemoryError) as error:
            raise DatasetError(
                f"{self._folder / 'truth.parquet'}{what} is damaged ({error}). Make the stage again."
            ) from error


def open_writer(path: Path) -> pq.ParquetWriter:
    """Open a Parquet writer for rows of truth."""
    return pq.ParquetWriter(path, TRUTH_SCHEMA, compression="zstd", write_page_checksum=True)


def write_truth(path: Path, clips: Iterable[pa.Table]) -> None:
    """Write clips, each a table of one row, as one file with a row group each; whole or not at all."""
    with written_whole(path) as part, open_writer(part) as writer:
        for clip in clips:
            writer.write_table(clip)


def to_table(truth: ClipTruth) -> pa.Table:
    """Truth of one clip as a table of one row."""
    row = asdict(truth)
    row["frame_seconds_T"] = truth.frame_seconds_T.tolist()
    for thing in row["objects"]:
        for name in ("boxes_T4", "visible_share_T", "loudness_T"):
            thing[name] = thing[name].tolist()
    return pa.Table.from_pylist([row], schema=TRUTH_SCHEMA)


def _from_row(row: dict[str, Any]) -> ClipTruth:
    objects = tuple(_object(cells) for cells in row.pop("objects"))
    events = tuple(EventTruth(**cells) for cells in row.pop("events"))
    return ClipTruth(
        objects=objects,
        events=events,
        labels=tuple(row.pop("labels")),
        frame_seconds_T=np.asarray(row.pop("frame_seconds_T"), np.float64),
        object_map_pngs=tuple(row.pop("object_map_pngs")),
        **row,
    )


def _object(cells: dict[str, Any]) -> ObjectTruth:
    return ObjectTruth(
        boxes_T4=np.asarray(cells.pop("boxes_T4"), np.int32).reshape(-1, 4),
        visible_share_T=np.asarray(cells.pop("visible_share_T"), np.float32),
        loudness_T=np.asarray(cells.pop("loudness_T"), np.float32),
        **cells,
    )
