"""Weights files of any origin: their tensors by name. Nothing that a file contains is ever executed.

Pickles are read by `torch_files`, which makes nothing but tensors, safetensors by the safetensors library.
An error says what a file is instead: a web page, a git-lfs pointer, an empty file.
"""

import tarfile
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from safetensors import SafetensorError, safe_open
from torch import Tensor

from cavmae_sync.errors import WeightsError
from cavmae_sync.weights.tensor_refs import Skipped, TensorRef
from cavmae_sync.weights.torch_file import TorchFile, asks_for

#: Keys under which people put the tensors of a model into a file.
WRAPPERS: Final = ("model", "state_dict", "model_state_dict")

#: Errors of reading a file that is damaged, cut off or made to harm.
_DAMAGED: Final = (ValueError, OSError, zipfile.BadZipFile, NotImplementedError, RuntimeError, EOFError)

#: First bytes of files that people give by mistake: PDF, PNG, JPEG, GIF, Matroska, Ogg, FLAC, RIFF.
_OTHER_FILES: Final = (
    b"%PDF", b"\x89PNG", b"\xff\xd8\xff", b"GIF8", b"\x1a\x45\xdf\xa3", b"OggS", b"fLaC", b"RIFF",
)  # fmt: skip
_PICKLES: Final = (b"PK\x03\x04", b"\x80")
_WEB_PAGE: Final = (b"<!doctype html", b"<html", b"<head", b"<?xml")
_WEB_PAGE_MESSAGE: Final = (
    "is a web page, not weights: the server sent a page instead of the file (Google Drive asks for a "
    "confirmation, others for a log-in). Download it in a browser."
)
_DISGUISED_PICKLE_MESSAGE: Final = (
    "is named .safetensors but holds a pickle (torch.save). It is not opened under this name. Rename it to "
    ".pth if that is what you expected: even then nothing in it is executed."
)


@dataclass(frozen=True, kw_only=True, slots=True)
class WeightsFile:
    """Content of one file.

    Attributes:
        tensors: By name, in the order of the file.
        metadata: Header of a safetensors file; empty for others.
        wrapper: Key of the dictionary that held them; None where they were not wrapped.
        other_entries: Names of what else the file holds, such as the state of an optimiser. An entry that is
            no plain value is named with the class that it asks for.
        plain_values: Texts and numbers beside the tensors, also those in a dictionary of arguments.
    """

    tensors: dict[str, Tensor]
    metadata: Mapping[str, str]
    wrapper: str | None = None
    other_entries: tuple[str, ...] = ()
    plain_values: Mapping[str, str | int | float] = field(default_factory=dict)


def read_file(path: Path) -> WeightsFile:
    """Read a `.safetensors` file, or one that `torch.save` wrote.

    Raises:
        WeightsError: The file is missing, empty, damaged, something else, or holds more than tensors.
    """
    check_kind(path)
    return _read_safetensors(path) if path.suffix == ".safetensors" else _read_pickle(path)


def read_header(path: Path) -> Mapping[str, str]:
    """Metadata in the header of a safetensors file, read without a tensor.

    Raises:
        WeightsError: It is not a safetensors file.
    """
    check_kind(path)
    try:
        with safe_open(path, framework="pt") as opened:
            return opened.metadata() or {}
    except (SafetensorError, OSError) as error:
        raise WeightsError(_bad_safetensors(path, error)) from error


def read_plain(path: Path) -> Any:
    """Content of a file of `torch.save`: tensors on the CPU and plain containers; nothing is executed.

    Raises:
        WeightsError: The file is damaged, or holds anything else.
    """
    try:
        return _open_torch(path).plain()
    except _DAMAGED as error:
        raise WeightsError(_unreadable(path, error)) from error


def read_pth(path: Path) -> dict[str, Tensor]:
    """Tensors of a `.pth` file, read without executing anything; a wrapping `model` key is opened.

    Raises:
        WeightsError: The file is damaged, or holds anything but tensors.
    """
    return _read_pickle(path).tensors


