"""Runner of a part: its variants side by side, one repetition each in turn.

So a drift in the speed of the machine affects all of them alike.
"""

import math
import statistics
import tempfile
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.part import Part, Setting, Variant, Work
from benchmarks.process import Ending, Sample, UnableError, VariantError, VariantProcess
from benchmarks.products import product_work
from benchmarks.result import Difference, PartResult, Row, compare, make_row, with_bound

#: Called with what is being done.
Tell = Callable[[str], None]


@dataclass(kw_only=True, slots=True)
class _Entry:
    """A variant on its way through a part."""

    variant: Variant
    rounds: int
    answer: Path
    process: VariantProcess | None = None
    facts: Mapping[str, Any] = field(default_factory=dict)
    samples: list[Sample] = field(default_factory=list)
    peak_bytes: int = 0
    device_bytes: int = 0
    error: str = ""
    unable: str = ""


def run_part(part: Part, setting: Setting, *, rates: Mapping[str, float], tell: Tell) -> PartResult:
    """Measure a part.

    Args:
        part: What to measure.
        setting: Settings of the run.
        rates: Operations per second of matrix products by precision, measured before; they decide which
            variants are worth running.
        tell: Called with what is being done.
    """
    began = time.perf_counter()
    if part.is_one_thread:
        setting = replace(setting, threads=1, clock=time.process_time)
    if part.prepare is not None:
        tell(f"{part.name}: preparing")
        _prepare(part.prepare, setting)
    left_out = {variant.name: why for variant in part.variants if (why := _why_not(variant, rates))}
    variants = [variant for variant in part.variants if variant.name not in left_out]
    products = [
        Variant(name=f"products {kind}", make=partial(product_work, precision=kind)) for kind in part.products
    ]
    with tempfile.TemporaryDirectory(dir=setting.folder) as folder:
        entries = [
            _Entry(
                variant=variant,
                rounds=_rounds(variant, part, setting, rates),
                answer=Path(folder) / f"{index}.npz",
            )
            for index, variant in enumerate([*variants, *products])
        ]
        _measure(entries, part, setting, tell)
        own, others = entries[: len(variants)], entries[len(variants) :]
        here = {
            kind: statistics.median(sample.numbers["rate"] for sample in entry.samples)
            for kind, entry in zip(part.products, others, strict=True)
            if entry.samples
        }
        left_out |= {entry.variant.name: entry.unable for entry in entries if entry.unable}
        rows = _rows([entry for entry in own if not entry.unable], here, tolerance=part.tolerance)
    return PartResult(
        name=part.name,
        title=part.title,
        unit=part.unit,
        rows=tuple(rows),
        rates=here,
        limits=part.limits,
        note=part.note,
        left_out=left_out,
        seconds=time.perf_counter() - began,
    )


def _prepare(make: Callable[[Setting], None], setting: Setting) -> None:
    variant = Variant(name="preparation", make=partial(_preparation, make=make))
    process = VariantProcess(variant, setting, answer=setting.folder / "preparation.npz")
    process.finish()


def _preparation(setting: Setting, *, make: Callable[[Setting], None]) -> Work:
    make(setting)
    return Work(repeat=lambda: None, warm_up=lambda: None)


def _is_slow(variant: Variant, rates: Mapping[str, float]) -> bool:
    return rates.get(variant.precision, math.inf) < rates.get("float32", 0.0)


def _why_not(variant: Variant, rates: Mapping[str, float]) -> str:
    if variant.rounds_where_slow or not _is_slow(variant, rates):
        return ""
    return (
        f"products run at {rates[variant.precision] / 1e9:.0f} GFLOP/s in {variant.precision} and at "
        f"{rates['float32'] / 1e9:.0f} in float32 here"
    )


def _rounds(variant: Variant, part: Part, setting: Setting, rates: Mapping[str, float]) -> int:
    if setting.quick:
        return 1
    return variant.rounds_where_slow if _is_slow(variant, rates) else variant.rounds or part.rounds


def _measure(entries: Sequence[_Entry], part: Part, setting: Setting, tell: Tell) -> None:
    with ExitStack() as stack:
        for number in range(max(entry.rounds for entry in entries)):
            for entry in entries:
                if number < entry.rounds and not entry.error:
                    tell(f"{part.name}: {entry.variant.name}, {number + 1} of {entry.rounds}")
                    _one_sample(entry, setting, is_alone=part.is_alone, stack=stack)
        for entry in entries:
            if entry.process is not None and not entry.error:
                _try(entry, lambda entry=entry: _finish(entry))


def _one_sample(entry: _Entry, setting: Setting, *, is_alone: bool, stack: ExitStack) -> None:
    def sample() -> None:
        if entry.process is None:
            entry.process = VariantProcess(entry.variant, setting, answer=entry.answer)
            stack.callback(entry.process.stop)
            entry.facts = entry.process.facts
        entry.samples.append(entry.process.sample())
        if is_alone:
            _finish(entry, with_answer=len(entry.samples) == entry.rounds)

    _try(entry, sample)


def _finish(entry: _Entry, *, with_answer: bool = True) -> None:
    assert entry.process is not None
    ending: Ending = entry.process.finish(with_answer=with_answer)
    entry.process = None
    entry.peak_bytes = max(entry.peak_bytes, ending.peak_bytes)
    entry.device_bytes = max(entry.device_bytes, ending.device_bytes)


def _try(entry: _Entry, act: Callable[[], None]) -> None:
    try:
        act()
    except UnableError as error:
        entry.error = entry.unable = str(error)
    except VariantError as error:
        entry.error = str(error)


def _rows(entries: Iterable[_Entry], rates: Mapping[str, float], *, tolerance: float) -> list[Row]:
    entries = list(entries)
    if not entries:
        return []
    first = entries[0]
    rows: list[Row] = []
    for entry in entries:
        difference = None
        if entry is not first and not (entry.error or first.error):
            difference, entry.error = _difference(entry, first, tolerance)
        if entry.error or not entry.samples:
            rows.append(Row(variant=entry.variant.name, error=entry.error or "no sample"))
            continue
        is_other = entry is not first and not first.error
        row = make_row(
            entry.variant.name,
            entry.samples,
            facts=entry.facts,
            baseline=first.samples if is_other else (),
            baseline_units=first.facts["units"] if is_other else 1.0,
            target=entry.variant.target,
            peak_bytes=entry.peak_bytes,
            device_bytes=entry.device_bytes,
            difference=difference,
        )
        rows.append(with_bound(row, rates=rates, baseline=rows[0] if is_other else None))
    return rows


def _difference(entry: _Entry, first: _Entry, tolerance: float) -> tuple[Difference | None, str]:
    """Difference of the answer from the textbook's, and the error if it is too large."""
    if not (entry.answer.is_file() and first.answer.is_file()):
        return None, ""
    with np.load(entry.answer) as own, np.load(first.answer) as expected:
        try:
            difference = compare(dict(own), dict(expected))
        except ValueError as error:
            return None, f"it cannot be compared with the textbook: {error}"
    if difference.one_minus_cosine <= tolerance:
        return difference, ""
    return difference, (
        f"its answer is not the textbook's: 1 - cosine {difference.one_minus_cosine:.1e}, at most "
        f"{tolerance:.0e} is allowed, so that the ratio would compare different mathematics"
    )
