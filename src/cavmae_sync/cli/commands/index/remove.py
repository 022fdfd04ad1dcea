"""`cavmae-sync index remove`: take files out of a library."""

from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from cavmae_sync.cli.options import Switch
from cavmae_sync.cli.terminal import print_line
from cavmae_sync.errors import ConfigError


def remove(
    library: Path,
    /,
    *paths: Annotated[str, Parameter(help="Files or folders below a root, as results show them.")],
    root: Annotated[str | None, Parameter(help="Root that they belong to; without paths, all of it.")] = None,
    gone: Annotated[Switch, Parameter(help="Files that are no longer on the disk.")] = False,
) -> None:
    """Take files out of a library, with the vectors that no other file has. Videos are never touched.

    Example: cavmae-sync index remove my-library --gone

    Args:
        library: Folder of the library.
    """
    from cavmae_sync.embedding.library import convert_if_old, open_library, remove_files

    convert_if_old(library)
    opened = open_library(library)
    if not (paths or root or gone):
        raise ConfigError("Say what to remove: paths, --root NAME, or --gone.")
    with opened.catalogue() as catalogue:
        known = catalogue.roots()
        if root is not None and root not in known:
            raise ConfigError(f"{library} has no root {root!r}. It has: {', '.join(known) or 'none'}.")
        rows = [
            row
            for row in catalogue.files(root)
            if (not gone or row.state == "gone")
            and (
                not paths
                or any(row.path == path or row.path.startswith(f"{path.rstrip('/')}/") for path in paths)
            )
        ]
    is_whole = root is not None and not paths and not gone
    num_parts = remove_files(library.absolute(), rows, roots=[root] if is_whole and root else [])
    print_line(f"removed {len(rows)} files; vectors of {num_parts} contents are deleted.")
