"""List of the files to prepare: those of a folder, or of a text or CSV file.

Paths of files are relative to a root folder and have `/` on every system, so that a prepared dataset holds no
path of the machine where it was made. Each file has an id of its own.
"""

import csv
import hashlib
import io
import os
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePath, PurePosixPath

from cavmae_sync.data.spellings import DiskSpellings
from cavmae_sync.data.storage.tables import Rejected
from cavmae_sync.errors import DatasetError
from cavmae_sync.media.suffixes import MEDIA_SUFFIXES
from cavmae_sync.work.source_file import SourceFile


@dataclass(frozen=True, kw_only=True, slots=True)
class SourceList:
    """All files to prepare, in order.

    Attributes:
        root: Folder that the paths are relative to.
        files: The files.
        skipped: Files of a folder that are not tried, with the reason.
        fingerprint: SHA-256 of paths and sizes.
    """

    root: Path
    files: tuple[SourceFile, ...]
    skipped: tuple[Rejected, ...]
    fingerprint: str


def list_sources(source: Path) -> SourceList:
    """List the files to prepare.

    Args:
        source: A folder: all media files in it and its subfolders, sorted by path; links to folders are
            followed, but no folder is listed twice. Or one media file. Or a `.csv` file with a column `file`.
            Or any other text file with one path per line: empty lines and lines that begin with `#` are
            ignored, blanks belong to the path. Paths of a list are relative to its folder, in any spelling of
            accented letters (`cavmae_sync.data.spellings`).

    Raises:
        DatasetError: There is no such source, it has no files, it lists a file twice, or a folder cannot be
            read.
    """
    if source.is_dir():
        root = source.absolute()
        found = sorted(_walk(root))
        reasons = [_reason_to_skip(path, is_repeated=is_repeated) for path, is_repeated in found]
        paths = [path for (path, _), reason in zip(found, reasons, strict=True) if reason is None]
        skipped = tuple(reason for reason in reasons if reason is not None)
    elif source.is_file() and source.suffix.lower() in MEDIA_SUFFIXES:
        root, paths, skipped = source.parent.absolute(), [source.name], ()
    elif source.is_file():
        root, paths = _relative_to_common_root(source, _read_list(source))
        skipped = ()
    else:
        raise DatasetError(
            f"{source} is neither a folder nor a file. Give a folder of videos or a list of files."
        )
    if not paths and source.is_file():
        raise DatasetError(f"{source} lists no files. If cavmae-sync audit wrote it, no clip was available.")
    if not paths:
        raise DatasetError(
            f"{source} has no media files ({len(skipped)} other files). Media files end in "
            f"{' '.join(sorted(MEDIA_SUFFIXES))}; a list may name any file."
        )
    files = tuple(
        SourceFile(path=path, id=clip_id, num_bytes=_size(root / path))
        for path, clip_id in zip(paths, unique_ids(paths), strict=True)
    )
    listing = "\n".join(f"{file.path}\t{file.num_bytes}" for file in files)
    fingerprint = hashlib.sha256(listing.encode()).hexdigest()
    return SourceList(root=root, files=files, skipped=skipped, fingerprint=fingerprint)


def unique_ids(paths: Sequence[str]) -> list[str]:
    """Ids of paths: the path without its ending, or with it if another file would have the same id.

    >>> unique_ids(["a/dog.mp4", "b/dog.mp4", "cat.mp4", "cat.webm"])
    ['a/dog', 'b/dog', 'cat.mp4', 'cat.webm']
    """
    ids = [str(PurePosixPath(path).with_suffix("")) for path in paths]
    while True:
        counts = Counter(ids)
        clashing = [i for i, clip_id in enumerate(ids) if counts[clip_id] > 1 and clip_id != paths[i]]
        if not clashing:
            return ids
        for i in clashing:
            ids[i] = paths[i]


