"""Entering what was found and read into the catalogue of a library, by one process at a time."""

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import replace
from pathlib import Path
from typing import Final

from cavmae_sync.atomic import locked
from cavmae_sync.embedding.library.catalogue import Catalogue, ContentRow, FileRow
from cavmae_sync.embedding.library.parts import FileResult
from cavmae_sync.embedding.library.pieces import CHANGING
from cavmae_sync.embedding.library.scan import Scan
from cavmae_sync.embedding.library.schema import WORK_FOLDER
from cavmae_sync.errors import TooManyRejectedError
from cavmae_sync.work import Share

#: Results that are entered together, at most, and how long they may wait: entering costs a write to disk.
_RESULTS_TOGETHER: Final = 64
_SECONDS_TOGETHER: Final = 2.0

#: Holds the lock of the catalogue while something is entered.
Entering = Callable[[], AbstractContextManager[None]]


@contextmanager
def writing(folder: Path, share: Share | None) -> Iterator[Entering]:
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


def enter_scan(catalogue: Catalogue, scan: Scan) -> None:
    """Enter what a look at a root has found; what is to be read waits."""
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


class Journal:
    """Enters results into the catalogue, some together."""

    def __init__(
        self,
        catalogue: Catalogue,
        files: Sequence[FileRow],
        *,
        counted: Callable[[str], ContentRow],
        entering: Entering,
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


def check_failed(files: Sequence[FileRow], *, limit: float, folder: Path) -> None:
    """Raise if too many files cannot be used.

    Raises:
        TooManyRejectedError: All, or more than the limit.
    """
    failed = [row for row in files if row.state == "failed"]
    tried = [row for row in files if row.state in ("ok", "failed")]
    if not tried or (len(failed) < len(tried) and len(failed) <= limit * len(tried)):
        return
    reasons = sorted({row.reason or "" for row in failed})
    raise TooManyRejectedError(
        f"{len(failed)} of {len(tried)} files cannot be used (limit {limit:.0%}): {', '.join(reasons)}. "
        f"cavmae-sync index status {folder} --failures lists them. The others are in the library."
    )
