"""`cavmae-sync teach next`: which moments to mark next."""

from dataclasses import asdict
from pathlib import Path
from typing import Annotated

from cyclopts import Parameter
from rich.table import Column, Table

from cavmae_sync.cli.options import Count, Json
from cavmae_sync.cli.outputs import check_output
from cavmae_sync.cli.taught import place_of
from cavmae_sync.cli.terminal import Terminal, print_json, print_line


def next_moments(
    library: Path,
    name: str,
    /,
    *,
    num: Annotated[Count, Parameter(help="Moments to propose.")] = 10,
    checks: Annotated[
        int | None,
        Parameter(
            help="How many of them are checks, drawn at random to know the precision; 3 of 10 unless given."
        ),
    ] = None,
    csv: Annotated[
        Path | None, Parameter(help="CSV file for them, to fill its column label and give back by --from.")
    ] = None,
    as_json: Json = False,
) -> None:
    """Propose the moments that teach most, and some that check what was learned.

    Look at each, then answer by its number: cavmae-sync teach mark my-library bell --yes 1,4 --no 2,3.
    Answer all checks: if those that are hard are left out, the precision comes out too high.

    Example: cavmae-sync teach next my-library bell --num 10

    Args:
        library: Folder of the library.
        name: What is taught.
    """
    from cavmae_sync.atomic import written_whole
    from cavmae_sync.embedding.library import convert_if_old, open_library
    from cavmae_sync.media.clock import clock
    from cavmae_sync.teaching import Taught, export_proposals, keep_proposals

    check_output(csv, option="--csv", suffix=".csv")
    convert_if_old(library)
    taught = Taught(open_library(library), name)
    proposals = taught.propose(num, num_checks=None if checks is None else max(checks, 0))
    keep_proposals(taught, proposals)
    if csv is not None:
        with written_whole(csv) as part:
            part.write_bytes(export_proposals(taught, proposals))
    if as_json:
        rows = [
            asdict(each) | {"places": [asdict(place) for place in taught.places(each.content)]}
            for each in proposals
        ]
        print_json({"library": str(library), "name": name, "proposals": rows})
        return
    table = Table("", "from", "to", Column("file", overflow="fold"), "why", "probability")
    for number, each in enumerate(proposals, start=1):
        table.add_row(
            str(number),
            clock(each.start_seconds, with_tenths=True),
            clock(each.stop_seconds, with_tenths=True),
            place_of(taught.places(each.content)),
            each.reason,
            "" if each.probability is None else f"{each.probability:.0%}",
        )
    Terminal().print(table)
    print_line(
        f"answer by number: cavmae-sync teach mark {library} {name} --yes 1,3 --no 2,4-{len(proposals)}"
    )
