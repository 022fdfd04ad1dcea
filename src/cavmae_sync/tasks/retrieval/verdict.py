"""Verdict on what a model knows: which of WHAT, WHEN and the moment it has, in words.

A model *has* one of them when its number is above chance, and above everything that could explain the number
without it: an untrained model, frames of another clip (for moments), every rule that learns nothing, and
linear fits. "Above" means that the 95 % interval, of the number or of the paired difference, lies above
chance or above 0.
"""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, Final, Literal

from cavmae_sync.tasks.report import Value
from cavmae_sync.tasks.retrieval.knowledge import CONTROL_NAMES, Knowledge, Row
from cavmae_sync.tasks.retrieval.matches import DIRECTIONS

#: `yes`: above chance and all that was compared. `explained`: above chance, and something that knows nothing
#: is as good. `no`: not above chance. `trace`: no first answers above chance, but the own clip stands before
#: the middle. `unchecked`: above chance, and not compared with all that could explain it.
Answer = Literal["yes", "explained", "no", "trace", "unchecked"]

WORDS: Final[Mapping[str, str]] = {
    "both": "both",
    "what": "WHAT",
    "when": "WHEN",
    "moment": "moment",
    "state": "moment, equal states together",
}
_ANSWERS: Final[Mapping[Answer, str]] = {
    "yes": "yes",
    "explained": "not shown",
    "no": "no",
    "trace": "a trace",
    "unchecked": "above chance, not compared",
}


@dataclass(frozen=True, kw_only=True, slots=True)
class Verdict:
    """Verdict on one measure.

    Attributes:
        measure: `both`, `what`, `when`, `moment` or `state`.
        answer: Whether the model has it.
        text: One or two sentences with the numbers that decide.
    """

    measure: str
    answer: Answer
    text: str

    def line(self) -> str:
        """Line of a report: measure, answer, reasons."""
        return f"{WORDS[self.measure]}: {_ANSWERS[self.answer]}. {self.text}"

    def to_dict(self) -> dict[str, Any]:
        """Verdict as JSON values."""
        return asdict(self)


def verdicts(known: Knowledge) -> tuple[Verdict, ...]:
    """Verdict on every measure, in the order of `Knowledge.measures`.

    With no intervals (`num_bootstrap=0`) there is no verdict.
    """
    if known.model.means["both"].low is None:
        return ()
    return tuple(_verdict(known, measure) for measure in known.measures)


def _verdict(known: Knowledge, measure: str) -> Verdict:
    own = known.model.means[measure]
    numbers = f"{own.text()} ({own.interval_text()}; chance {own.chance_text()})"
    if not _is_above(own, own.chance):
        return _without(known, measure, numbers)
    against = _rows_against(known, measure)
    equals = [row for row in against if not _is_above(row.minus[measure], 0.0)]
    if equals:
        best = max(equals, key=lambda row: row.means[measure].value)
        text = f"{numbers} is above chance, but {_reason(best, measure)}."
        return Verdict(measure=measure, answer="explained", text=f"{text} {_warning(measure, best)}")
    missing = _missing(known, measure)
    if missing:
        text = f"{numbers}. Not compared with {missing}."
        return Verdict(measure=measure, answer="unchecked", text=text)
    highest = max(against, key=lambda row: row.means[measure].value)
    text = f"{numbers}, above all it was compared with; the highest of these: {_named(highest, measure)}."
    return Verdict(measure=measure, answer="yes", text=text)


def _without(known: Knowledge, measure: str, numbers: str) -> Verdict:
    """Verdict on a number that is not above chance."""
    metrics = known.report.metrics
    prefix = "" if measure == "both" else f"{measure}/"
    ranks = [metrics.get(f"{prefix}{direction}/median_rank") for direction in DIRECTIONS]
    medians = [value for value in ranks if value is not None]
    if not medians or not all(_is_below(value, value.chance) for value in medians):
        return Verdict(measure=measure, answer="no", text=f"{numbers}: not above chance.")
    places = " and ".join(value.text() for value in medians)
    text = f"{numbers}: first answers are at chance, but in the median the own clip is at place {places}"
    text = f"{text} (chance {medians[0].chance_text()})."
    others = sorted(_rows_against(known, measure), key=lambda row: row.places[measure])
    if others and others[0].places[measure] <= known.model.places[measure]:
        better = f"{_kind(others[0])} reaches place {others[0].places[measure]:g}."
        return Verdict(measure=measure, answer="explained", text=f"{text} But {better}")
    return Verdict(measure=measure, answer="trace", text=text)


def _rows_against(known: Knowledge, measure: str) -> list[Row]:
    """Rows that a number must be above: frames of another clip say nothing new of a recall."""
    controls = [CONTROL_NAMES["untrained"]]
    if measure in ("moment", "state"):
        controls.append(CONTROL_NAMES["shuffled"])
    rows = [row for row in known.of("control") if row.name in controls]
    return [row for row in (*rows, *known.of("baseline", "fitted")) if measure in row.minus]


def _missing(known: Knowledge, measure: str) -> str:
    names = [row.name for row in _rows_against(known, measure)]
    missing = [] if CONTROL_NAMES["untrained"] in names else ["an untrained model"]
    if not known.of("baseline"):
        missing.append("rules that learn nothing")
    return " and ".join(missing)


def _reason(row: Row, measure: str) -> str:
    kinds = {
        CONTROL_NAMES["untrained"]: "an untrained model is not below it",
        CONTROL_NAMES["shuffled"]: "with the frames of another clip it stays",
    }
    value = row.means[measure].text()
    if row.name in kinds:
        return f"{kinds[row.name]} ({value})"
    return f"{_kind(row)} reaches {value}"


def _kind(row: Row) -> str:
    """Name of a row in a sentence."""
    names = {"fitted": f"a {row.name}", "baseline": f"{row.name}, which learns nothing,"}
    return names.get(row.group, row.name)


def _warning(measure: str, row: Row) -> str:
    if row.name == CONTROL_NAMES["shuffled"]:
        return "So it shows the place in the clip, and no synchrony."
    if row.group == "fitted":
        return "So it shows no more than a linear fit finds."
    subject = {
        "both": "this recall does not show that the model knows what belongs together",
        "what": "it does not show that the model knows what belongs together",
    }
    return f"So {subject.get(measure, 'it does not show that the model hears and sees when things happen')}."


def _named(row: Row, measure: str) -> str:
    return f"{row.name} {row.means[measure].text()}"


def _is_above(value: Value, bound: float | None) -> bool:
    return value.low is not None and bound is not None and value.low > bound


def _is_below(value: Value, bound: float | None) -> bool:
    return value.high is not None and bound is not None and value.high < bound
