"""Report of the doctor: one finding per check, and a verdict."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Final, Literal

from rich.table import Table
from rich.text import Text

from cavmae_sync.safe_text import cell_text, table_title

#: "note": worth knowing, not a failure. "unknown": asked for, but could not be made. "skipped": not asked
#: for, or without a meaning here.
Status = Literal["ok", "FAIL", "note", "unknown", "skipped"]

_STYLES: Final[Mapping[Status, str]] = {
    "ok": "green",
    "FAIL": "bold red",
    "note": "yellow",
    "unknown": "yellow",
    "skipped": "dim",
}


@dataclass(frozen=True, kw_only=True, slots=True)
class Finding:
    """Result of one check.

    Attributes:
        check: Name of the check.
        status: Outcome.
        measured: What was measured, in words and numbers; for a skipped check the reason.
        needed: What was needed; empty where nothing was wrong.
        advice: What to do; required for a failure.
    """

    check: str
    status: Status
    measured: str
    needed: str = ""
    advice: str = ""

    def __post_init__(self) -> None:
        if self.status == "FAIL" and not self.advice:
            raise ValueError(f"The failure of {self.check!r} must say what to do.")

    def text(self) -> str:
        """One line: measured, needed and advice."""
        needed = f" (needed: {self.needed})" if self.needed else ""
        return f"{self.measured}{needed}{'. ' if self.advice else ''}{self.advice}"


@dataclass(frozen=True, kw_only=True, slots=True)
class DoctorReport:
    """Findings of all checks, in their order.

    Attributes:
        findings: One for each check.
        subject: Path of the weights, and of the dataset.
        weights: Fingerprint of the weights (`weights_fingerprint`).
        num_clips: Clips of the dataset that were read; 0 without one.
        seconds: How long the examination took.
    """

    findings: Sequence[Finding]
    subject: str
    weights: str
    num_clips: int
    seconds: float

    @property
    def failures(self) -> tuple[Finding, ...]:
        """Findings of the checks that failed."""
        return tuple(finding for finding in self.findings if finding.status == "FAIL")

    @property
    def unknown(self) -> tuple[Finding, ...]:
        """Findings of the checks that were asked for but could not be made."""
        return tuple(finding for finding in self.findings if finding.status == "unknown")

    @property
    def is_healthy(self) -> bool | None:
        """Whether every check passed; None where none failed, but some that matter could not be made.

        Only clips can show whether sound and picture belong together, so without clips the answer is None.
        """
        if self.failures:
            return False
        return None if self.unknown or self.num_clips == 0 else True

    def verdict(self) -> str:
        """One sentence: whether the model is fit to be measured, and why."""
        counts = {status: sum(f.status == status for f in self.findings) for status in _STYLES}
        skipped = f", {counts['skipped']} skipped" if counts["skipped"] else ""
        passed = f"{counts['ok'] + counts['note']} checks passed{skipped}"
        if self.failures:
            names = ", ".join(finding.check for finding in self.failures)
            return f"NOT HEALTHY: {counts['FAIL']} failed ({names}), {passed}"
        if self.unknown:
            names = ", ".join(finding.check for finding in self.unknown)
            why = self.unknown[0].measured
            return f"NOT FULLY CHECKED: {names} could not be checked ({why}); {passed}"
        if self.num_clips == 0:
            return (
                f"NOT FULLY CHECKED: {passed}, all of the weights. Whether sound and picture of your clips "
                "fit them is not known: add --data DATASET"
            )
        return f"HEALTHY: {passed}"

    def to_dict(self) -> dict[str, Any]:
        """The report as JSON values."""
        return {
            "healthy": self.is_healthy,
            "verdict": self.verdict(),
            "findings": [asdict(finding) for finding in self.findings],
            "subject": self.subject,
            "weights": self.weights,
            "num_clips": self.num_clips,
            "seconds": round(self.seconds, 2),
        }

    def to_json(self) -> str:
        """One JSON object, indented, ending with a newline."""
        return json.dumps(self.to_dict(), indent=2, allow_nan=False, ensure_ascii=False) + "\n"

    def to_table(self) -> Table:
        """Table with one row per check, to print with rich; the verdict goes below it."""
        table = Table(
            title=table_title(f"doctor: {self.subject}"),
            title_justify="left",
            box=None,
            pad_edge=False,
        )
        table.add_column("")
        table.add_column("check", no_wrap=True)
        table.add_column("what was found", overflow="fold")
        for finding in self.findings:
            style = _STYLES[finding.status]
            table.add_row(Text(finding.status, style=style), finding.check, cell_text(finding.text()))
        return table
