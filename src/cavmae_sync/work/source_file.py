"""A file that a unit of work reads."""

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True, slots=True)
class SourceFile:
    """One file to prepare.

    Attributes:
        path: Path below the root, with `/`.
        id: Name of its clips: the path without ending; with the ending where two files would share it.
        num_bytes: Its size when listed; None when it is not there.
    """

    path: str
    id: str
    num_bytes: int | None
