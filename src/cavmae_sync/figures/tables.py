"""Tables of results as figures: dots for seeds of a row, their mean as a bar or a curve, controls in grey."""

import textwrap
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import NDArray

from cavmae_sync.figures.style import BLUE, GREY, LARGE, ORANGE, SMALL, label, new_figure

_PLOTS_A_LINE: Final = 3
#: Longest line of the name of a row, in letters: a longer one would leave its plot no room.
_NAME_LETTERS: Final = 20


@dataclass(frozen=True, kw_only=True, slots=True)
class Series:
    """One column of a table.

    Attributes:
        name: Heading of the column.
        values: Fractions for each row, one per seed; none where nothing was run.
        untrained: The same of each row's untrained model; empty where there are none.
    """

    name: str
    values: Sequence[Sequence[float]]
    untrained: Sequence[Sequence[float]] = ()


def table_figure(
    columns: Sequence[Series], *, rows: Sequence[str], title: str, is_curve: bool = False
) -> Figure:
    """Figure with one plot for each column of a table.

    Args:
        columns: Columns of the table.
        rows: Names of the rows, along the axis.
        title: Printed above.
        is_curve: Whether the rows are points of a curve, in order.
    """
    num_lines = -(-len(columns) // _PLOTS_A_LINE)
    figure = new_figure(width_inches=11, height_inches=0.7 + num_lines * (0.9 + 0.33 * len(rows)))
    figure.suptitle(title, fontsize=LARGE)
    grid = figure.subplots(num_lines, min(len(columns), _PLOTS_A_LINE), squeeze=False)
    for axes, series in zip(grid.flat, columns, strict=False):
        _draw(axes, series, rows, is_curve=is_curve)
    for axes in list(grid.flat)[len(columns) :]:
        axes.set_visible(False)
    return figure


def _draw(axes: Axes, series: Series, rows: Sequence[str], *, is_curve: bool) -> None:
    places = np.arange(len(rows))
    means, untrained = _percent_means(series.values), _percent_means(series.untrained)
    has_untrained = bool(np.isfinite(untrained).any())
    if is_curve:
        axes.plot(places, means, color=BLUE, marker="o", zorder=2)
    else:
        axes.barh(places, means, color=BLUE, alpha=0.6, height=0.7, zorder=2)
    if has_untrained and is_curve:
        axes.plot(places, untrained, color=GREY, marker="_", zorder=1)
    elif has_untrained:
        axes.vlines(untrained, places - 0.4, places + 0.4, color=GREY, linewidth=2.5, zorder=2.5)
    for place, values in zip(places, series.values, strict=True):
        percent = [100 * value for value in values]
        along = [place] * len(percent)
        axes.scatter(*((along, percent) if is_curve else (percent, along)), color=ORANGE, s=18, zorder=3)
        if not percent and not is_curve:
            axes.text(0, float(place), " not run", va="center", fontsize=SMALL, color=GREY)
    if is_curve:
        axes.set_xticks(places, rows)
        axes.set_ylim(bottom=0)
        grey = "; grey: untrained" if has_untrained else ""
        label(axes, x="length of the sound", y=f"percent{grey}", title=series.name)
    else:
        axes.set_yticks(places, [textwrap.fill(row, _NAME_LETTERS) for row in rows])
        axes.set_ylim(len(rows) - 0.5, -0.5)  # also where the first or last row has no bar
        axes.set_xlim(left=0)
        grey = "\ngrey: untrained" if has_untrained else ""
        label(axes, x=f"percent; dots: seeds{grey}", title=series.name)


def _percent_means(rows: Sequence[Sequence[float]]) -> NDArray[np.float64]:
    return np.array([100 * np.mean(values) if len(values) else np.nan for values in rows])
