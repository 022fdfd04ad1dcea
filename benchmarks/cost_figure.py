"""Figure of cost against size."""

from collections.abc import Callable, Sequence
from pathlib import Path

from benchmarks.result import PartResult, Row

#: Panels: title, and the number of a row.
_PANELS: tuple[tuple[str, Callable[[Row], float]], ...] = (
    ("seconds", lambda row: row.seconds),
    ("megabytes on disk", lambda row: row.numbers["bytes"] / 1e6),
    ("peak memory, GiB", lambda row: row.peak_bytes / 2**30),
)
_NAMES = {"cost-preparation": "preparation", "cost-embedding": "embedding"}


def draw_cost(results: Sequence[PartResult], path: Path) -> bool:
    """Draw time, storage and peak memory over the number of clips.

    Returns:
        False where no part has rows of several sizes, so that there is nothing to draw.
    """
    lines = {name: rows for result in results if len(rows := _sizes(result)) > 1 and (name := result.name)}
    if not lines:
        return False
    from cavmae_sync.figures.style import BLUE, SMALL, VERMILION, label, new_figure, save_figure

    figure = new_figure(width_inches=10.5, height_inches=3.4)
    for axes, (title, value) in zip(figure.subplots(1, len(_PANELS)), _PANELS, strict=True):
        for (name, rows), colour, marker in zip(lines.items(), (BLUE, VERMILION), "os", strict=False):
            clips = [row.numbers["clips"] for row in rows]
            numbers = [value(row) for row in rows]
            axes.plot(clips, numbers, color=colour, marker=marker, label=_NAMES.get(name, name))
            if title == "seconds":
                lows, highs = [row.fastest for row in rows], [row.slowest for row in rows]
                axes.fill_between(clips, lows, highs, color=colour, alpha=0.2, linewidth=0)
        label(axes, x="clips of ten seconds", title=title)
        axes.set_xticks(clips)
        axes.set_xlim(0, None)
        highest = max(value(row) for rows in lines.values() for row in rows)
        axes.set_ylim(0, 1.4 * highest)  # room for the names
        axes.grid(alpha=0.3)
        axes.legend(fontsize=SMALL, frameon=False, loc="upper left")
    figure.suptitle(
        "Cost against the number of clips: straight lines are aimed at, level ones for memory",
        fontsize=11,
        x=0.01,
        ha="left",
    )
    save_figure(figure, path)
    return True


def _sizes(result: PartResult) -> list[Row]:
    """Rows that know how many clips they are about, in ascending order."""
    rows = [row for row in result.rows if not row.error and "clips" in row.numbers]
    return sorted(rows, key=lambda row: row.numbers["clips"])
