"""Filling a library: what is new or changed on the disk is read, encoded and entered into the catalogue.

    LIBRARY/library.json        model and configuration; written first
    LIBRARY/catalogue.sqlite    files and what became of them; changed after each file
    LIBRARY/parts/              vectors, one file per content

A run can be killed at any moment and started again. Rows are the same bytes with any number of runs.
"""

import os
import time
import zlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Final

from cavmae_sync.atomic import PART_SUFFIX, locked
from cavmae_sync.embedding.embedder import Embedder
from cavmae_sync.embedding.library.catalogue import Catalogue, ContentRow, FileRow, Root
from cavmae_sync.embedding.library.config import LibraryConfig
from cavmae_sync.embedding.library.convert import convert_if_old
from cavmae_sync.embedding.library.on_ray import encode_on_ray
from cavmae_sync.embedding.library.part import counted_part
from cavmae_sync.embedding.library.parts import FileResult
from cavmae_sync.embedding.library.pieces import CHANGING, LibraryUnit, PieceHead
from cavmae_sync.embedding.library.record import LibraryRecord, claim_library, read_record
from cavmae_sync.embedding.library.report import LibraryReport, library_report
from cavmae_sync.embedding.library.scan import Scan, root_of, scan_listing, scan_root
from cavmae_sync.embedding.library.schema import LIBRARY_FILE, WORK_FOLDER, is_content, part_path
from cavmae_sync.embedding.library.stream import Throughput, encode_units
from cavmae_sync.errors import ConfigError, TooManyRejectedError
from cavmae_sync.work import RayCluster, Share
from cavmae_sync.work.workers import num_cores

#: Called with bytes of files done, bytes of all files to read, and this run's throughput.
LibraryProgress = Callable[[int, int, Throughput], None]

#: Results that are entered together, at most, and how long they may wait: entering costs a write to disk.
_RESULTS_TOGETHER: Final = 64
_SECONDS_TOGETHER: Final = 2.0
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
    embedder: Embedder,
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
        embedder: The model and how it computes.
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
    folder, options = Path(out).absolute(), options or FillOptions()
    convert_if_old(folder)
    record = _claim(embedder, folder, config)
    with _writing(folder, options.share) as entering, Catalogue(folder, is_writable=True) as catalogue:
        with entering():
            for name, value in options.notes.items():
                catalogue.note(name, value)
            where, listing = root_of(catalogue, Path(source), name=root)
            is_whole = not where.is_listed and listing.root == where.path and Path(source).is_dir()
            scan = scan_listing(catalogue, where, listing, is_whole=is_whole, retries=options.retries)
            _enter_scan(catalogue, scan)
        run = _fill(embedder, record, catalogue, [scan], folder=folder, options=options, entering=entering)
        if run.report.is_complete:
            paths = {file.path for file in listing.files}
            files = [row for row in catalogue.files(where.name) if row.path in paths]
            _check_failed(files, limit=max_failed_fraction, folder=folder)
        return run


def update_library(
    embedder: Embedder,
    folder: str | os.PathLike[str],
    *,
    roots: Sequence[str] = (),
    options: FillOptions | None = None,
) -> LibraryRun:
    """Look at the roots of a library again, and read what is new or has changed.

    Files that moved, or were renamed, are known by their content and not encoded again. Files that are no
    longer there are noted as gone. A root that is not there is offline, and nothing of it is gone.

    Args:
        embedder: The model that the library was made by.
        folder: Folder of the library.
        roots: Names of the roots to look at; empty for all.
        options: How to fill it.

    Raises:
        ConfigError: There is no such root, or another model made the library.
        DatasetError: The folder is no library, or another process is writing.
        WeightsError: The model gives vectors that are not finite.
    """
    place, options = Path(folder).absolute(), options or FillOptions()
    convert_if_old(place)
    record = _claim(embedder, place, None)
    with _writing(place, options.share) as entering, Catalogue(place, is_writable=True) as catalogue:
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
                _enter_scan(catalogue, scan)
        return _fill(embedder, record, catalogue, scans, folder=place, options=options, entering=entering)


def _claim(embedder: Embedder, folder: Path, config: LibraryConfig | None) -> LibraryRecord:
    if config is None:
        is_new = not (folder / LIBRARY_FILE).is_file()
        config = LibraryConfig() if is_new else read_record(folder).config
    return claim_library(folder, LibraryRecord.of(embedder, config))


#: Holds the lock of the catalogue while something is entered.
_Entering = Callable[[], AbstractContextManager[None]]


@contextmanager
def _writing(folder: Path, share: Share | None) -> Iterator[_Entering]:
    """Be the one process that writes; or one of several, which then enter results one after the other."""
    lock = folder / WORK_FOLDER / "writer.lock"
    if share is None or share.count == 1:
        busy = f"Another process is filling {folder}. Wait until it ends. Searching is possible meanwhile."
        with locked(lock, busy=busy):
            yield nullcontext
        return
    busy = f"Another process is doing this share of {folder}. Wait until it ends."
    with locked(folder / WORK_FOLDER / f"share-{share.index}-of-{share.count}.lock", busy=busy):
        yield lambda: locked(lock)


