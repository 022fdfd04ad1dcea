"""Filling a library: what is new or changed on the disk is read, encoded and entered into the catalogue.

    LIBRARY/library.json        model and configuration; written first
    LIBRARY/catalogue.sqlite    files and what became of them; changed after each file
    LIBRARY/parts/              vectors, one file per content

A run can be killed at any moment and started again. Rows are the same bytes with any number of runs.
"""

import os
import zlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from cavmae_sync.atomic import PART_SUFFIX
from cavmae_sync.embedding.embedder import Embedder
from cavmae_sync.embedding.encoders import ClipEncoder, as_encoder
from cavmae_sync.embedding.library.catalogue import Catalogue, FileRow, Root
from cavmae_sync.embedding.library.config import LibraryConfig
from cavmae_sync.embedding.library.convert import convert_if_old
from cavmae_sync.embedding.library.entering import Entering, Journal, check_failed, enter_scan, writing
from cavmae_sync.embedding.library.on_ray import encode_on_ray
from cavmae_sync.embedding.library.part import counted_part
from cavmae_sync.embedding.library.pieces import LibraryUnit, PieceHead
from cavmae_sync.embedding.library.record import LibraryRecord, claim_library, read_record
from cavmae_sync.embedding.library.report import LibraryReport, library_report
from cavmae_sync.embedding.library.scan import Scan, root_of, scan_listing, scan_root
from cavmae_sync.embedding.library.schema import LIBRARY_FILE, WORK_FOLDER, is_content, part_path
from cavmae_sync.embedding.library.stream import Throughput, encode_units
from cavmae_sync.errors import ConfigError
from cavmae_sync.work import RayCluster, Share
from cavmae_sync.work.workers import num_cores

#: Called with bytes of files done, bytes of all files to read, and this run's throughput.
LibraryProgress = Callable[[int, int, Throughput], None]

#: A file whose size is not known counts as this.
_UNKNOWN_BYTES: Final = 1


@dataclass(frozen=True, kw_only=True, slots=True)
class LibraryRun:
    """Result of a run.

    Attributes:
        report: Counts of the library now, work of other runs included.
        throughput: Work and speed of this run.
        failed: Files that this run read and that cannot be used, or not yet.
    """

    report: LibraryReport
    throughput: Throughput
    failed: tuple[FileRow, ...] = ()


@dataclass(frozen=True, kw_only=True, slots=True)
class FillOptions:
    """Options of filling a library.

    Attributes:
        num_workers: Processes that decode; 0 = the calling one. None = one, or one per core where the model
            computes on an accelerator. A `RayCluster` decodes and encodes on that cluster.
        share: Part of the files to read, when several machines fill one library; None = all.
        retries: Whether to read failed files again although they have not changed.
        notes: Facts to note in the catalogue, by name: where the model lies, for later commands.
        on_progress: Called after each piece.
        should_stop: Asked before each piece; True ends the run, and what was done stays.
    """

    num_workers: int | RayCluster | None = None
    share: Share | None = None
    retries: bool = False
    notes: Mapping[str, str] = field(default_factory=dict)
    on_progress: LibraryProgress | None = None
    should_stop: Callable[[], bool] = bool


def add_to_library(
    encoder: Embedder | ClipEncoder,
    source: str | os.PathLike[str],
    *,
    out: str | os.PathLike[str],
    config: LibraryConfig | None = None,
    root: str | None = None,
    max_failed_fraction: float = 1.0,
    options: FillOptions | None = None,
) -> LibraryRun:
    """Add video and sound files of any number and length to a library, in memory that grows with neither.

    Files of the source that are in it and have not changed are not read again; if the source is the whole of
    a root, files of it that are no longer there are noted as gone. Files with one sense alone are in it with
    that sense.

    Args:
        encoder: An embedder, or an encoder of other vectors.
        source: Folder, list of files, or one file; see `list_sources`.
        out: Folder of the library, which is begun if it is new or empty.
        config: Clips to cut, and how their vectors are stored; None takes the library's.
        root: Name of the root; None takes that of the folder.
        max_failed_fraction: Share of the files of the source that may fail, in [0, 1].
        options: How to fill it.

    Raises:
        ConfigError: The library is of another model or configuration; names each field that differs.
        DatasetError: The source cannot be read, `out` holds something else, or another process is writing.
        TooManyRejectedError: More files failed than allowed, or all. The others stay in the library.
        WeightsError: The model gives vectors that are not finite.
    """
    encoder, folder, options = as_encoder(encoder), Path(out).absolute(), options or FillOptions()
    convert_if_old(folder)
    record = _claim(encoder, folder, config)
    with writing(folder, options.share) as entering, Catalogue(folder, is_writable=True) as catalogue:
        with entering():
            for name, value in options.notes.items():
                catalogue.note(name, value)
            where, listing = root_of(catalogue, Path(source), name=root)
            is_whole = not where.is_listed and listing.root == where.path and Path(source).is_dir()
            scan = scan_listing(catalogue, where, listing, is_whole=is_whole, retries=options.retries)
            enter_scan(catalogue, scan)
        run = _fill(encoder, record, catalogue, [scan], folder=folder, options=options, entering=entering)
        if run.report.is_complete:
            paths = {file.path for file in listing.files}
            files = [row for row in catalogue.files(where.name) if row.path in paths]
            check_failed(files, limit=max_failed_fraction, folder=folder)
        return run


