"""`cavmae-sync teach mark`: say yes or no to moments."""

from pathlib import Path
from typing import Annotated, Literal

from cyclopts import Parameter

from cavmae_sync.cli.options import Json, Positive, Switch
from cavmae_sync.cli.taught import say_state
from cavmae_sync.cli.terminal import print_line
from cavmae_sync.errors import ConfigError


def mark(
    library: Path,
    name: str,
    /,
    *,
    yes: Annotated[list[str] | None, Parameter(help="Moment that is it; may be repeated.")] = None,
    no: Annotated[list[str] | None, Parameter(help="Moment that is not; may be repeated.")] = None,
    unsure: Annotated[
        list[str] | None, Parameter(help="Moment of which you cannot tell; may be repeated.")
    ] = None,
    from_: Annotated[
        Path | None,
        Parameter(
            name="--from",
            help="CSV file with the columns file (or content), start_seconds, stop_seconds and label (yes, "
            "no, unsure); or the folder of what another library was taught.",
        ),
    ] = None,
    learn_checks: Annotated[
        Switch, Parameter(help="Learn from checks too; the precision must then be checked anew.")
    ] = False,
    sense: Annotated[
        Literal["sound", "picture", "both"] | None,
        Parameter(help="What a new class is known by: needed once, for the first marks."),
    ] = None,
    moment_seconds: Annotated[
        Positive | None, Parameter(help="Length of a moment of a new class; 2 unless given.")
    ] = None,
    as_json: Json = False,
) -> None:
    """Mark moments of a library yes or no, and fit the probe to all marks.

    A moment is the number of a proposal of `teach next` (3, or 1,4-6), or ROOT/PATH@START-STOP as search
    results show it. Marks are kept in the library's folder taught/NAME and can be taken back. Marking a
    moment again changes its mark.

    From 5 yes and 5 no of 3 files on, taught/NAME is a probe for `classify --probe` and `search --probe`.

    Example: cavmae-sync teach mark my-library bell --sense sound --yes my-videos/a.mp4@12-14

    Example: cavmae-sync teach mark my-library bell --yes 1,4-6 --no 2,3

    Args:
        library: Folder of the library, made by `index add`.
        name: What is taught; new or known.
    """
    from cavmae_sync.embedding.library import convert_if_old, open_library
    from cavmae_sync.teaching import Taught, read_marks, typed_marks

    if not (yes or no or unsure or from_ or learn_checks):
        raise ConfigError("Say what to mark: --yes, --no, --unsure, --from FILE, or --learn-checks.")
    convert_if_old(library)
    taught = Taught(open_library(library), name, sense=sense, moment_seconds=moment_seconds)
    marks = [
        *typed_marks(taught, yes or (), is_match=True),
        *typed_marks(taught, no or (), is_match=False),
        *typed_marks(taught, unsure or (), is_match=None),
        *([] if from_ is None else read_marks(taught, from_)),
    ]
    taught.add(marks)
    num_learned = taught.learn_checks() if learn_checks else 0
    state = taught.fit()
    if not as_json:
        print_line(f"{len(marks)} marks added." + (f" {num_learned} checks are learned from." * learn_checks))
    say_state(state, library=library, as_json=as_json)
