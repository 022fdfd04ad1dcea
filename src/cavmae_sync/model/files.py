"""Tensors out of files of any origin. Nothing that a file contains is ever executed.

Pickles are read by torch's restricted reader (`weights_only=True`), safetensors by the safetensors library.
What a file seems to be instead (a web page, a git-lfs pointer, an empty file) is said.
"""

import pickle
import re
import struct
import tarfile
import warnings
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import torch
from safetensors import SafetensorError, safe_open
from torch import Tensor

from cavmae_sync.errors import WeightsError

#: Under which keys people put tensors into a file.
WRAPPERS: Final = ("model", "state_dict")

#: What the unpickler raises on files that are damaged, cut off or refused (found by flipping bytes).
_DAMAGED = (
    pickle.UnpicklingError,
    struct.error,
    RuntimeError,
    EOFError,
    ValueError,
    LookupError,
    TypeError,
    AttributeError,
    AssertionError,
    ImportError,
    OSError,
    MemoryError,
    zipfile.BadZipFile,
)

#: How files begin that people give by mistake: PDF, PNG, JPEG, GIF, Matroska, Ogg, FLAC, RIFF.
_OTHER_FILES: Final = (
    b"%PDF", b"\x89PNG", b"\xff\xd8\xff", b"GIF8", b"\x1a\x45\xdf\xa3", b"OggS", b"fLaC", b"RIFF",
)  # fmt: skip
_PICKLES: Final = (b"PK\x03\x04", b"\x80")
_WEB_PAGE: Final = (b"<!doctype html", b"<html", b"<head", b"<?xml")
_WEB_PAGE_SAYING: Final = (
    "is a web page, not weights: the server sent a page instead of the file (Google Drive asks for a "
    "confirmation, others for a log-in). Download it in a browser."
)
_DISGUISED_PICKLE_SAYING: Final = (
    "is named .safetensors but holds a pickle (torch.save). It is not opened under this name. Rename it to "
    ".pth if that is what you expected: even then nothing in it is executed."
)


@dataclass(frozen=True, kw_only=True, slots=True)
class WeightsFile:
    """The tensors of one file.

    Attributes:
        tensors: By name, in the order of the file.
        metadata: Header of a safetensors file; empty for others.
        wrapper: The key they lay under in a dictionary; None where they lay open.
        left_behind: What else lay beside that key: the state of an optimiser, for example.
    """

    tensors: dict[str, Tensor]
    metadata: Mapping[str, str]
    wrapper: str | None = None
    left_behind: tuple[str, ...] = ()


def read_file(path: Path) -> WeightsFile:
    """The tensors of a `.safetensors` file or of what `torch.save` wrote.

    Raises:
        WeightsError: The file is missing, empty, damaged, something else, or holds more than tensors.
    """
    check_kind(path)
    return _read_safetensors(path) if path.suffix == ".safetensors" else _read_pickle(path)


def read_header(path: Path) -> Mapping[str, str]:
    """The metadata in the header of a safetensors file, without reading a tensor.

    Raises:
        WeightsError: It is no safetensors file.
    """
    check_kind(path)
    try:
        with safe_open(path, framework="pt") as opened:
            return opened.metadata() or {}
    except (SafetensorError, OSError) as error:
        raise WeightsError(_bad_safetensors(path, error)) from error


def read_plain(path: Path) -> Any:
    """What `torch.save` wrote, tensors and plain containers only, on the CPU; nothing is executed.

    Raises:
        WeightsError: The file is damaged, or holds anything else.
    """
    try:
        _check_archive(path)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # about odd pickles; what matters becomes an error below
            return torch.load(path, map_location="cpu", weights_only=True)
    except _DAMAGED as error:
        raise WeightsError(
            f"{path} cannot be read as weights ({_reason(error)}). "
            "Only files of plain tensors are opened; nothing in a file is executed."
        ) from error


def read_pth(path: Path) -> dict[str, Tensor]:
    """Tensors of a `.pth` file, read without executing anything; a wrapping `model` key is opened.

    Raises:
        WeightsError: The file is damaged, or holds anything but tensors.
    """
    return _read_pickle(path).tensors


def check_kind(path: Path) -> None:
    """Say what a file is that cannot be weights.

    Raises:
        WeightsError: It is missing, empty, a web page, a git-lfs pointer, text, or a pickle that calls itself
            safetensors (or the other way round).
    """
    if not path.is_file():
        raise WeightsError(
            f"{path} does not exist. Give a .safetensors file, or a .pth of the authors."
            if not path.is_dir()
            else f"{path} does not exist as a file: it is a folder. Name the weights file in it."
        )
    with path.open("rb") as file:
        start = file.read(512)
    if saying := _other_kind(path, start):
        raise WeightsError(f"{path} {saying}")


