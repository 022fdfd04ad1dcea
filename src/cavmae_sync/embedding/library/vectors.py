"""Vectors that any encoder made, as a library: one file of vectors, and the media that they are of.

N clips, T moments of a clip, D width.
"""

import math
import os
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any, Final

import numpy as np
import torch
from numpy.typing import NDArray

from cavmae_sync.checks import first_names
from cavmae_sync.data import Rejected
from cavmae_sync.data.preparing.sources import list_sources
from cavmae_sync.data.preparing.videos import content_hash_of
from cavmae_sync.embedding.encoders import EncoderRecord
from cavmae_sync.embedding.library.catalogue import Catalogue, FileRow, Root
from cavmae_sync.embedding.library.config import LibraryConfig
from cavmae_sync.embedding.library.convert import convert_if_old
from cavmae_sync.embedding.library.entering import Journal, check_failed, enter_scan, writing
from cavmae_sync.embedding.library.part import counted_part
from cavmae_sync.embedding.library.parts import FileResult
from cavmae_sync.embedding.library.record import LibraryRecord, claim_library, read_record
from cavmae_sync.embedding.library.report import library_report
from cavmae_sync.embedding.library.scan import root_of, scan_listing
from cavmae_sync.embedding.library.schema import (
    LIBRARY_FILE,
    SENSES,
    Sense,
    clip_id,
    part_path,
    part_schema,
    rows_batch,
    write_part,
)
from cavmae_sync.embedding.library.stream import Throughput
from cavmae_sync.embedding.library.update import LibraryRun
from cavmae_sync.embedding.rows import unit_rows
from cavmae_sync.embedding.vector_formats import CLIPS, read_vector_file
from cavmae_sync.errors import DatasetError

#: How far lengths of clips may differ and count as equal, in seconds.
_SLACK_SECONDS: Final = 1e-3
_NO_VECTORS: Final = "no_vectors"
_BAD_VECTORS: Final = "bad_vectors"
_BAD_TIMES: Final = "bad_times"
_MOST_WIDTH: Final = 1 << 16
_LEAST_SECONDS: Final = 0.05


@dataclass(frozen=True, kw_only=True, slots=True)
class ForeignVectors:
    """Vectors of a file, by sense.

    Attributes:
        path: The file.
        rows: For each sense that it has float32 [N, T, D], as the file holds them.
        name: Name of the encoder.
        weights: Fingerprint of its weights, or an empty text.
        made_with: Settings of the encoder, as JSON values.
        spaces: Space of each sense.
        source: File that each clip is from; empty where the file does not say.
        start_seconds: Start of each clip.
        stop_seconds: End of it.
    """

    path: Path
    rows: dict[Sense, NDArray[np.float32]]
    name: str
    weights: str
    made_with: Any
    spaces: dict[str, str]
    source: tuple[str, ...]
    start_seconds: NDArray[np.float64]
    stop_seconds: NDArray[np.float64]

    @property
    def width(self) -> int:
        """D."""
        return next(iter(self.rows.values())).shape[2]

    @property
    def num_moments(self) -> int:
        """T."""
        return next(iter(self.rows.values())).shape[1]


def read_foreign_vectors(path: str | os.PathLike[str]) -> ForeignVectors:
    """Vectors of an .npz or Parquet file that any encoder made.

    It holds `audio`, `visual` or both: float [N, T, D], or [N, D] for one vector per clip; and may hold
    `source`, `start_seconds` and `stop_seconds` of each clip, and facts: `name` of the encoder (needed),
    `weights`, `made_with`, and `audio_space` and `visual_space` where sounds do not compare with frames.

    Raises:
        DatasetError: The file is missing, damaged, or its columns do not fit together.
    """
    path = Path(path)
    content = read_vector_file(path, CLIPS)
    name = content.facts.get("name")
    if not isinstance(name, str) or not name or not name.isprintable():
        raise DatasetError(f"{path} does not say which encoder made it. Add name, a text.")
    given = content.vectors
    rows = {sense: _three_axes(path, sense, given[sense]) for sense in SENSES if sense in given}
    if not rows:
        raise DatasetError(f"{path} holds neither audio nor visual.")
    if (width := next(iter(rows.values())).shape[2]) > _MOST_WIDTH:
        raise DatasetError(f"{path}: vectors of {width} numbers are too wide; {_MOST_WIDTH} are taken.")
    if len({each.shape for each in rows.values()}) > 1:
        shapes = " and ".join(f"{sense} {list(each.shape)}" for sense, each in rows.items())
        raise DatasetError(f"{path}: {shapes} must have one shape.")
    count = len(next(iter(rows.values())))
    for column, values in (("source", content.source), *content.times.items()):
        if values is not None and len(values) != count:
            raise DatasetError(f"{path}: {len(values)} values of {column} for {count} clips.")
    return ForeignVectors(
        path=path,
        rows=rows,
        name=name,
        weights=str(content.facts.get("weights", "")),
        made_with=content.facts.get("made_with"),
        spaces={sense: str(content.facts.get(f"{sense}_space", name)) for sense in SENSES},
        source=content.source or (),
        start_seconds=content.times.get("start_seconds", np.zeros(0)),
        stop_seconds=content.times.get("stop_seconds", np.zeros(0)),
    )


