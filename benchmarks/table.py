"""Tables of results: of a part on the terminal, and of everything in the documentation."""

from collections.abc import Iterable, Mapping, Sequence

from benchmarks.machine import described
from benchmarks.part import Limit
from benchmarks.result import PartResult, Row

#: Lines of the documentation between which the table of all numbers stands, and the short table of aims.
MARKERS = ("<!-- benchmarks -->", "<!-- /benchmarks -->")
SUMMARY_MARKERS = ("<!-- summary -->", "<!-- /summary -->")


def part_text(result: PartResult) -> str:
    """Text table of a part."""
    heads = ["", "seconds", "least to most", "n", f"per {result.unit}", "ratio", "in rounds"]
    heads += ["aim", "bound", "share", "1 - cos", "abs error", "memory"]
    rows = [
        [
            row.variant,
            _seconds(row.seconds) + ("*" if row.is_disturbed else ""),
            f"{_seconds(row.fastest)} to {_seconds(row.slowest)}",
            str(row.num_samples),
            _seconds(row.seconds / row.units),
            _ratio(row.ratio),
            _range(row),
            _ratio(row.target),
            _ratio(row.bound),
            _percent(row.share),
            "" if row.difference is None else f"{row.difference.one_minus_cosine:.0e}",
            "" if row.difference is None else f"{row.difference.absolute:.0e}",
            _memory(row.peak_bytes),
        ]
        for row in result.rows
        if not row.error
    ]
    lines = ["", f"{result.name}: {result.title}"]
    if result.rates:
        rates = ", ".join(f"{kind} {rate / 1e9:.0f}" for kind, rate in result.rates.items())
        lines.append(f"  matrix products meanwhile, GFLOP/s: {rates}")
    lines += ["  " + line for line in _aligned([heads, *rows])]
    lines += [f"  {text}" for text in _remarks(result)]
    return "\n".join(lines)


def markdown(results: Sequence[PartResult], environment: Mapping[str, object], *, is_quick: bool) -> str:
    """Markdown table of all variants of all parts, then the notes on each part."""
    heads = ["what", "how", "time", "ratio", "in rounds", "aim", "bound", "share", "1 - cos", "memory"]
    lines = _begun(heads, num_words=2)
    for result in results:
        for row in result.rows:
            if not row.error:
                first = result.title if row is result.rows[0] else ""
                lines.append(_markdown_row([first, *_cells(row, result)]))
    remarks = [f"- {result.title}: {text}" for result in results for text in _remarks(result)]
    return "\n".join([*_head(results, environment, is_quick=is_quick), "", *lines, "", *remarks])


def summary(results: Sequence[PartResult], environment: Mapping[str, object], *, is_quick: bool) -> str:
    """Short Markdown table: each part's best ratio to its textbook version, and each number with an aim."""
    heads = ["what", "textbook", "here", "how", "ratio", "aim", "bound", "share of products"]
    lines = _begun(heads, num_words=1)
    for result in results:
        for row in _best_and_aimed_at(result):
            cells = [_per_unit(result.rows[0], result), _per_unit(row, result), row.variant]
            cells += [_ratio(row.ratio), _ratio(row.target), _ratio(row.bound), _percent(row.share)]
            lines.append(_markdown_row([result.title, *cells]))
    limits = [f"- {_limit(limit, value)}" for result in results for limit, value in limits_met(result)]
    return "\n".join([*_head(results, environment, is_quick=is_quick), "", *lines, "", *limits])


def _best_and_aimed_at(result: PartResult) -> list[Row]:
    if not result.rows or not _is_textbook(result.rows[0]):
        return []
    others = [row for row in result.rows[1:] if row.ratio is not None]
    best = max((row.ratio or 0.0 for row in others), default=0.0)
    return [row for row in others if row.target is not None or row.ratio == best]


def _begun(heads: Sequence[str], *, num_words: int) -> list[str]:
    """Head of a table: columns of words are aligned left, of numbers right."""
    return [_markdown_row(heads), "|" + "---|" * num_words + "---:|" * (len(heads) - num_words)]


def _head(results: Sequence[PartResult], environment: Mapping[str, object], *, is_quick: bool) -> list[str]:
    head = [f"Measured in one run on {described(environment)}."]
    if is_quick:
        head.insert(0, "**A quick run on small models: these figures show only that everything works.**")
    rates = next((result.rates for result in results if result.rates), {})
    if rates:
        products = ", ".join(f"{kind} {rate / 1e9:.0f}" for kind, rate in rates.items())
        head.append(f"Matrix products meanwhile, GFLOP/s: {products}.")
    return head


