"""Counts of a library: files by what became of them, clips, hours, bytes."""

from collections import Counter
from dataclasses import asdict, dataclass, field
from typing import Any

from rich.table import Table

from cavmae_sync.embedding.library.catalogue import Catalogue, FileRow
from cavmae_sync.embedding.library.scan import is_offline


@dataclass(frozen=True, kw_only=True, slots=True)
class RootReport:
    """Counts of a root.

    Attributes:
        name: Its name.
        path: Where it is; empty where that is not known.
        is_offline: Whether it is not there now.
        num_files: Files that the library knows of it.
    """

    name: str
    path: str
    is_offline: bool
    num_files: int


@dataclass(frozen=True, kw_only=True, slots=True)
class LibraryReport:
    """Counts of a library.

    Attributes:
        is_complete: Whether no file waits to be read.
        num_clips: Clips of all contents that some file holds.
        num_files: Files in the library.
        num_copies: Files among them whose content another file holds too.
        num_pending: Files that wait.
        num_failed: Files that cannot be used.
        failed_by_reason: The same by `MediaError.code`.
        num_passed_over: Files whose first stream cannot be read, so that another one was used.
        num_gone: Files that are no longer there.
        num_offline: Files whose root is not there now.
        num_skipped: Files of the roots that are not tried, by their ending or because they are hidden.
        num_silent: Clips flagged silent.
        num_still: Clips flagged still.
        num_short: Clips flagged short.
        num_without_sound: Contents without sound.
        num_without_picture: Contents without a picture.
        clip_seconds: Length of all clips, in seconds.
        num_bytes: Size of all parts.
        roots: The roots.
    """

    is_complete: bool
    num_clips: int
    num_files: int
    num_copies: int
    num_pending: int
    num_failed: int
    failed_by_reason: dict[str, int]
    num_passed_over: int
    num_gone: int
    num_offline: int
    num_skipped: int
    num_silent: int
    num_still: int
    num_short: int
    num_without_sound: int
    num_without_picture: int
    clip_seconds: float
    num_bytes: int
    roots: tuple[RootReport, ...] = field(default_factory=tuple)

    def to_dict(self) -> dict[str, Any]:
        """All of it as JSON values."""
        return asdict(self)

    def to_table(self) -> Table:
        """Table of the counts, to print with rich."""
        table = Table("what", "count", title=None if self.is_complete else "not complete yet")
        table.columns[1].justify = "right"
        for what, count, is_shown in self._rows():
            if is_shown or count:
                table.add_row(what, f"{count:,}")
        table.add_row("hours", f"{self.clip_seconds / 3600:.2f}")
        table.add_row("megabytes", f"{self.num_bytes / 1e6:.1f}")
        return table

    def _rows(self) -> list[tuple[str, int, bool]]:
        """Rows of the table: what, how many, and whether none is worth a row too."""
        return [
            ("clips", self.num_clips, True),
            ("  silent", self.num_silent, True),
            ("  still", self.num_still, True),
            ("  short", self.num_short, True),
            ("files", self.num_files, True),
            ("  copies of others", self.num_copies, False),
            ("  without sound", self.num_without_sound, False),
            ("  without a picture", self.num_without_picture, False),
            ("  with a stream passed over", self.num_passed_over, False),
            ("  offline", self.num_offline, False),
            ("files waiting", self.num_pending, False),
            ("files failed", self.num_failed, True),
            *((f"  {reason}", count, True) for reason, count in self.failed_by_reason.items()),
            ("files gone", self.num_gone, False),
            ("files not tried", self.num_skipped, True),
        ]


def library_report(catalogue: Catalogue) -> LibraryReport:
    """Counts of a library, from its catalogue."""
    files = catalogue.files()
    roots = catalogue.roots()
    offline = {name for name, root in roots.items() if is_offline(root)}
    states = Counter(row.state for row in files)
    held = Counter(row.content for row in files if row.state == "ok")
    contents = [row for row in catalogue.contents() if row.content in held]
    return LibraryReport(
        is_complete=states["pending"] == 0,
        num_clips=sum(row.num_clips for row in contents),
        num_files=states["ok"],
        num_copies=sum(count - 1 for count in held.values()),
        num_pending=states["pending"],
        num_failed=states["failed"],
        failed_by_reason=_reasons(files),
        num_passed_over=sum(row.state == "ok" and row.reason is not None for row in files),
        num_gone=states["gone"],
        num_offline=sum(row.state == "ok" and row.root in offline for row in files),
        num_skipped=len(catalogue.skipped()),
        num_silent=sum(row.num_silent for row in contents),
        num_still=sum(row.num_still for row in contents),
        num_short=sum(row.num_short for row in contents),
        num_without_sound=sum(not row.has_audio for row in contents),
        num_without_picture=sum(not row.has_visual for row in contents),
        clip_seconds=sum(row.seconds for row in contents),
        num_bytes=sum(row.num_bytes for row in contents),
        roots=tuple(
            RootReport(
                name=name,
                path="" if root.path is None else str(root.path),
                is_offline=name in offline,
                num_files=sum(row.root == name for row in files),
            )
            for name, root in roots.items()
        ),
    )


def _reasons(files: list[FileRow]) -> dict[str, int]:
    counts = Counter(row.reason or "unknown" for row in files if row.state == "failed")
    return {reason: counts[reason] for reason in sorted(counts)}
