"""Counts of a library: files, clips, hours, bytes."""

from dataclasses import dataclass

import pyarrow as pa
from rich.table import Table

from cavmae_sync.data.preparing.file_counts import FileCounts, count_files


@dataclass(frozen=True, kw_only=True, slots=True)
class LibraryReport(FileCounts):
    """Counts of a library.

    Attributes:
        num_bytes: Size of all parts together.
    """

    num_bytes: int

    def to_table(self) -> Table:
        """Table of the counts, to print with rich."""
        table = self.table_of([*self.clip_rows("embedded"), *self.file_rows()])
        table.add_row("megabytes", f"{self.num_bytes / 1e6:.1f}")
        return table


def count_up(clips: pa.Table, rejected: pa.Table, *, num_bytes: int, is_complete: bool) -> LibraryReport:
    """Counts from the tables of a library; columns of vectors are not needed."""
    return LibraryReport(**count_files(clips, rejected), num_bytes=num_bytes, is_complete=is_complete)