def _other_kind(path: Path, start: bytes) -> str | None:
    text = start.lstrip(b"\xef\xbb\xbf \t\r\n").lower()
    # Eight bytes say how long the header is. The first may be any, also that of a pickle; the last are zero.
    is_safetensors = start[4:9] == b"\0\0\0\0{"
    is_pickle = start.startswith(_PICKLES) and not is_safetensors
    named = path.suffix == ".safetensors"
    kinds = (
        (not start, "is empty. Download it again."),
        (text.startswith(_WEB_PAGE), _WEB_PAGE_SAYING),
        (
            text.startswith(b"version https://git-lfs"),
            "is a git-lfs pointer, not the weights themselves. Run `git lfs pull` where it was cloned.",
        ),
        (
            text.startswith((b"{", b"[")) and not is_safetensors,
            "is text (JSON), not weights. Look at what it says: it may be the answer of a server.",
        ),
        (named and is_pickle, _DISGUISED_PICKLE_SAYING),
        (not named and is_safetensors, "holds safetensors. Rename it to .safetensors."),
        (
            start.startswith(_OTHER_FILES) or start[4:8] == b"ftyp",
            "is no weights file but a document, picture, sound or video.",
        ),
    )
    return next((saying for holds, saying in kinds if holds), None)


def _reason(error: Exception) -> str:
    """Why a pickle was not read, in one line. torch's own first line advises to execute the file."""
    text = str(error) or type(error).__name__
    if isinstance(error, zipfile.BadZipFile):
        return "an archive without its end: it was cut off"
    if match := re.search(r"GLOBAL ([\w.]+)", text):
        return f"it asks for {match[1]}, which is no tensor: an object was saved whole, or it harms"
    if isinstance(error, pickle.UnpicklingError):
        return "its pickle is damaged or holds more than tensors"
    return text.splitlines()[0]


def _read_safetensors(path: Path) -> WeightsFile:
    try:
        with safe_open(path, framework="pt") as opened:
            metadata = opened.metadata() or {}
            tensors = {name: opened.get_tensor(name) for name in opened.keys()}  # noqa: SIM118 (not a dict)
    except (SafetensorError, OSError) as error:
        raise WeightsError(_bad_safetensors(path, error)) from error
    return WeightsFile(tensors=tensors, metadata=metadata)


def _bad_safetensors(path: Path, error: Exception) -> str:
    reason = str(error).splitlines()[0]
    return f"{path} is not a safetensors file, or was cut off ({reason}). Download or write it again."


def _read_pickle(path: Path) -> WeightsFile:
    content = read_plain(path)
    wrapper, left_behind = None, ()
    if isinstance(content, dict):
        wrapper = next((key for key in WRAPPERS if isinstance(content.get(key), dict)), None)
    if wrapper is not None:
        # A key can be a tuple of tuples of tuples ..., whose text would fill the memory.
        left_behind = tuple(
            key if isinstance(key, str) else type(key).__name__ for key in content if key != wrapper
        )
        content = content[wrapper]
    if not isinstance(content, dict) or not all(
        isinstance(name, str) and isinstance(value, Tensor) for name, value in content.items()
    ):
        raise WeightsError(f"{path} holds {_kinds(content)}, not a dictionary of tensors.")
    for name, value in content.items():
        if not _holds_values(value):
            shape = "nested" if value.is_nested else tuple(value.shape)
            raise WeightsError(
                f"{path} declares {name} as {shape} without holding that many values. "
                "It is damaged or made to fill the memory."
            )
    return WeightsFile(
        tensors={name: value.detach() for name, value in content.items()},
        metadata={},
        wrapper=wrapper,
        left_behind=left_behind,
    )


def _holds_values(value: Tensor) -> bool:
    if value.is_nested or value.layout != torch.strided or value.device.type != "cpu":
        return False
    return value.nelement() * value.element_size() <= value.untyped_storage().nbytes()


def _kinds(content: object) -> str:
    if not isinstance(content, dict):
        return type(content).__name__
    kinds = sorted({type(value).__name__ for value in content.values()})
    return f"a dictionary of {', '.join(kinds[:4])}" if kinds else "an empty dictionary"


def _check_archive(path: Path) -> None:
    """Refuse archives that unpack to more than they are, before torch unpacks them.

    Raises:
        ValueError: torch.save never wrote it: a member is compressed, or the archive is a tar.
    """
    with path.open("rb") as file:
        start = file.read(4)
    if start == b"PK\x03\x04":
        with zipfile.ZipFile(path) as archive:
            members = archive.infolist()
        if any(member.compress_type != zipfile.ZIP_STORED for member in members):
            raise ValueError("its parts are compressed, which torch.save never does")
        if sum(member.file_size for member in members) > path.stat().st_size:
            raise ValueError("its parts claim to be larger than the file")
    elif start[:1] != b"\x80" and tarfile.is_tarfile(path):
        raise ValueError("it is a tar archive, as torch wrote before 2017; save it anew with torch.save")