def _is_textbook(row: Row) -> bool:
    return row.variant.startswith("textbook")


def _per_unit(row: Row, result: PartResult) -> str:
    return f"{_seconds(row.seconds / row.units)} / {result.unit}" + ("*" if row.is_disturbed else "")


def _limit(limit: Limit, value: float) -> str:
    verdict = "met" if value <= limit.most else "missed"
    return f"{limit.says}: {value:.3g}, aim at most {limit.most:g}, {verdict}."


def with_table(text: str, table: str, *, markers: tuple[str, str] = MARKERS) -> str:
    """Document with the table between its markers.

    Raises:
        ValueError: The document has no such markers.
    """
    start, stop = (text.find(marker) for marker in markers)
    if start < 0 or stop < start:
        raise ValueError(f"there are no lines {markers[0]} and {markers[1]}, between which the table goes")
    return f"{text[: start + len(markers[0])]}\n{table.strip()}\n{text[stop:]}"


def limits_met(result: PartResult) -> Iterable[tuple[Limit, float]]:
    """Limits of a part with the measured values."""
    rows = {row.variant: row for row in result.rows if not row.error}
    for limit in result.limits:
        if limit.variant in rows:
            row = rows[limit.variant]
            yield limit, row.seconds if limit.number == "seconds" else row.numbers[limit.number]


def _cells(row: Row, result: PartResult) -> list[str]:
    return [
        row.variant,
        _per_unit(row, result),
        _ratio(row.ratio),
        _range(row),
        _ratio(row.target),
        _ratio(row.bound),
        _percent(row.share),
        "" if row.difference is None else f"{row.difference.one_minus_cosine:.0e}",
        _memory(row.peak_bytes),
    ]


def _range(row: Row) -> str:
    return "" if row.ratio_range is None else " to ".join(_ratio(ratio) for ratio in row.ratio_range)


def _remarks(result: PartResult) -> list[str]:
    remarks = [result.note] if result.note else []
    remarks += [_limit(limit, value) for limit, value in limits_met(result)]
    for row in result.rows:
        if row.numbers and not row.error:
            numbers = ", ".join(f"{name} {value:.3g}" for name, value in row.numbers.items())
            remarks.append(f"{row.variant}: {numbers}.")
        if row.target is not None and row.ratio is not None:
            remarks.append(_verdict(row))
    remarks += [f"{name} was left out: {why}." for name, why in result.left_out.items()]
    remarks += [f"{name} FAILED: {error.strip().splitlines()[-1]}" for name, error in result.errors.items()]
    if any(row.is_disturbed for row in result.rows):
        remarks.append("* other programs used more than 10 % of the cores during most samples.")
    return remarks


def _verdict(row: Row) -> str:
    assert row.target is not None
    assert row.ratio is not None
    if row.ratio >= row.target:
        return f"{row.variant}: aim of {row.target:g} met."
    text = f"{row.variant}: aim of {row.target:g} missed"
    if row.bound is not None and row.bound < row.target:
        return f"{text}; the products of this machine allow {row.bound:.2g} at most."
    return f"{text}."


def _aligned(rows: Sequence[Sequence[str]]) -> list[str]:
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    used = [column for column in range(len(widths)) if any(row[column] for row in rows[1:])]
    return [
        "  ".join(
            row[column].ljust(widths[column]) if column == 0 else row[column].rjust(widths[column])
            for column in used
        ).rstrip()
        for row in rows
    ]


def _markdown_row(cells: Sequence[str]) -> str:
    return "| " + " | ".join(cells) + " |"


def _seconds(seconds: float) -> str:
    for factor, unit in ((1, "s"), (1e3, "ms"), (1e6, "us")):
        if seconds * factor >= 1:
            return f"{seconds * factor:.3g} {unit}"
    return f"{seconds * 1e9:.3g} ns"


def _ratio(ratio: float | None) -> str:
    if ratio is None:
        return ""
    return f"{ratio:,.0f}" if ratio >= 100 else f"{ratio:.3g}"


def _percent(share: float | None) -> str:
    return "" if share is None else f"{100 * share:.0f} %"


def _memory(num_bytes: int) -> str:
    return "" if not num_bytes else f"{num_bytes / 2**30:.2f} GiB"
