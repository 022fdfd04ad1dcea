"""State of what is taught: whether there are enough marks, and what to do next, in words."""

from dataclasses import asdict, dataclass
from typing import Any, Final, Literal

from cavmae_sync.teaching.estimate import Estimate
from cavmae_sync.teaching.names import TaughtSense

#: Marks of each kind, and files they are from, without which no probe is kept: fewer tell one file from
#: another, and not what is taught.
LEAST_YES: Final = 5
LEAST_NO: Final = 5
LEAST_FILES: Final = 3

#: "too_few": no probe is kept. "unchecked": there is one, and its precision is not known. "checked": it is.
Status = Literal["too_few", "unchecked", "checked"]


@dataclass(frozen=True, kw_only=True, slots=True)
class Counts:
    """Counts of marks that can be used: the library has a vector there.

    Attributes:
        num_yes: Yes-marks to learn from.
        num_no: No-marks to learn from.
        num_unsure: Marks of which the user could not tell; nothing is learned from them.
        num_checks: Checks.
        num_files: Contents that marks to learn from are of.
        num_elsewhere: Marks that cannot be used: of files that the library has not, or that lack the sense
            there.
    """

    num_yes: int
    num_no: int
    num_unsure: int
    num_checks: int
    num_files: int
    num_elsewhere: int


@dataclass(frozen=True, kw_only=True, slots=True)
class TaughtState:
    """State of what is taught.

    Attributes:
        name: Name of the class.
        sense: What it hears or sees.
        moment_seconds: Length of a moment.
        status: Whether there are enough marks.
        reason: Why, a sentence.
        advice: What to do next, a sentence.
        counts: Marks.
        num_moments: Moments of the library that it can judge.
        estimate: How good it is; None without a probe.
        probe: File of the probe, for `classify` and `search`; None where none is kept.
        note: What the probe cannot be used for; empty where there is nothing to say.
    """

    name: str
    sense: TaughtSense
    moment_seconds: float
    status: Status
    reason: str
    advice: str
    counts: Counts
    num_moments: int
    estimate: Estimate | None
    probe: str | None
    note: str

    def to_dict(self) -> dict[str, Any]:
        """All of it as JSON values."""
        return asdict(self)


def missing_marks(counts: Counts, *, num_contents: int) -> list[str]:
    """What is missing before a probe is kept, in words; empty where nothing is.

    Args:
        counts: Marks.
        num_contents: Contents of the library.
    """
    least_files = min(LEAST_FILES, max(num_contents, 1))
    found = []
    if counts.num_yes < LEAST_YES:
        found.append(f"{LEAST_YES - counts.num_yes} more yes")
    if counts.num_no < LEAST_NO:
        found.append(f"{LEAST_NO - counts.num_no} more no")
    if counts.num_files < least_files:
        found.append(f"marks of {least_files - counts.num_files} more files")
    return found


def status_of(counts: Counts, estimate: Estimate | None, *, missing: list[str]) -> tuple[Status, str, str]:
    """Status, reason and advice.

    Args:
        counts: Marks.
        estimate: How good the probe is; None without one.
        missing: As `missing_marks` says.
    """
    if missing or estimate is None:
        wanted = ", ".join(missing) or "a yes and a no"
        reason = (
            f"{counts.num_yes} yes and {counts.num_no} no of {counts.num_files} files are too few: at least "
            f"{LEAST_YES} yes and {LEAST_NO} no of {LEAST_FILES} files are needed."
        )
        return "too_few", reason, f"Mark {wanted}. The next proposals help."
    if estimate.precision is None and estimate.num_rest == 0:
        return "unchecked", estimate.reason, "Mark more moments: look for other examples by a search."
    if estimate.precision is None:
        return "unchecked", estimate.reason, f"Mark {estimate.more_checks} more checks."
    found = estimate.precision
    if estimate.more_checks:
        wide = f"The interval from {found.low:.0%} to {found.high:.0%} is wide"
        return "checked", estimate.reason, f"{wide}: {estimate.more_checks} more checks make it narrow."
    return (
        "checked",
        estimate.reason,
        "Use it. More uncertain moments make it better; then look at the checks again.",
    )
