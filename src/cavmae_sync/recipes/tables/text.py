"""A table as text, JSON or figure: measured cells with deviations, published ones beside them."""

import statistics
from collections.abc import Sequence
from dataclasses import asdict
from importlib.metadata import version
from typing import Any

from matplotlib.figure import Figure
from rich.table import Table

from cavmae_sync.figures.tables import Series, table_figure
from cavmae_sync.metrics.paired import mean_half_width
from cavmae_sync.recipes.tables.table_result import Cell, TableResult
from cavmae_sync.safe_text import table_caption, table_title
from cavmae_sync.stage.config import STAGE_VERSION

_NO_SOURCE = "·"


def to_tables(result: TableResult) -> list[Table]:
    """Tables for a terminal: measured cells, then published ones for the same rows. Print with rich."""
    published = Table(title="the paper", title_justify="left")
    measured = Table(title=table_title(result.table.title, "measured"), title_justify="left")
    tables = [measured, published] if result.table.published_columns else [measured]
    for table, headings, cells in (
        (measured, result.columns, _measured),
        (published, result.table.published_columns, _published),
    ):
        table.add_column("", no_wrap=True)
        for heading in headings:
            table.add_column(heading, justify="right")
        for row in result.table.rows:
            table.add_row(row.name, *cells(result, row.name))
    tables[-1].caption, tables[-1].caption_justify = table_caption(_notes(result)), "left"
    return tables


def to_markdown(result: TableResult) -> str:
    """Markdown: title, table, notes."""
    headings = ["", *result.columns, *(f"paper: {name}" for name in result.table.published_columns)]
    lines = [
        f"# {result.table.title}",
        "",
        markdown_row(headings),
        markdown_row(["---", *("---:" for _ in headings[1:])]),
        *(
            markdown_row([row.name, *_measured(result, row.name), *_published(result, row.name)])
            for row in result.table.rows
        ),
    ]
    return "\n".join([*lines, "", *(f"{note}  " for note in _notes(result))]) + "\n"


def to_dict(result: TableResult) -> dict[str, Any]:
    """JSON values: measured cells as fractions for each seed, published ones in percent as printed."""
    return {
        "table": result.table.name,
        "title": result.table.title,
        "note": result.table.note,
        "config": result.config.model_dump(mode="json"),
        "is_complete": result.is_complete,
        "version": {name: version(name) for name in ("cavmae-sync", "torch")},
        "stage_version": STAGE_VERSION if result.config.scale == "stage" else None,
        "rows": [
            {
                "name": row.name,
                "recipe": row.training.recipe,
                "num_training_frames": row.training.num_frames,
                "control": row.control,
                "measured": {
                    heading: _cell_values(result.cells[row.name, heading]) for heading in result.columns
                },
                "published_percent": dict(row.published),
                "cost": asdict(result.costs[row.name]) if row.name in result.costs else None,
            }
            for row in result.table.rows
        ],
    }


def to_figure(result: TableResult) -> Figure:
    """Figure: bars for each row, or a curve if rows are lengths; dots for seeds, controls in grey."""
    rows = [row for row in result.table.rows if not row.training.is_untrained]

    def values(row: str | None, heading: str) -> tuple[float, ...]:
        return () if row is None else tuple(result.cells[row, heading].by_seed.values())

    return table_figure(
        [
            Series(
                name=heading,
                values=[values(row.name, heading) for row in rows],
                untrained=[values(row.control, heading) for row in rows],
            )
            for heading in result.columns
        ],
        rows=[row.name for row in rows],
        title=result.table.title,
        is_curve=result.table.is_curve,
    )


def _measured(result: TableResult, row: str) -> list[str]:
    return [_cell_text(result.cells[row, heading]) for heading in result.columns]


def _published(result: TableResult, row: str) -> list[str]:
    published = next(each.published for each in result.table.rows if each.name == row)
    columns = result.table.published_columns
    return [f"{published[name]:.1f}" if name in published else _NO_SOURCE for name in columns]


def _cell_text(cell: Cell) -> str:
    return percent_text(list(cell.by_seed.values())) if cell.by_seed else cell.reason


def percent_text(values: list[float]) -> str:
    """Mean of fractions over seeds in percent, with half of its 95 % interval if there are several."""
    mean = f"{100 * statistics.fmean(values):.1f}"
    return f"{mean} ± {100 * mean_half_width(values):.1f}" if len(values) > 1 else mean


def _cell_values(cell: Cell) -> dict[str, Any]:
    values = list(cell.by_seed.values())
    if not values:
        return {"reason": cell.reason}
    return {
        "mean": statistics.fmean(values),
        "deviation": statistics.stdev(values) if len(values) > 1 else None,
        "half_width": mean_half_width(values) if len(values) > 1 else None,
        "by_seed": dict(cell.by_seed),
    }


def _notes(result: TableResult) -> list[str]:
    seeds = sorted({seed for cell in result.cells.values() for seed in cell.by_seed})
    counts = {len(cell.by_seed) for cell in result.cells.values()}
    other = "the same" if result.config.test_objects == "known" else "other"
    what = (
        f"Measured: {result.config.num_train_clips} generated clips, small twins, "
        f"{result.config.num_epochs} epochs, {result.config.num_test_clips} test clips of {other} objects; "
        "not comparable with the paper's numbers, only row with row."
        if result.config.scale == "stage"
        else "Measured: the published sizes on the given data."
    )
    spread = "Mean ± half of the 95 % interval over seeds" if len(seeds) > 1 else "Seeds"
    uneven = "; cells have different numbers of seeds" if len(counts - {0}) > 1 else ""
    return [
        f"{what} {spread}: {', '.join(map(str, seeds)) or 'none yet'}{uneven}.",
        f"Percent. {_NO_SOURCE} = no source at hand gives the paper's number. {result.table.note}".strip(),
    ]


def markdown_row(cells: Sequence[str]) -> str:
    """Row of a table in Markdown."""
    return f"| {' | '.join(cells)} |"