def _enter_scan(catalogue: Catalogue, scan: Scan) -> None:
    if scan.is_offline:
        return
    known = {(row.root, row.path): row for row in catalogue.files(scan.root.name)}
    rows = [replace(row, state="gone") for row in scan.gone]
    rows += scan.back
    for row in scan.to_read:
        before = known.get((row.root, row.path))
        # The old size stays until the file is read, so that a run that is killed looks at it again.
        rows.append(
            replace(before, state="pending") if before else replace(row, num_bytes=None, changed_ns=None)
        )
    if scan.root != catalogue.roots().get(scan.root.name):
        catalogue.put_root(scan.root)
    if rows:
        catalogue.put_files(rows)
    if scan.skipped is not None:
        catalogue.replace_skipped(scan.root.name, scan.skipped)


def _fill(
    embedder: Embedder,
    record: LibraryRecord,
    catalogue: Catalogue,
    scans: Sequence[Scan],
    *,
    folder: Path,
    options: FillOptions,
    entering: _Entering,
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
            inputs=embedder.model.config.inputs,
        )
        for index, (root, row) in enumerate(mine)
    ]
    progress = _Progress([row.num_bytes for _, row in mine], options.on_progress)
    journal = _Journal(
        catalogue,
        [row for _, row in mine],
        counted=lambda content: counted_part(folder, content, record),
        entering=entering,
    )
    how = {"made_by": record.fingerprint, "on_piece": progress.note, "should_stop": options.should_stop}
    if isinstance(options.num_workers, RayCluster):
        results = encode_on_ray(embedder, units, cluster=options.num_workers, **how)
    else:
        results = encode_units(embedder, units, num_workers=_num_workers(embedder, options), **how)
    try:
        for result in results:
            journal.enter(result)
    finally:
        journal.flush()
    _forget_moved(catalogue, entering)
    return LibraryRun(
        report=library_report(catalogue), throughput=progress.throughput, failed=tuple(journal.failed)
    )


def _forget_moved(catalogue: Catalogue, entering: _Entering) -> None:
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


def _num_workers(embedder: Embedder, options: FillOptions) -> int:
    if isinstance(options.num_workers, int):
        return options.num_workers
    return 1 if embedder.device.type == "cpu" else num_cores()


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


class _Journal:
    """Enters results into the catalogue, some together."""

    def __init__(
        self,
        catalogue: Catalogue,
        files: Sequence[FileRow],
        *,
        counted: Callable[[str], ContentRow],
        entering: _Entering,
    ) -> None:
        self._catalogue, self._files, self._counted, self._entering = catalogue, files, counted, entering
        self._rows: list[FileRow] = []
        self._contents: dict[str, ContentRow] = {}
        self._since = time.monotonic()
        self.failed: list[FileRow] = []

    def enter(self, result: FileResult) -> None:
        """Enter a result, now or together with the next ones."""
        row = _entered(self._files[result.unit_index], result)
        self._rows.append(row)
        if result.rejected is not None:
            self.failed.append(row)
        elif result.row is not None:
            self._contents[result.content] = result.row
        elif result.content not in self._contents and self._catalogue.content(result.content) is None:
            # A part of a run that was killed before it was entered, or of another machine.
            self._contents[result.content] = self._counted(result.content)
        is_due = time.monotonic() - self._since > _SECONDS_TOGETHER
        if is_due or len(self._rows) >= _RESULTS_TOGETHER:
            self.flush()

    def flush(self) -> None:
        """Enter what waits."""
        if self._rows:
            with self._entering():
                self._catalogue.put_files(self._rows, list(self._contents.values()))
        self._rows.clear()
        self._contents.clear()
        self._since = time.monotonic()


def _entered(row: FileRow, result: FileResult) -> FileRow:
    seen = replace(row, num_bytes=result.num_bytes, changed_ns=result.changed_ns)
    rejected = result.rejected
    if rejected is None:
        notes = f"{row.path}: {'; '.join(result.notes)}." if result.notes else None
        reason = "passed_over" if notes else None
        return replace(seen, state="ok", content=result.content, reason=reason, message=notes)
    told = {"content": None, "reason": rejected.reason, "message": rejected.message}
    if rejected.reason == CHANGING:  # nothing is known of what it holds now
        return replace(row, state="pending", num_bytes=None, changed_ns=None, **told)
    return replace(seen, state="failed", **told)


def _check_failed(files: Sequence[FileRow], *, limit: float, folder: Path) -> None:
    failed = [row for row in files if row.state == "failed"]
    tried = [row for row in files if row.state in ("ok", "failed")]
    if not tried or (len(failed) < len(tried) and len(failed) <= limit * len(tried)):
        return
    reasons = sorted({row.reason or "" for row in failed})
    raise TooManyRejectedError(
        f"{len(failed)} of {len(tried)} files cannot be used (limit {limit:.0%}): {', '.join(reasons)}. "
        f"cavmae-sync index status {folder} --failures lists them. The others are in the library."
    )


def remove_files(folder: Path, rows: Sequence[FileRow], *, roots: Sequence[str] = ()) -> int:
    """Forget files and roots, and delete the parts that no file holds any more. Returns their number.

    Raises:
        DatasetError: Another process is writing.
    """
    with _writing(folder, None), Catalogue(folder, is_writable=True) as catalogue:
        orphans = catalogue.remove(rows, roots=roots)
        for content in orphans:
            part_path(folder, content).unlink(missing_ok=True)
    return len(orphans)
