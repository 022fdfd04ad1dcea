"""`cavmae-sync index update`: bring a library up to date with its folders."""

import time
from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from cavmae_sync.cli.libraries import fill
from cavmae_sync.cli.options import EncodeOptions, Json, Positive, Switch, WorkOptions
from cavmae_sync.errors import ConfigError


def update(
    library: Path,
    /,
    *roots: Annotated[str, Parameter(help="Names of the roots to look at; all unless given.")],
    model: Path | None = None,
    retry: Annotated[
        Switch, Parameter(help="Read failed files again although they have not changed.")
    ] = False,
    watch: Annotated[Switch, Parameter(help="Go on looking, until Ctrl-C.")] = False,
    every_seconds: Annotated[Positive, Parameter(help="Pause between two looks of --watch.")] = 10.0,
    compute: EncodeOptions = EncodeOptions(),
    work: WorkOptions = WorkOptions(),
    as_json: Json = False,
) -> None:
    """Read what is new or has changed in the folders of a library.

    Files that were moved or renamed are known by their content and not encoded again. Files that are no
    longer there are noted as gone and not found any more; `index remove` forgets them. A folder that is not
    there is offline: nothing of it is gone.

    Example: cavmae-sync index update my-library

    Args:
        library: Folder of the library.
        model: The model, where the library does not know it or it lies elsewhere now.
    """
    if watch and as_json:
        raise ConfigError("--watch goes on, so it cannot print one JSON object. Leave out --json.")
    is_first = True
    while is_first or watch:
        if not is_first:
            time.sleep(every_seconds)
        fill(
            library,
            source=None,
            model=model,
            roots=roots,
            compute=compute,
            work=work,
            retries=retry,
            as_json=as_json,
            is_quiet=not is_first,
        )
        is_first = False
