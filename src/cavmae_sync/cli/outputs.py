"""Checks of the places that a command writes to, before any work is done."""

import os
from collections.abc import Sequence
from pathlib import Path

from cavmae_sync.errors import ConfigError


def check_output(
    path: Path | None, *, option: str, suffix: str | tuple[str, ...], inputs: Sequence[Path | None] = ()
) -> None:
    """Refuse a file that could not be written, before any work is done for it.

    Args:
        path: The file; None where none is asked for.
        option: Option that names it.
        suffix: Ending that its name must have.
        inputs: Files that the command reads, and must not write over.

    Raises:
        ConfigError: The name has another ending, its folder does not exist or may not be written into, it is
            a folder itself, or a file that the command reads.
    """
    if path is None:
        return
    for each in inputs:
        if each is not None and each.exists() and path.exists() and path.samefile(each):
            raise ConfigError(f"{option} {path} is read by this command. Write to another file.")
    suffixes = (suffix,) if isinstance(suffix, str) else suffix
    kind = " or ".join(suffixes)
    if path.suffix.lower() not in suffixes or not path.absolute().parent.is_dir():
        raise ConfigError(f"{option} {path} must be a {kind} file in a folder that exists.")
    if path.is_dir():
        raise ConfigError(f"{option} {path} is a folder. Name a {kind} file.")
    _check_writable(path.absolute().parent, path, option=option)


def check_new(path: Path | None, *, option: str, overwrite: bool, files: Sequence[str] = ()) -> None:
    """Refuse to write over files that perhaps nobody can make again, unless --overwrite is given.

    Results that can be computed again (figures, tables, vectors, the reports of a run) are replaced without
    asking. Weights, lists, videos and sounds are not: people have files of their own of these kinds.

    Args:
        path: A file, or a folder; None where none is asked for.
        option: Option that names it.
        overwrite: Whether --overwrite is given.
        files: Names of the files that will be written, where `path` is a folder.

    Raises:
        ConfigError: A file is there already.
    """
    if path is None or overwrite:
        return
    there = [path] if path.is_file() else [path / name for name in files if (path / name).exists()]
    if there:
        raise ConfigError(
            f"{option} {path}: {there[0]} is there already. Add --overwrite to replace it, or name another "
            "place."
        )


def check_folder(path: Path | None, *, option: str) -> None:
    """Refuse a folder that could not be made, before any work is done for it.

    Raises:
        ConfigError: The folder, or one that it lies in, is a file or may not be written into.
    """
    if path is None:
        return
    nearest = next(each for each in (path.absolute(), *path.absolute().parents) if each.exists())
    if not nearest.is_dir():
        raise ConfigError(f"{option} {path} must be a folder, but {nearest} is a file. Name another one.")
    _check_writable(nearest, path, option=option)


def _check_writable(folder: Path, path: Path, *, option: str) -> None:
    if not os.access(folder, os.W_OK | os.X_OK):
        raise ConfigError(
            f"{option} {path} cannot be written: this user may not write into {folder}. Change its "
            "permissions, or name another place."
        )
