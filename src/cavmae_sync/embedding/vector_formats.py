"""File formats of vectors: NumPy's .npz and Parquet, read without trusting them.

No pickle is loaded. Before memory is taken, the size that a file declares is compared with the size of the
file and with the memory of this machine.

Letters: N clips, T frames per clip, D width, K labels of a clip at most.
"""

import json
import math
import os
import struct
import subprocess
import sys
import zipfile
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, NoReturn

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.lib import format as npy
from numpy.typing import NDArray

from cavmae_sync.errors import DatasetError
from cavmae_sync.untrusted import parse_json

#: Arrays or columns of a file of embeddings: those it must have, and those per clip that it may have.
VECTORS: Final = ("audio", "visual")
PER_CLIP: Final = ("ids", "labels")
#: Facts about the file as a whole: arrays of an .npz, or JSON under `METADATA_KEY` in Parquet.
FACTS: Final = ("name", "made_with", "weights", "clip_list", "frame_seconds")
#: Key of a Parquet file's facts in its metadata.
METADATA_KEY: Final = b"cavmae_sync"

_BATCH_ROWS: Final = 256
#: Longest list of unknown names in a message.
_MOST_LETTERS: Final = 200
#: Exceptions of zipfile and NumPy on damaged files, found by mutating files (tests/test_mutated_files.py).
_DAMAGE: Final = (
    zipfile.BadZipFile, zlib.error, struct.error, EOFError, ValueError, LookupError, SyntaxError, OSError,
    NotImplementedError, RuntimeError, MemoryError,
)  # fmt: skip


@dataclass(frozen=True, kw_only=True, slots=True)
class FileKind:
    """Contents of one kind of vector file.

    Attributes:
        vectors: Names of the arrays of numbers that it must have.
        per_clip: Names of the texts per clip that it may have, among "ids", "labels", "split" and "source".
        optional: Names of further arrays of numbers that it may have.
        times: Names of columns with one number per clip that it may have.
        facts: Names of facts about the file as a whole that it may have.
    """

    vectors: tuple[str, ...]
    per_clip: tuple[str, ...]
    optional: tuple[str, ...] = ()
    times: tuple[str, ...] = ()
    facts: tuple[str, ...] = FACTS


#: Embeddings to compare, features for a classifier, localisation maps over frames, clips of a library.
EMBEDDINGS: Final = FileKind(vectors=VECTORS, per_clip=PER_CLIP)
FEATURES: Final = FileKind(vectors=("features",), per_clip=("ids", "labels", "split"))
MAPS: Final = FileKind(vectors=("maps",), per_clip=("ids",))
CLIPS: Final = FileKind(
    vectors=(),
    per_clip=("ids", "source"),
    optional=VECTORS,
    times=("start_seconds", "stop_seconds"),
    facts=(*FACTS, "audio_space", "visual_space"),
)


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class FileContent:
    """Content of a vector file, not yet checked for sense.

    Attributes:
        vectors: By name, arrays of any type and shape.
        ids: One per clip, or None.
        labels: Per clip, or None.
        split: Per clip, or None.
        source: Path of the file that each clip is from, or None.
        times: By name, float64 with one number per clip.
        facts: Facts about the file as a whole, by their names in `FACTS`.
    """

    vectors: Mapping[str, NDArray[Any]]
    ids: tuple[str, ...] | None = None
    labels: tuple[tuple[str, ...], ...] | None = None
    split: tuple[str, ...] | None = None
    source: tuple[str, ...] | None = None
    times: Mapping[str, NDArray[np.float64]] = field(default_factory=dict)
    facts: Mapping[str, Any]


def read_vector_file(path: Path, kind: FileKind) -> FileContent:
    """Content of an .npz or Parquet file; the format is recognised by its first bytes.

    Raises:
        DatasetError: The file is missing, damaged, of another format, or has unknown names.
    """
    return read_npz(path, kind) if format_of(path) == "npz" else read_parquet(path, kind)


