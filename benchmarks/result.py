"""Results of a part: samples of each variant, and the numbers that follow from them."""

import statistics
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks.part import Answer, Limit
from benchmarks.process import Sample

#: Share of the cores used by others from which a sample counts as disturbed.
FOREIGN_LIMIT = 0.10


@dataclass(frozen=True, kw_only=True, slots=True)
class Difference:
    """Difference of an answer from the textbook's.

    Attributes:
        one_minus_cosine: Largest 1 - cosine of all rows.
        absolute: Largest absolute difference of all numbers.
    """

    one_minus_cosine: float
    absolute: float


@dataclass(frozen=True, kw_only=True, slots=True)
class Row:
    """Numbers of a variant.

    Attributes:
        variant: Name of the variant.
        seconds: Median of one repetition over undisturbed samples (over all, if they are too few).
        fastest: Least seconds.
        slowest: Most seconds.
        num_samples: Samples taken.
        num_disturbed: Samples during which others used more than a tenth of the cores.
        is_disturbed: Whether the median had to use disturbed samples.
        units: Units of one repetition.
        ratio: The baseline's seconds per unit over the variant's, from medians.
        ratio_range: Least and largest ratio within one round.
        target: Ratio that is aimed at.
        operations: Operations that one repetition needs.
        precision: Precision of its products.
        share: Rate of needed operations as a share of the product rate measured in turn with it.
        bound: Largest ratio that the product rate allows.
        peak_bytes: Peak memory of its process, workers included.
        device_bytes: Peak memory of its tensors on an accelerator.
        difference: Difference from the textbook's answer.
        numbers: Medians of the numbers that repetitions measured themselves.
        samples: Seconds of each sample, and the share of all cores that others used meanwhile.
        error: Error of a variant without numbers; else empty.
    """

    variant: str
    seconds: float = 0.0
    fastest: float = 0.0
    slowest: float = 0.0
    num_samples: int = 0
    num_disturbed: int = 0
    is_disturbed: bool = False
    units: float = 1.0
    ratio: float | None = None
    ratio_range: tuple[float, float] | None = None
    target: float | None = None
    operations: float | None = None
    precision: str = "float32"
    share: float | None = None
    bound: float | None = None
    peak_bytes: int = 0
    device_bytes: int = 0
    difference: Difference | None = None
    numbers: Mapping[str, float] = field(default_factory=dict)
    samples: tuple[tuple[float, float | None], ...] = ()
    error: str = ""


@dataclass(frozen=True, kw_only=True, slots=True)
class PartResult:
    """Results of a part.

    Attributes:
        name: Name of the part.
        title: Description.
        unit: Unit that is counted.
        rows: Results of its variants; the first is the baseline.
        rates: Operations per second of matrix products, measured in turn with the variants, by precision.
        limits: Numbers with an aim.
        note: Note for the reader.
        left_out: Reasons for variants that were not run, by name.
        seconds: Time that the whole part took.
    """

    name: str
    title: str
    unit: str
    rows: tuple[Row, ...]
    rates: Mapping[str, float]
    limits: tuple[Limit, ...]
    note: str
    left_out: Mapping[str, str]
    seconds: float

    @property
    def errors(self) -> dict[str, str]:
        """Errors of variants, by name."""
        return {row.variant: row.error for row in self.rows if row.error}

    def to_json(self) -> dict[str, Any]:
        """Plain values, for JSON."""
        return asdict(self)

    @classmethod
    def from_json(cls, content: Mapping[str, Any]) -> "PartResult":
        """The inverse of `to_json`."""
        rows = tuple(
            Row(
                **{
                    **row,
                    "ratio_range": row["ratio_range"] and tuple(row["ratio_range"]),
                    "samples": tuple(tuple(sample) for sample in row["samples"]),
                    "difference": row["difference"] and Difference(**row["difference"]),
                }
            )
            for row in content["rows"]
        )
        limits = tuple(Limit(**limit) for limit in content["limits"])
        return cls(**{**content, "rows": rows, "limits": limits})