def _walk(root: Path) -> Iterator[tuple[str, bool]]:
    """Paths of files; and of folders that are not entered, with whether another path lists them."""
    real_root = root.resolve()
    entered = {real_root}
    for parent, folders, names in os.walk(root, onerror=_refuse_folder, followlinks=True):
        for name in names:
            yield (Path(parent) / name).relative_to(root).as_posix(), False
        for name in sorted(folders):
            folder = Path(parent) / name
            real, path = folder.resolve(), folder.relative_to(root)
            # A folder that is really below the root is listed under its own path, even if a link to it comes
            # first.
            is_repeated = real in entered or (folder.is_symlink() and real.is_relative_to(real_root))
            if is_repeated or (folder.is_symlink() and _is_hidden(path)):
                folders.remove(name)
                yield path.as_posix(), is_repeated
            else:
                entered.add(real)
        folders.sort()


def _refuse_folder(error: OSError) -> None:
    raise DatasetError(
        f"{error.filename} cannot be listed: {error.strerror}. Change its permissions, or move it elsewhere."
    ) from error


def _is_hidden(path: PurePath) -> bool:
    return any(part.startswith(".") for part in path.parts)


def _reason_to_skip(path: str, *, is_repeated: bool) -> Rejected | None:
    if not path.isascii() and path.encode(errors="replace").decode() != path:
        shown = path.encode(errors="backslashreplace").decode()
        return Rejected(file=shown, reason="bad_name", message=f"{shown}: the name is not UTF-8. Rename it.")
    if _is_hidden(PurePosixPath(path)):
        return Rejected(file=path, reason="hidden", message=f"{path} is hidden and was not tried.")
    if is_repeated:
        message = f"{path} is a folder that is listed under another path. It was not listed twice."
        return Rejected(file=path, reason="repeated", message=message)
    if PurePosixPath(path).suffix.lower() not in MEDIA_SUFFIXES:
        message = f"{path} has not the ending of a media file and was not tried. A list may name it."
        return Rejected(file=path, reason="not_media", message=message)
    return None


def _read_list(source: Path) -> list[Path]:
    """Absolute paths of a list, in its order."""
    first_line: dict[Path, int] = {}
    try:
        text = source.read_bytes().decode("utf-8-sig")  # `read_text` would change line ends in names
    except UnicodeDecodeError as error:
        raise DatasetError(f"{source} is not a text file in UTF-8: {error}.") from error
    if text.lstrip().startswith(("<", "%PDF")):
        raise DatasetError(
            f"{source} is a web page or a PDF, not a list of files. Give a text file with one path per line."
        )
    entries = _csv_entries(text, source) if source.suffix.lower() == ".csv" else _text_entries(text)
    disk = DiskSpellings()
    for line, entry in entries:
        path = disk.find(Path(os.path.normpath(source.parent.absolute() / entry)))
        if path in first_line:
            raise DatasetError(
                f"{source} line {line}: {entry} is already listed on line {first_line[path]}. Remove it."
            )
        first_line[path] = line
    return list(first_line)


def _text_entries(text: str) -> Iterator[tuple[int, str]]:
    for line, entry in enumerate(text.split("\n"), start=1):
        if entry.strip() and not entry.startswith("#"):
            yield line, entry.removesuffix("\r")


def _csv_entries(text: str, source: Path) -> Iterator[tuple[int, str]]:
    reader = csv.DictReader(io.StringIO(text, newline=""))
    if "file" not in (reader.fieldnames or []):
        raise DatasetError(f'{source} line 1: the header {reader.fieldnames} has no column "file". Add it.')
    for row in reader:
        if not row["file"]:
            raise DatasetError(
                f'{source} line {reader.line_num}: the column "file" is empty. Remove the line.'
            )
        yield reader.line_num, row["file"]


def _relative_to_common_root(source: Path, paths: list[Path]) -> tuple[Path, list[str]]:
    root = source.parent.absolute()
    if not all(path.is_relative_to(root) for path in paths):
        root = Path(os.path.commonpath([path.parent for path in paths]))
    return root, [path.relative_to(root).as_posix() for path in paths]


def _size(path: Path) -> int | None:
    return path.stat().st_size if path.is_file() else None
