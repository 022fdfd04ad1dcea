"""Changes on the disk since a library last looked: what is new, changed, gone, out of reach."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from cavmae_sync.data.preparing.sources import SourceList, list_sources
from cavmae_sync.data.storage.tables import Rejected
from cavmae_sync.embedding.library.catalogue import Catalogue, FileRow, Root
from cavmae_sync.errors import ConfigError
from cavmae_sync.work.source_file import SourceFile


@dataclass(frozen=True, kw_only=True, slots=True)
class Scan:
    """Findings of a look at a root.

    Attributes:
        root: The root.
        is_offline: Whether it is not there, or none of its files is: an empty place where a disk is mounted
            looks like that. Nothing of it is gone then.
        to_read: Files that are new or have changed, and those that wait since an earlier run.
        gone: Files that are no longer there.
        back: Files that were gone and are there again, unchanged.
        skipped: Files that are not tried.
    """

    root: Root
    is_offline: bool = False
    to_read: tuple[FileRow, ...] = ()
    gone: tuple[FileRow, ...] = ()
    back: tuple[FileRow, ...] = ()
    skipped: tuple[Rejected, ...] | None = None


def root_of(catalogue: Catalogue, source: Path, *, name: str | None = None) -> tuple[Root, SourceList]:
    """Root that files to add belong to, and the files.

    A source below a root that is known belongs to that root. Otherwise it begins a root of its own.

    Args:
        catalogue: The catalogue.
        source: Folder, list or file; see `list_sources`.
        name: Name of a new root; None takes that of the folder.

    Raises:
        DatasetError: The source cannot be read.
        ConfigError: The name is taken by another folder.
    """
    listing = list_sources(source)
    is_listed = not source.is_dir()
    for root in catalogue.roots().values():
        if root.path is None or not listing.root.is_relative_to(root.path):
            continue
        if name in (None, root.name):
            known = replace(root, is_listed=root.is_listed and (is_listed or listing.root != root.path))
            return known, _below(listing, root.path)
    wanted = name or _free_name(listing.root.name or "root", catalogue)
    if wanted in catalogue.roots():
        raise ConfigError(
            f"The root {wanted!r} is {catalogue.roots()[wanted].path}. Give another --root, or say where it "
            f"is now: cavmae-sync index root LIBRARY {wanted} {listing.root}"
        )
    return Root(name=wanted, path=listing.root, is_listed=is_listed), listing


def scan_listing(
    catalogue: Catalogue, root: Root, listing: SourceList, *, is_whole: bool, retries: bool
) -> Scan:
    """Compare files with what is known about them.

    Args:
        catalogue: What is known.
        root: Their root.
        listing: The files.
        is_whole: Whether these are all files of the root, so that others are gone.
        retries: Whether to read failed files again although they have not changed.
    """
    known = {row.path: row for row in catalogue.files(root.name)}
    to_read: list[FileRow] = []
    back: list[FileRow] = []
    for source in listing.files:
        seen = _look(root, source.path)
        before = known.pop(source.path, None)
        is_lost = before is not None and before.content is not None and not catalogue.has_part(before.content)
        if before is None or is_lost or _is_to_read(before, seen, retries=retries):
            to_read.append(seen)
        elif before.state == "gone":
            back.append(replace(before, state="failed" if before.content is None else "ok"))
    gone = [row for row in known.values() if row.state != "gone"] if is_whole else []
    return Scan(
        root=root, to_read=tuple(to_read), gone=tuple(gone), back=tuple(back), skipped=listing.skipped
    )


def scan_root(catalogue: Catalogue, root: Root, *, retries: bool) -> Scan:
    """Look at a root that is known; see `Scan`."""
    known = catalogue.files(root.name)
    if root.path is None or not root.path.is_dir() or not _has_any(root.path, known):
        return Scan(root=root, is_offline=True)
    if root.is_listed:
        paths = [row.path for row in known if _exists(root.path / row.path)]
        files = tuple(SourceFile(path=path, id=path, num_bytes=None) for path in paths)
        listing = SourceList(root=root.path, files=files, skipped=(), fingerprint="")
    else:
        listing = list_sources(root.path)
    scan = scan_listing(catalogue, root, listing, is_whole=True, retries=retries)
    return replace(scan, skipped=None) if root.is_listed else scan


def is_offline(root: Root) -> bool:
    """Whether the folder of a root is not there now."""
    return root.path is None or not root.path.is_dir()


def _is_to_read(before: FileRow, seen: FileRow, *, retries: bool) -> bool:
    has_changed = (before.num_bytes, before.changed_ns) != (seen.num_bytes, seen.changed_ns)
    return has_changed or before.state == "pending" or (before.state == "failed" and retries)


def _has_any(folder: Path, known: Sequence[FileRow]) -> bool:
    """Whether a file that is known is there, or none was known."""
    return not known or any(_exists(folder / row.path) for row in known)


def _exists(path: Path) -> bool:
    try:
        return path.is_file()
    except OSError:
        return False


def _look(root: Root, path: str) -> FileRow:
    assert root.path is not None
    try:
        found = (root.path / path).stat()
    except OSError:
        return FileRow(root=root.name, path=path)  # reading it says why
    return FileRow(root=root.name, path=path, num_bytes=found.st_size, changed_ns=found.st_mtime_ns)


def _below(listing: SourceList, root: Path) -> SourceList:
    """The same files with paths below a folder that is above them."""
    prefix = listing.root.relative_to(root)
    if not prefix.parts:
        return listing

    def moved(path: str) -> str:
        return (prefix / path).as_posix()

    return replace(
        listing,
        root=root,
        files=tuple(replace(file, path=moved(file.path)) for file in listing.files),
        skipped=tuple(replace(row, file=moved(row.file)) for row in listing.skipped),
    )


def _free_name(name: str, catalogue: Catalogue) -> str:
    taken = catalogue.roots()
    names = (name if number == 1 else f"{name}-{number}" for number in range(1, len(taken) + 2))
    return next(each for each in names if each not in taken)
