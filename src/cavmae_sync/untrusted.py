"""Readers of files that strangers may have made: names and numbers are checked before they are used."""

import csv
import json
import os
import stat
import struct
import zlib
from collections.abc import Iterator, Sequence
from io import BytesIO
from pathlib import Path
from typing import Any, Final, TypeVar

from PIL import Image, UnidentifiedImageError
from pydantic import TypeAdapter, ValidationError

from cavmae_sync.config import describe_invalid
from cavmae_sync.errors import CavMaeSyncError, DatasetError

#: Most pixels of an image: 250 MB with four channels. Photographs of 50 million pixels pass.
MAX_PIXELS: Final = 1 << 26

Content = TypeVar("Content")

#: Most levels of lists and objects inside each other. Ours need six; Python's limit depends on the caller.
_MAX_NESTED: Final = 100


def parse_json(text: str | bytes, **how: Any) -> Any:
    """Parse a JSON text.

    Args:
        text: The text; bytes are UTF-8.
        how: As for `json.loads`.

    Raises:
        ValueError: It is not JSON, not UTF-8, or nested too deeply.
    """
    try:
        content = json.loads(text, **how)
    except RecursionError:
        raise ValueError("lists or objects are nested too deeply") from None
    level = _parts([content])
    for _ in range(_MAX_NESTED):
        level = [part for each in level for part in _parts(each)]
        if not level:
            return content
    raise ValueError("lists or objects are nested too deeply")


def read_object(path: Path, *, error: type[CavMaeSyncError] = DatasetError, remedy: str) -> dict[str, Any]:
    """Object in a JSON file; its content is not checked.

    Args:
        path: The file.
        error: Class of the error.
        remedy: What to do about a damaged file, a sentence.

    Raises:
        CavMaeSyncError: `error`, where it is not JSON or no object.
    """
    try:
        content = parse_json(path.read_bytes())
    except ValueError as invalid:
        raise error(f"{path} is not JSON: {invalid}. {remedy}") from invalid
    if not isinstance(content, dict):
        raise error(f"{path} holds {type(content).__name__} instead of an object of JSON. {remedy}")
    return content


def checked(
    content: Any,
    kind: type[Content],
    *,
    path: Path,
    field: str = "",
    error: type[CavMaeSyncError] = DatasetError,
    remedy: str,
) -> Content:
    """Value of a type from the content of a file, every field checked.

    Args:
        content: Content that was read.
        kind: A dataclass or a pydantic model.
        path: The file, for the message.
        field: Where in the file it stands.
        error: Class of the error.
        remedy: What to do about a damaged file, a sentence.

    Raises:
        CavMaeSyncError: `error`; names file and field.
    """
    try:
        return TypeAdapter(kind).validate_python(content)
    except ValidationError as invalid:
        place = f"{path}, {field}" if field else str(path)
        raise error(f"{place} is not what it should be: {describe_invalid(invalid)}. {remedy}") from invalid


def read_json(
    path: Path, kind: type[Content], *, error: type[CavMaeSyncError] = DatasetError, remedy: str
) -> Content:
    """Value of a type from a JSON file; see `read_object` and `checked`."""
    content = read_object(path, error=error, remedy=remedy)
    return checked(content, kind, path=path, error=error, remedy=remedy)


def read_rows(
    path: Path, columns: Sequence[str], *, optional: Sequence[str] = ()
) -> Iterator[tuple[int, dict[str, str]]]:
    """Rows of a CSV file with a header, each with the line it ends on. Missing cells are empty.

    Args:
        path: A text in UTF-8.
        columns: Those that the header must have; others are left out.
        optional: Columns that are read where the header has them, and empty where it does not.

    Raises:
        DatasetError: It is no such file; names the line.
    """
    line = 0
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            rows = csv.DictReader(file)
            if missing := [name for name in columns if name not in (rows.fieldnames or ())]:
                raise DatasetError(
                    f"{path} has no column {', '.join(missing)}. Its first line must be: {','.join(columns)}"
                )
            for row in rows:
                line = rows.line_num
                yield line, {name: row.get(name) or "" for name in (*columns, *optional)}
    except (csv.Error, UnicodeDecodeError) as error:
        raise DatasetError(f"{path}, after line {line}, is no CSV in UTF-8: {error}.") from error


