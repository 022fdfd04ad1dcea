"""Page of results: one HTML file with its figures inside, which can be sent as it is."""

import base64
import html
import io
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from matplotlib.figure import Figure

from cavmae_sync.atomic import write_text
from cavmae_sync.figures.style import without_formulas

_STYLE = """
:root { color-scheme: light; }
body { font: 16px/1.55 system-ui, sans-serif; color: #1d2330; background: #f6f7f9; margin: 0; }
main { max-width: 62rem; margin: 0 auto; padding: 2rem 1.25rem 4rem; }
h1 { font-size: 1.9rem; line-height: 1.2; margin: 0 0 .5rem; }
h2 { font-size: 1.25rem; margin: 0 0 .5rem; }
section { background: #fff; border: 1px solid #e2e5ea; border-radius: 10px; }
section { padding: 1.25rem 1.5rem; margin: 1.25rem 0; }
p { margin: .4rem 0; max-width: 46rem; }
.lead { font-size: 1.1rem; }
.figures { display: flex; flex-wrap: wrap; gap: .75rem; justify-content: center; margin-top: .75rem; }
img { max-width: 100%; height: auto; display: block; }
table { border-collapse: collapse; margin: .75rem 0; font-variant-numeric: tabular-nums; }
th, td { text-align: left; padding: .3rem .9rem .3rem 0; border-bottom: 1px solid #e8eaee; }
th { vertical-align: bottom; }
.number { text-align: right; }
td.number { white-space: nowrap; }
code { font: .92em ui-monospace, monospace; background: #eef0f3; padding: .1em .35em; border-radius: 4px; }
footer { color: #596172; font-size: .9rem; overflow-wrap: anywhere; }
@media (max-width: 46rem) {
  main { padding: 1rem .75rem 2rem; }
  section { padding: .9rem .9rem 1.1rem; }
  h1 { font-size: 1.5rem; }
  thead { display: none; }
  table, tbody, tr, td { display: block; width: 100%; }
  tr { padding: .6rem 0; border-bottom: 1px solid #e8eaee; }
  td { display: flex; justify-content: space-between; gap: 1rem; padding: .1rem 0; border: 0; }
  td::before { content: attr(data-name); color: #596172; text-align: left; }
  td:first-child { display: block; font-weight: 600; overflow-wrap: anywhere; }
  td:first-child::before { content: none; }
}
"""


@dataclass(frozen=True, kw_only=True, slots=True)
class Section:
    """Section of a page: a heading, paragraphs, a table, and figures with their descriptions."""

    title: str
    paragraphs: Sequence[str] = ()
    header: Sequence[str] = ()
    rows: Sequence[Sequence[str]] = ()
    figures: Sequence[tuple[Figure, str]] = ()


def write_page(
    path: Path, *, title: str, lead: str, sections: Sequence[Section], footer: str, dots_per_inch: int = 110
) -> None:
    """Write a self-contained HTML page, atomically. Texts are escaped.

    Args:
        path: File to write.
        title: Heading of the page.
        lead: Result in one or two sentences.
        sections: Sections below it.
        footer: Description of how the results were made.
        dots_per_inch: Resolution of the figures.
    """
    body = "".join(_section(section, dots_per_inch) for section in sections)
    write_text(path, page_text(title=title, lead=lead, body=body, footer=footer))


def page_text(*, title: str, lead: str, body: str, footer: str, head: str = "") -> str:
    """Text of a self-contained HTML page. All but `body` and `head` is escaped.

    Args:
        title: Heading of the page.
        lead: Result in one or two sentences.
        body: HTML of the sections.
        footer: Description of how the results were made.
        head: HTML that goes to the end of the head: rules of style, for one.
    """
    return (
        f'<!doctype html>\n<html lang="en"><head><meta charset="utf-8">'
        f'<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>{html.escape(title)}</title><style>{_STYLE}</style>{head}</head><body><main>"
        f'<h1>{html.escape(title)}</h1><p class="lead">{html.escape(lead)}</p>{body}'
        f"<footer><p>{html.escape(footer)}</p></footer></main></body></html>\n"
    )


def _section(section: Section, dots_per_inch: int) -> str:
    paragraphs = "".join(f"<p>{html.escape(text)}</p>" for text in section.paragraphs)
    figures = "".join(
        f'<img alt="{html.escape(description, quote=True)}" '
        f'src="data:image/png;base64,{_png(figure, dots_per_inch)}">'
        for figure, description in section.figures
    )
    if figures:
        figures = f'<div class="figures">{figures}</div>'
    return f"<section><h2>{html.escape(section.title)}</h2>{paragraphs}{_table(section)}{figures}</section>"


def _table(section: Section) -> str:
    if not section.rows:
        return ""
    kinds = [' class="number"' if _are_numbers(column) else "" for column in zip(*section.rows, strict=True)]
    head = "".join(
        f"<th{kind}>{html.escape(name)}</th>" for name, kind in zip(section.header, kinds, strict=True)
    )
    rows = "".join(_row(row, section.header, kinds) for row in section.rows)
    return f"<table><thead><tr>{head}</tr></thead><tbody>{rows}</tbody></table>"


def _row(cells: Sequence[str], header: Sequence[str], kinds: Sequence[str]) -> str:
    """Row whose cells carry the names of their columns: on a small screen they are shown below each other."""
    made = (
        f'<td{kind} data-name="{html.escape(name, quote=True)}">{html.escape(cell)}</td>'
        for cell, name, kind in zip(cells, header, kinds, strict=True)
    )
    return f"<tr>{''.join(made)}</tr>"


def _are_numbers(cells: Sequence[str]) -> bool:
    """Whether all cells of a column are numbers, which are aligned to the right."""
    return any(cells) and all(cell[:1] in "+-−.0123456789" for cell in cells)


def _png(figure: Figure, dots_per_inch: int) -> str:
    buffer = io.BytesIO()
    without_formulas(figure)
    figure.savefig(buffer, format="png", dpi=dots_per_inch)
    return base64.b64encode(buffer.getvalue()).decode("ascii")
