"""Table of what a model knows, and the same as JSON values."""

from typing import Any, Final

from rich.table import Table

from cavmae_sync.safe_text import cell_text, table_caption, table_title
from cavmae_sync.tasks.retrieval.knowledge import Knowledge, Row
from cavmae_sync.tasks.retrieval.verdict import verdicts

HEADINGS: Final = {
    "both": "both R@1",
    "what": "WHAT R@1",
    "when": "WHEN R@1",
    "moment": "moment",
    "state": "equal states",
}
_GROUPS: Final = {"baseline": "no learning:", "fitted": "linear fits:", "ceiling": "the truth:"}
_NOTE: Final = (
    "Percent, means of both directions. WHAT: frames of each clip in another order. WHEN: mean of each clip "
    "removed. moment: which sound of the clip belongs to a frame, and the other way round."
)


def knowledge_table(known: Knowledge, *, title: str = "what it knows") -> Table:
    """Table with a row for the model and for each thing that it must be compared with. Print it with rich."""
    hidden = len(known.rows) - len(known.shown())
    note = (
        f" {hidden} more rules that learn nothing are best in no column; --json has them." if hidden else ""
    )
    table = Table(
        title=table_title(title),
        caption=table_caption([_NOTE + note]),
        caption_justify="left",
        title_justify="left",
    )
    table.add_column("")
    for measure in known.measures:
        table.add_column(HEADINGS[measure], justify="right")
    chances = (known.model.means[measure].chance_text() for measure in known.measures)
    table.add_row("chance", *(text.removesuffix(" %") for text in chances))
    previous = None
    for row in known.shown():
        if row.group != previous:
            table.add_section()
            if row.group in _GROUPS:
                table.add_row(_GROUPS[row.group])
        previous = row.group
        table.add_row(cell_text(row.name), *(cell(row, measure) for measure in known.measures))
    return table


def cell(row: Row, measure: str) -> str:
    """Mean of both directions in percent, for example "22.8"; nothing where it was not measured."""
    return f"{100 * row.means[measure].value:.1f}" if measure in row.means else ""


def knowledge_dict(known: Knowledge) -> dict[str, Any]:
    """Verdicts and all rows as JSON values; fractions stay in [0, 1]."""
    return {
        "verdicts": [verdict.to_dict() for verdict in verdicts(known)],
        "rows": [row.to_dict() for row in known.rows],
    }
