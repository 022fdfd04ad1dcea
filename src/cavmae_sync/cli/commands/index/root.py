"""`cavmae-sync index root`: say where a folder of a library is now."""

from dataclasses import replace
from pathlib import Path

from cavmae_sync.cli.terminal import print_line
from cavmae_sync.errors import ConfigError


def root(library: Path, name: str, folder: Path, /) -> None:
    """Say where a folder of a library is now: after a disk got another letter, or footage was moved.

    Nothing is read or encoded. `index update` then compares the files.

    Example: cavmae-sync index root my-library footage /Volumes/footage

    Args:
        library: Folder of the library.
        name: Name of the root, as `index status` shows it.
        folder: Where it is now.
    """
    from cavmae_sync.embedding.library import Catalogue, convert_if_old, open_library

    convert_if_old(library)
    open_library(library)
    if not folder.is_dir():
        raise ConfigError(f"{folder} is not a folder. Give the folder where the files of {name!r} are now.")
    with Catalogue(library, is_writable=True) as catalogue:
        known = catalogue.roots()
        if name not in known:
            raise ConfigError(f"{library} has no root {name!r}. It has: {', '.join(known) or 'none'}.")
        files = catalogue.files(name)
        catalogue.put_root(replace(known[name], path=folder.absolute()))
    found = sum((folder / row.path).is_file() for row in files)
    print_line(f"{name} is {folder.absolute()}: {found} of {len(files)} files are there.")
