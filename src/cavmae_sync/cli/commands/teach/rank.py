"""`cavmae-sync teach rank`: where in the library it is."""

from dataclasses import asdict
from pathlib import Path
from typing import Annotated

from cyclopts import Parameter
from cyclopts.validators import Number
from rich.table import Column, Table

from cavmae_sync.cli.options import Count, Json
from cavmae_sync.cli.taught import place_of
from cavmae_sync.cli.terminal import Terminal, print_json


def rank(
    library: Path,
    name: str,
    /,
    *,
    top: Annotated[Count, Parameter(help="Moments to show.")] = 20,
    threshold: Annotated[
        float, Parameter(validator=Number(gte=0, lt=1), help="Least probability of a moment.")
    ] = 0.0,
    as_json: Json = False,
) -> None:
    """Run the probe over the whole library and show the moments that it is surest of, also those marked.

    Example: cavmae-sync teach rank my-library bell --top 20 --threshold 0.5

    Args:
        library: Folder of the library.
        name: What is taught.
    """
    from cavmae_sync.embedding.library import convert_if_old, open_library
    from cavmae_sync.media.clock import clock
    from cavmae_sync.teaching import Taught

    convert_if_old(library)
    taught = Taught(open_library(library), name)
    ranked = taught.ranked(top, least_probability=threshold)
    if as_json:
        print_json({"library": str(library), "name": name, "moments": [asdict(each) for each in ranked]})
        return
    table = Table("", "from", "to", Column("file", overflow="fold"), "probability", "mark")
    for number, each in enumerate(ranked, start=1):
        said = "" if each.is_match is None else "yes" if each.is_match else "no"
        table.add_row(
            str(number),
            clock(each.start_seconds, with_tenths=True),
            clock(each.stop_seconds, with_tenths=True),
            place_of(each.places),
            f"{each.probability:.0%}",
            said,
        )
    Terminal().print(table)