def decode_image(
    source: Path | bytes, *, formats: tuple[str, ...], most_pixels: int = MAX_PIXELS
) -> Image.Image:
    """Decode an image, of a limited number of pixels whatever its header says.

    Args:
        source: The file, or its content.
        formats: Names of Pillow, for example "JPEG".
        most_pixels: Width times height at most. A few kilobytes can unpack to gigabytes.

    Raises:
        ValueError: It has another format, is damaged, or larger.
    """
    try:
        with Image.open(BytesIO(source) if isinstance(source, bytes) else source, formats=formats) as image:
            if image.width * image.height > most_pixels:
                raise ValueError(f"{image.width} x {image.height} pixels are more than {most_pixels}")
            image.load()
    except UnidentifiedImageError:
        raise ValueError(f"it is no {' or '.join(formats)}") from None
    except (OSError, SyntaxError, EOFError, struct.error, zlib.error, Image.DecompressionBombError) as error:
        raise ValueError(f"not readable as {' or '.join(formats)}: {error}") from error
    return image


def check_plain_name(name: str, *, folder: str) -> None:
    """Refuse a name that could lead out of the folder it is looked up in.

    Raises:
        DatasetError: It is empty, has a slash or a zero byte in it, or is `..`.
    """
    if name in ("", ".", "..") or "/" in name or os.sep in name or "\0" in name:
        raise DatasetError(f"{folder}: {name!r:.80} is not the name of a file in it: it is a path, or empty.")


def size_inside(folder: str, name: str) -> int:
    """Size in bytes of a regular file in a folder.

    A link must lead to a file in the same folder. Only regular files are opened: a pipe would wait forever,
    and a device may do anything.

    Raises:
        DatasetError: The name is a path, or the file is not a regular one.
        FileNotFoundError: There is none.
    """
    check_plain_name(name, folder=folder)
    path = os.path.join(folder, name)  # noqa: PTH118 (a hundred thousand shards: five times faster than Path)
    found = os.lstat(path)
    if stat.S_ISLNK(found.st_mode):
        target = os.path.realpath(path)
        if os.path.dirname(target) != os.path.realpath(folder):  # noqa: PTH120
            raise DatasetError(f"{path} is a link that leads out of {folder}. Put the file itself there.")
        found = os.stat(target)  # noqa: PTH116
    if not stat.S_ISREG(found.st_mode):
        raise DatasetError(f"{path} is not a regular file. Copy the folder again.")
    return found.st_size


def open_inside(folder: Path, name: str) -> tuple[int, int]:
    """Open a regular file that lies in a folder, to read. See `size_inside`.

    Returns:
        Descriptor and size in bytes.

    Raises:
        DatasetError: As `size_inside`.
        FileNotFoundError: There is none.
    """
    size_inside(str(folder), name)
    descriptor = os.open(folder / name, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    found = os.fstat(descriptor)  # it may have been exchanged since it was checked
    if not stat.S_ISREG(found.st_mode):
        os.close(descriptor)
        raise DatasetError(f"{folder / name} is not a regular file. Copy the folder again.")
    return descriptor, found.st_size


def check_subfolder(folder: Path, name: str) -> None:
    """Refuse a subfolder that is a link to somewhere else.

    Raises:
        DatasetError: It leads out.
    """
    if (folder / name).resolve() != folder.resolve() / name:
        raise DatasetError(
            f"{folder / name} is a link that leads out of {folder}. Put the folder itself there; {folder} "
            "may be a link."
        )


def _parts(content: Any) -> list[Any]:
    """Lists and objects directly inside one."""
    inside = content.values() if isinstance(content, dict) else content
    return [part for part in inside if isinstance(part, (dict, list))]