def add_vectors(
    vectors: str | os.PathLike[str] | ForeignVectors,
    source: str | os.PathLike[str],
    *,
    out: str | os.PathLike[str],
    root: str | None = None,
    on_progress: Callable[[int, int], None] | None = None,
) -> LibraryRun:
    """Put vectors that any encoder made into a library, with the media that they are of.

    Nothing is encoded. The media are read once, to know them by their content wherever they move. A file of
    the source without vectors, or with vectors that are no numbers, is listed as failed; a content that has
    vectors in the library keeps them.

    Args:
        vectors: File of `read_foreign_vectors` with `source`, `start_seconds` and `stop_seconds`. Sources are
            paths below `source`, or whole paths.
        source: Folder or list of the media, or one of them; see `list_sources`.
        out: Folder of the library, which is begun if it is new or empty.
        root: Name of the root; None takes that of the folder.
        on_progress: Called after each file with files done and files in all.

    Raises:
        ConfigError: The library is of another encoder, or of clips of another length.
        DatasetError: The file cannot be used, or names no file of the source.
        TooManyRejectedError: No file has vectors that can be used.
    """
    found = vectors if isinstance(vectors, ForeignVectors) else read_foreign_vectors(vectors)
    folder = Path(out).absolute()
    convert_if_old(folder)
    _check_sources(found, Path(source))
    known = read_record(folder).config if (folder / LIBRARY_FILE).is_file() else None
    record = claim_library(folder, _record_of(found, known))
    with writing(folder, None) as entering, Catalogue(folder, is_writable=True) as catalogue:
        where, listing = root_of(catalogue, Path(source), name=root)
        clips = _clips_by_path(found, where, Path(source))
        scan = scan_listing(catalogue, where, listing, is_whole=False, retries=True)
        enter_scan(catalogue, scan)
        journal = Journal(
            catalogue,
            scan.to_read,
            counted=lambda content: counted_part(folder, content, record),
            entering=entering,
        )
        try:
            for number, row in enumerate(scan.to_read):
                journal.enter(_entered(number, row, where, found, clips.get(row.path), folder, record))
                if on_progress is not None:
                    on_progress(number + 1, len(scan.to_read))
        finally:
            journal.flush()
        report = library_report(catalogue)
        paths = {file.path for file in listing.files if file.path in clips}
        files = [row for row in catalogue.files(where.name) if row.path in paths]
        check_failed(files, limit=1.0, folder=folder)
    done = Throughput(num_files=len(scan.to_read), num_rejected=len(journal.failed))
    return LibraryRun(report=report, throughput=done, failed=tuple(journal.failed))


def _three_axes(path: Path, sense: Sense, values: NDArray[Any]) -> NDArray[np.float32]:
    if values.dtype.kind != "f" or values.ndim not in {2, 3} or 0 in values.shape:
        raise DatasetError(
            f"{path}: {sense} must be floating-point numbers [clips, moments, width] or [clips, width], not "
            f"empty; got {values.dtype} {list(values.shape)}."
        )
    with np.errstate(over="ignore"):  # what is too large becomes infinite, and costs its file
        rows = values.astype(np.float32)
    return rows[:, None] if rows.ndim == 2 else rows


def _check_sources(found: ForeignVectors, source: Path) -> None:
    """Raise if nothing of the source has vectors, before anything is written."""
    listing = list_sources(source)
    base = source.absolute() if source.is_dir() else listing.root
    files = {os.path.normpath(listing.root / file.path) for file in listing.files}
    if found.source and not any(os.path.normpath(base / each) in files for each in found.source):
        raise DatasetError(
            f"{found.path} names no file of {source}: its sources are "
            f"{first_names(dict.fromkeys(found.source))}. "
            "Give the folder that they are paths below."
        )


