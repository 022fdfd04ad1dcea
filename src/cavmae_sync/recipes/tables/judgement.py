"""Whether a claim holds for what was measured.

A claim is confirmed here if the row that should be better is better in every seed-paired comparison that it
names, with a 95 % interval above zero, and is itself above its untrained model. Everything else is "not
confirmed", with what was measured in words: the opposite, no difference within so many points, or rows that
have learned nothing.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, Literal

from cavmae_sync.metrics.paired import PairedDifference, paired_difference
from cavmae_sync.recipes.tables.claims import Claim, Comparison

Verdict = Literal["confirmed here", "not confirmed here", "cannot be tested here"]

#: Verdict where something that a claim names was not measured.
UNTESTED: Final[Verdict] = "cannot be tested here"
#: Finding of a difference over so few seeds that its interval tells nothing.
TOO_FEW: Final = "too few to tell"
#: Seeds below which an interval is so wide that it refutes nothing.
_LEAST_SEEDS: Final = 3

#: Measured fractions by row, heading and seed.
Measured = Mapping[str, Mapping[str, Mapping[int, float]]]
#: Rows of untrained models by the rows whose controls they are.
Controls = Mapping[str, str]


@dataclass(frozen=True, kw_only=True, slots=True)
class JudgedComparison:
    """Measured difference of a comparison, and what it says.

    Attributes:
        comparison: The comparison.
        difference: Better minus worse, in fractions; None where nothing was measured.
        above_untrained: Row that should be better minus its untrained model; None where that was not
            measured.
        worse_above_untrained: The same of the row that should be worse; None too where it is the same row,
            because then another column of it is a control that learns nothing.
        lacks_control: Whether a row's untrained model is still to be measured.
    """

    comparison: Comparison
    difference: PairedDifference | None
    above_untrained: PairedDifference | None
    worse_above_untrained: PairedDifference | None
    lacks_control: bool

    @property
    def is_confirmed(self) -> bool:
        """Whether the interval is above zero, and the better row has learned something."""
        is_better = self.difference is not None and self.difference.low > 0
        return is_better and not self.lacks_control and _is_above(self.above_untrained)

    @property
    def finding(self) -> str:
        """What was measured, in words."""
        difference = self.difference
        if difference is None:
            return "not measured"
        if self.is_confirmed:
            return "as claimed"
        if difference.num_seeds < _LEAST_SEEDS:
            return TOO_FEW
        if self.lacks_control:
            return "untrained model not measured"
        return self._refutation(difference)

    def _refutation(self, difference: PairedDifference) -> str:
        if difference.high < 0 and _is_above(self.worse_above_untrained):
            return "the opposite"
        control = self.above_untrained
        if control is not None and control.low <= 0:
            few = control.num_seeds < _LEAST_SEEDS
            return "too few seeds of the untrained model" if few else "not above the untrained model"
        return "not shown, 0 lies in the interval"


@dataclass(frozen=True, kw_only=True, slots=True)
class JudgedClaim:
    """A claim and what was measured."""

    claim: Claim
    comparisons: tuple[JudgedComparison, ...]

    @property
    def verdict(self) -> Verdict:
        """Verdict over all comparisons: every one has to hold."""
        if any(judged.difference is None for judged in self.comparisons):
            return UNTESTED
        if all(judged.is_confirmed for judged in self.comparisons):
            return "confirmed here"
        return "not confirmed here"


def judge(claim: Claim, measured: Measured, controls: Controls) -> JudgedClaim:
    """Judge a claim by measured cells.

    Args:
        claim: The claim.
        measured: Fractions by row, heading and seed.
        controls: Rows of untrained models by row.
    """
    return JudgedClaim(
        claim=claim,
        comparisons=tuple(_judge(comparison, measured, controls) for comparison in claim.comparisons),
    )


def _is_above(control: PairedDifference | None) -> bool:
    """Whether a row has learned something, as far as that was measured."""
    return control is None or control.low > 0


def _judge(comparison: Comparison, measured: Measured, controls: Controls) -> JudgedComparison:
    def cell(row: str, heading: str) -> Mapping[int, float]:
        return measured.get(row, {}).get(heading, {})

    def control(row: str, heading: str) -> Mapping[int, float]:
        return cell(controls.get(row, ""), heading)

    def lacks(row: str, heading: str) -> bool:
        return row in controls and not control(row, heading)

    def gain(row: str, heading: str) -> Mapping[int, float]:
        trained, untrained = cell(row, heading), control(row, heading)
        return {seed: trained[seed] - untrained[seed] for seed in trained.keys() & untrained.keys()}

    better = cell(comparison.better, comparison.heading)
    worse_heading = comparison.other_heading or comparison.heading
    worse = cell(comparison.worse, worse_heading)
    asked = gain if comparison.is_gain else cell
    return JudgedComparison(
        comparison=comparison,
        difference=paired_difference(
            asked(comparison.better, comparison.heading), asked(comparison.worse, worse_heading)
        ),
        above_untrained=paired_difference(better, control(comparison.better, comparison.heading)),
        worse_above_untrained=None
        if comparison.worse == comparison.better
        else paired_difference(worse, control(comparison.worse, worse_heading)),
        lacks_control=lacks(comparison.better, comparison.heading) or lacks(comparison.worse, worse_heading),
    )