def check_kind(path: Path) -> None:
    """Refuse a file that cannot be weights, and say what it is.

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
    if problem := _other_kind(path, start):
        raise WeightsError(f"{path} {problem}")


def _other_kind(path: Path, start: bytes) -> str | None:
    text = start.lstrip(b"\xef\xbb\xbf \t\r\n").lower()
    # A safetensors file begins with the length of its header, in eight bytes. The first of them may be any,
    # also the first byte of a pickle; the last are zero.
    is_safetensors = start[4:9] == b"\0\0\0\0{"
    is_pickle = start.startswith(_PICKLES) and not is_safetensors
    named = path.suffix == ".safetensors"
    kinds = (
        (not start, "is empty. Download it again."),
        (text.startswith(_WEB_PAGE), _WEB_PAGE_MESSAGE),
        (
            text.startswith(b"version https://git-lfs"),
            "is a git-lfs pointer, not the weights themselves. Run `git lfs pull` where it was cloned.",
        ),
        (
            text.startswith((b"{", b"[")) and not is_safetensors,
            "is text (JSON), not weights. Look at what it says: it may be the answer of a server.",
        ),
        (named and is_pickle, _DISGUISED_PICKLE_MESSAGE),
        (not named and is_safetensors, "holds safetensors. Rename it to .safetensors."),
        (
            start.startswith(_OTHER_FILES) or start[4:8] == b"ftyp",
            "is not a weights file but a document, an image, a sound or a video.",
        ),
    )
    return next((problem for holds, problem in kinds if holds), None)


def _open_torch(path: Path) -> TorchFile:
    _check_archive(path)
    return TorchFile(path)


def _unreadable(path: Path, error: Exception) -> str:
    reason = str(error) or type(error).__name__
    if isinstance(error, zipfile.BadZipFile):
        reason = "an archive without its end, or damaged: it was cut off"
    return (
        f"{path} cannot be read as weights ({reason.splitlines()[0]}). Only tensors are read; nothing in a "
        "file is executed."
    )


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
    try:
        file = _open_torch(path)
        wrapper, other_entries, content = _unwrapped(file.content)
        tensors = {name: file.tensor(ref) for name, ref in content.items()}
    except _DAMAGED as error:
        raise WeightsError(_unreadable(path, error)) from error
    return WeightsFile(
        tensors=tensors,
        metadata={},
        wrapper=wrapper,
        other_entries=other_entries,
        plain_values=_plain_values(file.content) if isinstance(file.content, dict) else {},
    )


def _plain_values(content: Mapping[Any, Any]) -> dict[str, str | int | float]:
    """Texts and numbers of a dictionary and of dictionaries in it; the outer one wins."""
    inner = [value for value in content.values() if isinstance(value, dict)]
    return {
        name: value
        for part in (*inner, content)
        for name, value in part.items()
        if isinstance(name, str) and isinstance(value, str | int | float)
    }


def _unwrapped(content: Any) -> tuple[str | None, tuple[str, ...], dict[str, TensorRef]]:
    """Key of the dictionary that holds the tensors, names of the other entries, and the tensors."""
    wrapper: str | None = None
    other_entries: list[str] = []
    if isinstance(content, dict):
        wrapper = next((key for key in WRAPPERS if isinstance(content.get(key), dict)), None)
    if wrapper is not None:
        other_entries += [_entry_text(key, value) for key, value in content.items() if key != wrapper]
        content = content[wrapper]
    entries = content if isinstance(content, dict) else {}
    tensors = {
        name: value
        for name, value in entries.items()
        if isinstance(name, str) and isinstance(value, TensorRef)
    }
    others = {name: value for name, value in entries.items() if name not in tensors}
    for name, value in others.items():
        if isinstance(value, Skipped) and value.name.startswith("torch."):
            raise ValueError(f"{name} ({value.name}) hold no floating-point numbers of 16, 32 or 64 bits")
    if not tensors:
        skipped = [value for value in (content, *entries.values()) if isinstance(value, Skipped)]
        what = f"it holds {_kinds(content)}, not a dictionary of tensors"
        raise ValueError(asks_for(skipped[0]) if skipped else what)
    return wrapper, (*other_entries, *(_entry_text(key, value) for key, value in others.items())), tensors


def _entry_text(key: Any, value: Any) -> str:
    name = key if isinstance(key, str) else key.name if isinstance(key, Skipped) else str(key)
    return f"{name} ({value.name}, which is not made)" if isinstance(value, Skipped) else name


def _kinds(content: object) -> str:
    if not isinstance(content, dict):
        return _kind(content)
    kinds = sorted({_kind(value) for value in content.values()})
    return f"a dictionary of {', '.join(kinds[:4])}" if kinds else "an empty dictionary"


def _kind(value: object) -> str:
    return "Tensor" if isinstance(value, TensorRef) else type(value).__name__


def _check_archive(path: Path) -> None:
    """Refuse an archive that could unpack to more bytes than it has.

    Raises:
        ValueError: torch.save never wrote it: a part is compressed, or the archive is a tar.
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
