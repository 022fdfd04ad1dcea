"""Common parts of commands on what a library was taught: its state, and files, in words."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cavmae_sync.cli.terminal import print_json, print_line

if TYPE_CHECKING:
    from cavmae_sync.search import Place
    from cavmae_sync.teaching import Estimate, TaughtState


def place_of(places: "Sequence[Place]") -> str:
    """File of a moment, as results show it."""
    if not places:
        return ""
    copies = f" (+{len(places) - 1})" if len(places) > 1 else ""
    offline = ", offline" if places[0].is_offline else ""
    return f"{places[0].root}/{places[0].path}{copies}{offline}"


def say_state(
    state: "TaughtState",
    *,
    library: Path,
    as_json: bool,
    marks: Sequence[dict[str, Any]] = (),
    wanted: "Estimate | None" = None,
    precision: float | None = None,
) -> None:
    """Print the state of what is taught.

    Args:
        state: The state.
        library: Folder of the library.
        as_json: Whether to print JSON.
        marks: Marks, for JSON.
        wanted: Estimate at the threshold of a wanted precision; None where none is known to reach it.
        precision: That precision; None where none is wanted.
    """
    from dataclasses import asdict

    if as_json:
        found = None if wanted is None else asdict(wanted)
        told = {"library": str(library), **state.to_dict(), "marks": list(marks)}
        print_json(told | ({} if precision is None else {"wanted": found}))
        return
    counts, estimate = state.counts, state.estimate
    print_line(
        f"{state.name} ({state.sense}): {counts.num_yes} yes, {counts.num_no} no, {counts.num_unsure} unsure "
        f"and {counts.num_checks} checks; {state.num_moments:,} moments of {state.moment_seconds:g} s."
    )
    if counts.num_elsewhere:
        print_line(f"{counts.num_elsewhere} marks are of moments that this library has no vectors of.")
    if estimate is not None:
        print_line(
            f"{estimate.num_present:,} moments are called present, {estimate.num_known} of them marked yes."
        )
        if estimate.precision is not None:
            print_line(f"Right of the rest: {_percent(estimate)} (95 %).")
    print_line(f"{state.reason} {state.advice}")
    if precision is not None:
        print_line(_threshold(wanted, precision))
    if state.note:
        print_line(state.note)
    if state.probe is not None:
        print_line(
            f"Probe: cavmae-sync classify FILE --probe {library / 'taught' / state.name} --threshold 0.5"
        )
        if estimate is not None and estimate.precision is not None:
            print_line("On files that are not in the library it may be less precise.")


def _percent(estimate: "Estimate") -> str:
    found = estimate.precision
    assert found is not None
    return f"{found.value:.0%}, between {found.low:.0%} and {found.high:.0%}"


def _threshold(wanted: "Estimate | None", precision: float) -> str:
    if wanted is None:
        return f"No threshold is known to have a precision of {precision:.0%}: more checks may show one."
    return (
        f"From a probability of {wanted.threshold:g} on, {_percent(wanted)} of {wanted.num_rest:,} are right "
        "(95 % for all thresholds together)."
    )
