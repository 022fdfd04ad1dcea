"""`cavmae-sync index status`: what is in a library."""

from dataclasses import asdict
from pathlib import Path
from typing import Annotated

from cyclopts import Parameter
from rich.table import Table

from cavmae_sync.cli.options import Json, Switch
from cavmae_sync.cli.terminal import Terminal, print_json


def status(
    library: Path,
    /,
    *,
    failures: Annotated[Switch, Parameter(help="List files that cannot be used, with the reason.")] = False,
    as_json: Json = False,
) -> None:
    """Say what is in a library: clips, files, roots, what waits and what failed. Nothing is read from videos.

    A library of an earlier version of the format is converted in place, without encoding.

    Example: cavmae-sync index status my-library --failures

    Args:
        library: Folder of the library.
    """
    from cavmae_sync.embedding.library import convert_if_old, open_library

    is_converted = convert_if_old(library)
    opened = open_library(library)
    report, failed = opened.report(), opened.failed()
    if as_json:
        told = {"library": str(library), "model": opened.record.encoder.weights, **report.to_dict()}
        print_json(told | ({"failures": [asdict(row) for row in failed]} if failures else {}))
        return
    console = Terminal()
    if is_converted:
        console.print("converted from version 1 of the format; nothing was encoded again")
    console.print(report.to_table())
    table = Table("root", "folder", "files", "state")
    for root in report.roots:
        state = "offline" if root.is_offline else "there"
        table.add_row(root.name, root.path or "place not known", f"{root.num_files:,}", state)
    console.print(table)
    if any(not root.path for root in report.roots):
        console.print(f"say where a root is: cavmae-sync index root {library} NAME FOLDER", soft_wrap=True)
    if failures:
        for row in failed:
            console.print(f"{row.root}: {row.message}", soft_wrap=True)