def update_library(
    encoder: Embedder | ClipEncoder,
    folder: str | os.PathLike[str],
    *,
    roots: Sequence[str] = (),
    options: FillOptions | None = None,
) -> LibraryRun:
    """Look at the roots of a library again, and read what is new or has changed.

    Files that moved, or were renamed, are known by their content and not encoded again. Files that are no
    longer there are noted as gone. A root that is not there is offline, and nothing of it is gone.

    Args:
        encoder: That which the library was made by.
        folder: Folder of the library.
        roots: Names of the roots to look at; empty for all.
        options: How to fill it.

    Raises:
        ConfigError: There is no such root, or another model made the library.
        DatasetError: The folder is no library, or another process is writing.
        WeightsError: The model gives vectors that are not finite.
    """
    encoder, place, options = as_encoder(encoder), Path(folder).absolute(), options or FillOptions()
    convert_if_old(place)
    record = _claim(encoder, place, None)
    with writing(place, options.share) as entering, Catalogue(place, is_writable=True) as catalogue:
        known = catalogue.roots()
        if unknown := [name for name in roots if name not in known]:
            raise ConfigError(f"{place} has no root {unknown[0]!r}. It has: {', '.join(known) or 'none'}.")
        with entering():
            scans = [
                scan_root(catalogue, root, retries=options.retries)
                for name, root in known.items()
                if not roots or name in roots
            ]
            for scan in scans:
                enter_scan(catalogue, scan)
        return _fill(encoder, record, catalogue, scans, folder=place, options=options, entering=entering)


def _claim(encoder: ClipEncoder, folder: Path, config: LibraryConfig | None) -> LibraryRecord:
    if config is None:
        is_new = not (folder / LIBRARY_FILE).is_file()
        config = LibraryConfig() if is_new else read_record(folder).config
    return claim_library(folder, LibraryRecord.of(encoder, config))


def _fill(
    encoder: ClipEncoder,
    record: LibraryRecord,
    catalogue: Catalogue,
    scans: Sequence[Scan],
    *,
    folder: Path,
    options: FillOptions,
    entering: Entering,
) -> LibraryRun:
    _tidy(folder)
    share = options.share or Share()
    waiting = [(scan.root, row) for scan in scans for row in scan.to_read]
    mine = [(root, row) for root, row in waiting if _share_of(row.path, share.count) == share.index]
    units = [
        LibraryUnit(
            index=index,
            root=_path_of(root),
            path=row.path,
            out=folder,
            config=record.config,
            preparation=encoder.preparation,
        )
        for index, (root, row) in enumerate(mine)
    ]
    progress = _Progress([row.num_bytes for _, row in mine], options.on_progress)
    journal = Journal(
        catalogue,
        [row for _, row in mine],
        counted=lambda content: counted_part(folder, content, record),
        entering=entering,
    )
    how = {"made_by": record.fingerprint, "on_piece": progress.note, "should_stop": options.should_stop}
    if isinstance(options.num_workers, RayCluster):
        results = encode_on_ray(encoder, units, cluster=options.num_workers, **how)
    else:
        results = encode_units(encoder, units, num_workers=_num_workers(encoder, options), **how)
    try:
        for result in results:
            journal.enter(result)
    finally:
        journal.flush()
    _forget_moved(catalogue, entering)
    return LibraryRun(
        report=library_report(catalogue), throughput=progress.throughput, failed=tuple(journal.failed)
    )


def _forget_moved(catalogue: Catalogue, entering: Entering) -> None:
    """Forget where files were whose content is somewhere else now: they were moved or renamed."""
    held = {row.content for row in catalogue.files(state="ok")}
    moved = [row for row in catalogue.files(state="gone") if row.content in held]
    if moved:
        with entering():
            catalogue.remove(moved)


def _tidy(folder: Path) -> None:
    """Remove unfinished rows of contents whose part was finished, left by a process that was killed then."""
    for path in (folder / WORK_FOLDER).glob(f"*{PART_SUFFIX}"):
        content = path.name.partition(".")[0]
        if is_content(content) and part_path(folder, content).is_file():
            path.unlink(missing_ok=True)


def _num_workers(encoder: ClipEncoder, options: FillOptions) -> int:
    if isinstance(options.num_workers, int):
        return options.num_workers
    return 1 if encoder.device.type == "cpu" else num_cores()


def _path_of(root: Root) -> Path:
    assert root.path is not None
    return root.path


def _share_of(path: str, count: int) -> int:
    """Share that a file belongs to, whatever other files there are."""
    return zlib.crc32(path.encode()) % count


class _Progress:
    """Bytes of files that were read, as far as pieces tell."""

    def __init__(self, sizes: Sequence[int | None], on_progress: LibraryProgress | None) -> None:
        self._sizes = [max(size or 0, _UNKNOWN_BYTES) for size in sizes]
        self._total = sum(self._sizes)
        self._done = 0
        self._parts: dict[int, int] = {}
        self._tell = on_progress
        self.throughput = Throughput()

    def note(self, head: PieceHead, throughput: Throughput) -> None:
        """Count a piece."""
        self.throughput = throughput
        size = self._sizes[head.unit_index]
        now = size if head.is_last else max(self._parts.get(head.unit_index, 0), int(size * head.fraction))
        self._done += now - self._parts.get(head.unit_index, 0)
        self._parts[head.unit_index] = now
        if self._tell is not None:
            self._tell(self._done, self._total, throughput)


def remove_files(folder: Path, rows: Sequence[FileRow], *, roots: Sequence[str] = ()) -> int:
    """Forget files and roots, and delete the parts that no file holds any more. Returns their number.

    Raises:
        DatasetError: Another process is writing.
    """
    with writing(folder, None), Catalogue(folder, is_writable=True) as catalogue:
        orphans = catalogue.remove(rows, roots=roots)
        for content in orphans:
            part_path(folder, content).unlink(missing_ok=True)
    return len(orphans)
