"""`cavmae-sync teach undo`: take marks back."""

from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from cavmae_sync.cli.options import Count, Json
from cavmae_sync.cli.taught import say_state
from cavmae_sync.cli.terminal import print_line


def undo(
    library: Path,
    name: str,
    /,
    *ids: Annotated[
        str, Parameter(help="Marks, by the ids that `teach status --json` gives; the last ones unless given.")
    ],
    last: Annotated[Count, Parameter(help="How many of the last marks, without ids.")] = 1,
    as_json: Json = False,
) -> None:
    """Take marks back, the last one or any others, and fit the probe anew. Nothing is deleted from the file.

    Example: cavmae-sync teach undo my-library bell

    Args:
        library: Folder of the library.
        name: What is taught.
    """
    from cavmae_sync.embedding.library import open_library
    from cavmae_sync.teaching import Taught

    taught = Taught(open_library(library), name)
    undone = taught.undo(ids) if ids else [each for _ in range(last) for each in taught.undo()]
    state = taught.fit()
    if not as_json:
        print_line(f"{len(undone)} marks taken back.")
    say_state(state, library=library, as_json=as_json)