def make_row(
    variant: str,
    samples: Sequence[Sample],
    *,
    facts: Mapping[str, Any],
    baseline: Sequence[Sample] = (),
    baseline_units: float = 1.0,
    **known: Any,
) -> Row:
    """Numbers of a variant. `samples[i]` and `baseline[i]` come from the same round."""
    clean = [sample for sample in samples if (sample.foreign or 0.0) <= FOREIGN_LIMIT]
    used = clean if 2 * len(clean) >= len(samples) else list(samples)
    times = [sample.seconds for sample in used]
    units = facts["units"]
    row = Row(
        variant=variant,
        seconds=statistics.median(times),
        fastest=min(sample.seconds for sample in samples),
        slowest=max(sample.seconds for sample in samples),
        num_samples=len(samples),
        num_disturbed=len(samples) - len(clean),
        is_disturbed=len(used) != len(clean),
        units=units,
        operations=facts["operations"],
        precision=facts["precision"],
        samples=tuple((sample.seconds, sample.foreign) for sample in samples),
        numbers={
            name: statistics.median(sample.numbers[name] for sample in used) for name in used[0].numbers
        },
        **known,
    )
    if not baseline:
        return row
    theirs = _median_seconds(baseline) / baseline_units
    ratios = [
        (one.seconds / baseline_units) / (own.seconds / units)
        for one, own in zip(baseline, samples, strict=False)
    ]
    return _with(row, ratio=theirs / (row.seconds / units), ratio_range=(min(ratios), max(ratios)))


def with_bound(row: Row, *, rates: Mapping[str, float], baseline: Row | None) -> Row:
    """Row with its share of the product rate, and with the ratio that this rate allows."""
    rate = rates.get(row.precision)
    if row.operations is None or rate is None or row.error:
        return row
    bound = None
    if baseline is not None and not baseline.error:
        least_seconds_per_unit = row.operations / rate / row.units
        bound = baseline.seconds / baseline.units / least_seconds_per_unit
    return _with(row, share=row.operations / row.seconds / rate, bound=bound)


def compare(answer: Answer, expected: Answer) -> Difference:
    """Difference of two answers."""
    if answer.keys() != expected.keys():
        raise ValueError(f"answers hold {sorted(answer)} and {sorted(expected)}; they must be the same")
    return Difference(
        one_minus_cosine=max(_one_minus_cosine(answer[key], expected[key]) for key in expected),
        absolute=max(_largest_difference(answer[key], expected[key]) for key in expected),
    )


def _one_minus_cosine(one: NDArray[np.floating], other: NDArray[np.floating]) -> float:
    """Largest 1 - cosine of rows, from distances of unit rows: 1 minus a cosine would lose its digits."""
    if one.shape != other.shape:
        raise ValueError(f"answers have shapes {one.shape} and {other.shape}; they must be the same")
    rows, others = (np.atleast_2d(array).astype(np.float64) for array in (one, other))
    lengths, other_lengths = (np.linalg.norm(array, axis=-1, keepdims=True) for array in (rows, others))
    unit, other_unit = rows / np.maximum(lengths, 1e-300), others / np.maximum(other_lengths, 1e-300)
    return float((np.square(unit - other_unit).sum(axis=-1) / 2).max())


def _largest_difference(one: NDArray[np.floating], other: NDArray[np.floating]) -> float:
    return float(np.abs(one.astype(np.float64) - other.astype(np.float64)).max())


def _median_seconds(samples: Sequence[Sample]) -> float:
    clean = [sample for sample in samples if (sample.foreign or 0.0) <= FOREIGN_LIMIT]
    used = clean if 2 * len(clean) >= len(samples) else samples
    return statistics.median(sample.seconds for sample in used)


def _with(row: Row, **changes: Any) -> Row:
    return Row(**{**{name: getattr(row, name) for name in Row.__dataclass_fields__}, **changes})
