"""A file that a unit of work reads."""

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True, slots=True)
class SourceFile:
    """One file to read.

    Attributes:
        path: Path below the root folder, with `/` on every system.
        id: Id of its clips: the path without its ending; with the ending where two files would have one id.
        num_bytes: Size when the files were listed; None when it was missing then.
    """

    path: str
    id: str
    num_bytes: int | None