def _record_of(found: ForeignVectors, known: LibraryConfig | None) -> LibraryRecord:
    """Record of a library of such vectors; one that is there keeps its lengths where the clips fit."""
    path = found.path
    if not len(found.source) == len(found.start_seconds) == len(found.stop_seconds) > 0:
        raise DatasetError(f"{path} needs source, start_seconds and stop_seconds of each clip.")
    lengths = found.stop_seconds - found.start_seconds
    if not (lengths > 0).all() or not (found.start_seconds >= 0).all():
        raise DatasetError(f"{path}: clips must begin at 0 or later, and end after they begin.")
    clip_seconds = round(float(lengths.max()), 6)
    by_source: defaultdict[str, list[float]] = defaultdict(list)
    for source, start in zip(found.source, found.start_seconds.tolist(), strict=True):
        by_source[source].append(start)
    steps = np.concatenate([np.diff(sorted(starts)) for starts in by_source.values()])
    near = steps[steps <= clip_seconds + _SLACK_SECONDS]  # longer ones are gaps
    hop_seconds = round(float(np.median(near)), 6) if len(near) else clip_seconds
    is_hopping = found.num_moments == 1 and _SLACK_SECONDS < hop_seconds < clip_seconds - _SLACK_SECONDS
    config = LibraryConfig(
        clip_seconds=clip_seconds,
        hop_seconds=hop_seconds if is_hopping else None,
        min_seconds=min(LibraryConfig().min_seconds, max(clip_seconds, _LEAST_SECONDS)),
        num_frames=found.num_moments,
        sampling="uniform_center",
    )
    is_fit = known is not None and known.num_frames == found.num_moments
    if known is not None and is_fit and clip_seconds <= known.clip_seconds + _SLACK_SECONDS:
        config = known  # clips that do not lie on its steps cost their file
    return LibraryRecord(
        program=version("cavmae-sync"),
        encoder=EncoderRecord(
            kind=found.name,
            width=found.width,
            weights=found.weights,
            made_with={"made_with": found.made_with},
        ),
        spaces=found.spaces,
        config=config,
    )


def _clips_by_path(found: ForeignVectors, where: Root, source: Path) -> dict[str, list[int]]:
    """Numbers of the clips of each path below the root, in the order of their starts."""
    assert where.path is not None
    base = source.absolute() if source.is_dir() else where.path
    clips: defaultdict[str, list[int]] = defaultdict(list)
    for number in np.argsort(found.start_seconds, kind="stable").tolist():
        path = Path(os.path.normpath(base / found.source[number]))
        if path.is_relative_to(where.path):
            clips[path.relative_to(where.path).as_posix()].append(number)
    return clips


def _entered(
    number: int,
    row: FileRow,
    where: Root,
    found: ForeignVectors,
    clips: Sequence[int] | None,
    folder: Path,
    record: LibraryRecord,
) -> FileResult:
    """Result of a file: its part is written, or there is a reason why not."""
    assert where.path is not None
    path = where.path / row.path

    def failed(reason: str, message: str) -> FileResult:
        return FileResult(
            unit_index=number,
            content="",
            num_bytes=row.num_bytes,
            changed_ns=row.changed_ns,
            rejected=Rejected(file=row.path, reason=reason, message=f"{row.path} {message}"),
            notes=(),
        )

    if clips is not None and _collide(found, clips, record.config):
        return failed(
            _BAD_TIMES,
            f"has clips that are nearer to each other than the library's step of "
            f"{record.config.step_seconds:g} s, so that some could not be found.",
        )
    if clips is None:
        return failed(_NO_VECTORS, f"has no vectors in {found.path.name}.")
    try:
        content = content_hash_of(path)
    except OSError as error:
        return failed("unreadable", f"cannot be read: {error.strerror or error}.")
    part = part_path(folder, content)
    if not part.is_file():
        rows: dict[Sense, Any] = dict.fromkeys(SENSES)
        for sense, vectors in found.rows.items():
            rows[sense] = unit_rows(torch.from_numpy(vectors[list(clips)])).flatten(0, 1)
            if not rows[sense].isfinite().all():
                return failed(_BAD_VECTORS, f"has {sense} vectors that are zero, NaN or infinite.")
        batch = rows_batch(
            list(_facts(found, clips, content, record.config)), rows, width=found.width, config=record.config
        )
        schema = part_schema(width=found.width, config=record.config)
        write_part(part, [batch], schema=schema, about={"content": content, "made_by": record.fingerprint})
    return FileResult(
        unit_index=number,
        content=content,
        num_bytes=row.num_bytes,
        changed_ns=row.changed_ns,
        rejected=None,
        notes=(),
        row=counted_part(folder, content, record),
    )


def _collide(found: ForeignVectors, clips: Sequence[int], config: LibraryConfig) -> bool:
    """Whether two moments of a file would take the same place of its timeline."""
    start_N, stop_N = found.start_seconds[list(clips)], found.stop_seconds[list(clips)]
    inside_T = (np.arange(found.num_moments) + 0.5) / found.num_moments
    moments = (start_N[:, None] + inside_T[None, :] * (stop_N - start_N)[:, None]).ravel()
    # Half of a step may lie between a moment and its place.
    return bool((np.diff(np.sort(moments)) < config.step_seconds / 2).any())


def _facts(
    found: ForeignVectors, clips: Sequence[int], content: str, config: LibraryConfig
) -> Iterator[dict[str, Any]]:
    for number in clips:
        start, stop = float(found.start_seconds[number]), float(found.stop_seconds[number])
        moments = (np.arange(found.num_moments) + 0.5) * (stop - start) / found.num_moments
        yield {
            "id": clip_id(content, start),
            "start_seconds": start,
            "stop_seconds": stop,
            "frame_seconds": moments.tolist(),
            "is_silent": None,
            "is_still": None,
            "is_short": not math.isclose(stop - start, config.clip_seconds, abs_tol=_SLACK_SECONDS),
        }