def read_npz(path: Path, kind: FileKind = EMBEDDINGS) -> FileContent:
    """Content of an .npz file.

    Raises:
        DatasetError: The file is damaged, has arrays of Python objects, or unknown names.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            members = {name.removesuffix(".npy"): name for name in archive.namelist()}
            _check_names(path, kind, members)
            arrays = {name: _npz_array(archive, member, path) for name, member in members.items()}
    except _DAMAGE as error:
        raise DatasetError(f"{path} is damaged: {error!s:.200}. Write it again with numpy.savez.") from error
    return FileContent(
        vectors={name: arrays[name] for name in (*kind.vectors, *kind.optional) if name in arrays},
        ids=_texts(arrays["ids"], name="ids", path=path) if "ids" in arrays else None,
        split=_texts(arrays["split"], name="split", path=path) if "split" in arrays else None,
        source=_texts(arrays["source"], name="source", path=path) if "source" in arrays else None,
        times={name: _times(arrays[name], name, path) for name in kind.times if name in arrays},
        labels=_npz_labels(arrays["labels"], path) if "labels" in arrays else None,
        facts={name: arrays[name].tolist() for name in kind.facts if name in arrays},
    )


def write_npz(path: Path, content: FileContent) -> None:
    """Write a file that `read_npz` reads."""
    arrays: dict[str, NDArray[Any]] = {name: np.asarray(content.vectors[name]) for name in VECTORS}
    if content.ids is not None:
        arrays["ids"] = np.array(content.ids, dtype=np.str_)
    if content.labels is not None:
        most = max(map(len, content.labels))
        padded = [list(labels) + [""] * (most - len(labels)) for labels in content.labels]
        arrays["labels"] = np.array(padded, dtype=np.str_).reshape(len(padded), most)
    arrays |= {name: np.array(value) for name, value in content.facts.items()}
    with path.open("wb") as file:
        np.savez(file, allow_pickle=False, **arrays)


def _npz_array(archive: zipfile.ZipFile, member: str, path: Path) -> NDArray[Any]:
    """One array of an .npz; its header is compared with the bytes that follow before they are read."""
    with archive.open(member) as file:
        header = {(1, 0): npy.read_array_header_1_0, (2, 0): npy.read_array_header_2_0}
        version = npy.read_magic(file)
        if version not in header:
            raise ValueError(f"{member} has version {version} of NumPy's format")
        shape, is_fortran, dtype = header[version](file)
        if dtype.hasobject:
            _refuse_objects(path, member)
        num_bytes = math.prod(shape) * dtype.itemsize
        if num_bytes != archive.getinfo(member).file_size - file.tell():
            raise ValueError(f"{member} declares {num_bytes} bytes for shape {shape} but holds others")
        check_fits(path, member, num_bytes)
        flat = np.frombuffer(file.read(num_bytes), dtype) if num_bytes else np.empty(0, dtype)
    return flat.reshape(shape, order="F" if is_fortran else "C")


def _refuse_objects(path: Path, member: str) -> NoReturn:
    raise DatasetError(
        f"{path}: {member} holds Python objects, which only a pickle can store, and pickles are not loaded: "
        "they can run programs. Save texts as numpy.array(texts, dtype=str), and give every clip "
        "equally many frames."
    )


def _npz_labels(labels: NDArray[Any], path: Path) -> tuple[tuple[str, ...], ...]:
    """Labels from an array [N], one for each clip, or [N, K]; an empty text is no label."""
    if labels.ndim not in {1, 2} or labels.dtype.kind != "U":
        raise DatasetError(
            f"{path}: labels must be texts of shape [clips] or [clips, labels], "
            f"got {labels.dtype} {labels.shape}."
        )
    rows = labels[:, None] if labels.ndim == 1 else labels
    return tuple(tuple(label for label in row if label) for row in rows.tolist())


def _times(values: NDArray[Any], name: str, path: Path) -> NDArray[np.float64]:
    """One finite number for each clip."""
    is_number = values.ndim == 1 and values.dtype.kind in "fiu"
    if not is_number or not np.isfinite(values).all():
        raise DatasetError(
            f"{path}: {name} must be one number per clip, without gaps; got {values.dtype} of shape "
            f"{values.shape}."
        )
    return values.astype(np.float64)


def _texts(values: NDArray[Any], *, name: str, path: Path) -> tuple[str, ...]:
    if values.ndim != 1 or values.dtype.kind not in "Uiu":
        raise DatasetError(
            f"{path}: {name} must be texts or whole numbers, one per clip, "
            f"got {values.dtype} of shape {values.shape}."
        )
    return tuple(map(str, values.tolist()))


def read_parquet(path: Path, kind: FileKind = EMBEDDINGS) -> FileContent:
    """Content of a Parquet file with one row per clip; vectors are lists of numbers, or lists of lists.

    Raises:
        DatasetError: The file is damaged, a column has another type, or clips have vectors of several shapes.
    """
    try:
        _check_declared(path)
        with pq.ParquetFile(path) as file:
            names = [name for name in file.schema_arrow.names if not name.startswith("__")]
            _check_names(path, kind, names)
            batches = list(file.iter_batches(batch_size=_BATCH_ROWS, columns=names))
            facts = _parquet_facts(path, kind, file.schema_arrow.metadata or {})
    except (pa.ArrowException, OSError, ValueError, LookupError, MemoryError) as error:
        raise DatasetError(f"{path} is not readable Parquet: {error}. Write it again.") from error
    if not batches:
        raise DatasetError(f"{path} has no rows. One row per clip is needed.")
    return FileContent(
        vectors={
            name: _parquet_vectors(batches, name, path)
            for name in (*kind.vectors, *kind.optional)
            if name in names
        },
        ids=_parquet_texts(batches, "ids", path) if "ids" in names else None,
        split=_parquet_texts(batches, "split", path) if "split" in names else None,
        source=_parquet_texts(batches, "source", path) if "source" in names else None,
        times={
            name: _times(_parquet_numbers(batches, name), name, path) for name in kind.times if name in names
        },
        labels=_parquet_labels(batches, path) if "labels" in names else None,
        facts=facts,
    )


def write_parquet(path: Path, content: FileContent) -> None:
    """Write a file that `read_parquet` reads: vectors as fixed-size lists of frames, float32."""
    columns = {name: _nested(np.asarray(content.vectors[name])) for name in VECTORS}
    if content.ids is not None:
        columns["ids"] = pa.array(content.ids, pa.string())
    if content.labels is not None:
        columns["labels"] = pa.array([list(labels) for labels in content.labels], pa.list_(pa.string()))
    metadata = {METADATA_KEY: json.dumps(dict(content.facts), ensure_ascii=False).encode()}
    table = pa.table(columns).replace_schema_metadata(metadata)
    # The numbers of vectors do not repeat: a dictionary of them would only make the file larger.
    pq.write_table(table, path, row_group_size=_BATCH_ROWS, use_dictionary=False)


def _nested(vectors_NTD: NDArray[Any]) -> pa.Array:
    _, num_frames, width = vectors_NTD.shape
    flat = pa.array(vectors_NTD.reshape(-1))
    return pa.FixedSizeListArray.from_arrays(pa.FixedSizeListArray.from_arrays(flat, width), num_frames)


def _parquet_vectors(batches: Sequence[pa.RecordBatch], name: str, path: Path) -> NDArray[Any]:
    parts = [_without_lists(batch[name], name, path) for batch in batches]
    shapes = {part.shape[1:] for part in parts}
    if len(shapes) > 1:
        _refuse_ragged(path, name, shapes)
    return np.concatenate(parts)


def _parquet_numbers(batches: Sequence[pa.RecordBatch], name: str) -> NDArray[Any]:
    return np.concatenate([batch[name].to_numpy(zero_copy_only=False) for batch in batches])


def _without_lists(column: pa.Array, name: str, path: Path) -> NDArray[Any]:
    """Array of a column of lists, all of one length."""
    shape = [len(column)]
    while isinstance(column, pa.ListArray | pa.LargeListArray | pa.FixedSizeListArray):
        is_fixed = isinstance(column, pa.FixedSizeListArray)
        lengths = {column.type.list_size} if is_fixed else set(column.value_lengths().to_pylist())
        if len(lengths) != 1 or column.null_count:
            _refuse_ragged(path, name, lengths)
        shape.append(lengths.pop())
        column = column.flatten()
    if len(shape) == 1 or column.null_count or not pa.types.is_primitive(column.type):
        raise DatasetError(
            f"{path}: {name} must be a list of numbers for each clip, or a list of frames of numbers, "
            f"without gaps; got {column.type}{' with gaps' if column.null_count else ''}."
        )
    return column.to_numpy(zero_copy_only=False).reshape(shape)


def _refuse_ragged(path: Path, name: str, found: object) -> NoReturn:
    raise DatasetError(
        f"{path}: clips have vectors {name} of several sizes, or none: {found}. Give every clip equally many "
        "frames of one width."
    )


def _parquet_texts(batches: Sequence[pa.RecordBatch], name: str, path: Path) -> tuple[str, ...]:
    texts = [value for batch in batches for value in batch[name].to_pylist()]
    if not all(isinstance(value, str | int) for value in texts):
        raise DatasetError(f"{path}: {name} must be texts or whole numbers, one for each clip, without gaps.")
    return tuple(map(str, texts))


def _parquet_labels(batches: Sequence[pa.RecordBatch], path: Path) -> tuple[tuple[str, ...], ...]:
    rows = [value for batch in batches for value in batch["labels"].to_pylist()]
    labels = [row if isinstance(row, list) else [row] for row in rows]
    kept = tuple(tuple(label for label in row if label) for row in labels)
    if not all(isinstance(label, str) for row in kept for label in row):
        raise DatasetError(f"{path}: labels must be a text or a list of texts for each clip.")
    return kept


def _parquet_facts(path: Path, kind: FileKind, metadata: Mapping[bytes, bytes]) -> dict[str, Any]:
    try:
        found = parse_json(metadata.get(METADATA_KEY, b"{}"))
    except ValueError as error:
        raise DatasetError(f"{path}: its {METADATA_KEY.decode()} metadata are not JSON: {error}.") from error
    unknown = sorted(set(found) - set(kind.facts)) if isinstance(found, dict) else [type(found).__name__]
    if unknown:
        raise DatasetError(
            f"{path}: its {METADATA_KEY.decode()} metadata may have {', '.join(kind.facts)}, got {unknown}."
        )
    return found


#: Runs in a process of its own: pyarrow 26 ends the process on footers that are damaged in certain ways.
_COUNT_VALUES: Final = """
import sys
import pyarrow.parquet as pq
about = pq.read_metadata(sys.argv[1])
groups = [about.row_group(i) for i in range(about.num_row_groups)]
total = sum(group.column(c).num_values for group in groups for c in range(group.num_columns))
sys.__stdout__.write(str(total))
"""


def _check_declared(path: Path) -> None:
    """Refuse a file whose columns unpack to more than memory: repeated lists compress very well."""
    words = [sys.executable, "-I", "-c", _COUNT_VALUES, path]
    ran = subprocess.run(words, capture_output=True, text=True, check=False)  # noqa: S603 (our own words)
    if ran.returncode != 0:
        reason = (ran.stderr.strip().splitlines() or ["its footer is damaged"])[-1].strip()
        raise DatasetError(f"{path} is not readable Parquet: {reason:.200}. Write it again.")
    check_fits(path, "its columns", int(ran.stdout) * np.dtype(np.float64).itemsize)


def _check_names(path: Path, kind: FileKind, names: Mapping[str, str] | Sequence[str]) -> None:
    optional = (
        *kind.per_clip,
        *kind.optional,
        *kind.times,
        *(kind.facts if isinstance(names, Mapping) else ()),
    )
    missing = [name for name in kind.vectors if name not in names]
    unknown = sorted(name for name in names if name not in (*kind.vectors, *optional))
    if missing or unknown:
        needed = f"must hold {' and '.join(kind.vectors)}, and " if kind.vectors else ""
        raise DatasetError(
            f"{path} {needed}may hold {', '.join(optional)}. "
            f"Missing: {', '.join(missing) or 'nothing'}; unknown: "
            f"{', '.join(unknown)[:_MOST_LETTERS] or 'nothing'}. Rename them or leave them out."
        )


def check_fits(path: Path, name: str, num_bytes: int) -> None:
    """Raise if so many bytes do not fit into memory.

    Raises:
        DatasetError: This machine has less memory.
    """
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    if num_bytes > memory:
        raise DatasetError(
            f"{path}: {name} declares {num_bytes / 2**30:.1f} GiB, this machine has "
            f"{memory / 2**30:.1f} GiB. Use fewer clips or narrower numbers (float16), or check the file."
        )


def format_of(path: Path) -> str:
    """Format of a vector file by its first bytes: "npz" or "parquet".

    Raises:
        DatasetError: The file is missing or has another format.
    """
    if not path.is_file():
        raise DatasetError(
            f"{path} does not exist or is not a file. Give an .npz or Parquet file of vectors."
        )
    with path.open("rb") as file:
        start = file.read(4)
    if start.startswith(b"PK"):
        return "npz"
    if start == b"PAR1":
        return "parquet"
    if not start:
        raise DatasetError(f"{path} is empty. Fetch or write it again.")
    found = "one array (.npy)" if start == b"\x93NUM" else f"a file that begins with {start!r}"
    raise DatasetError(f"{path} is {found}. Give vectors as .npz (numpy.savez) or Parquet.")
