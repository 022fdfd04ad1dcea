"""`cavmae-sync teach status`: what a library was taught, and how well it knows it."""

from dataclasses import asdict
from pathlib import Path
from typing import Annotated

from cyclopts import Parameter
from rich.table import Table

from cavmae_sync.cli.options import Json
from cavmae_sync.cli.taught import say_state
from cavmae_sync.cli.terminal import Terminal, print_json
from cavmae_sync.errors import ConfigError


def status(
    library: Path,
    name: str | None = None,
    /,
    *,
    precision: Annotated[
        float | None, Parameter(help="Also say from which probability on so much is right, in (0, 1].")
    ] = None,
    as_json: Json = False,
) -> None:
    """Say what a library was taught; with a name, how many marks there are and how precise the probe is.

    The precision is an estimate from checks: moments drawn at random from what the probe calls present, that
    it did not learn from. The interval of 95 % is exact, however few they are.

    Example: cavmae-sync teach status my-library bell --precision 0.9

    Args:
        library: Folder of the library.
        name: What is taught; all of it unless given.
    """
    from cavmae_sync.embedding.library import convert_if_old, open_library
    from cavmae_sync.teaching import Taught, list_taught

    if precision is not None and not 0 < precision <= 1:
        raise ConfigError(f"--precision {precision:g} must be in (0, 1].")
    convert_if_old(library)
    opened = open_library(library)
    if name is not None:
        taught = Taught(opened, name)
        wanted = None if precision is None else taught.threshold_for(precision)
        marks = [asdict(mark) for mark in taught.marks()] if as_json else []
        say_state(
            taught.state(), library=library, as_json=as_json, marks=marks, wanted=wanted, precision=precision
        )
        return
    states = [Taught(opened, each).state() for each in list_taught(opened)]
    if as_json:
        print_json({"library": str(library), "taught": [state.to_dict() for state in states]})
        return
    table = Table("name", "sense", "yes", "no", "checks", "precision")
    for state in states:
        found = None if state.estimate is None else state.estimate.precision
        table.add_row(
            state.name,
            state.sense,
            str(state.counts.num_yes),
            str(state.counts.num_no),
            str(state.counts.num_checks),
            state.status.replace("_", " ") if found is None else f"{found.low:.0%} to {found.high:.0%}",
        )
    Terminal().print(table)
