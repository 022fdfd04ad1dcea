"""Figure of what a model knows: its numbers beside everything that could explain them, and its lag."""

from collections.abc import Sequence
from typing import Final

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FixedLocator, FuncFormatter
from numpy.typing import NDArray

from cavmae_sync.figures.style import BLUE, GREEN, GREY, MISSING, ORANGE, PURPLE, SMALL, label, new_figure
from cavmae_sync.tasks.retrieval.knowledge import CONTROL_NAMES, Knowledge, Row
from cavmae_sync.tasks.retrieval.matches import DIRECTIONS, Direction

_HEADINGS: Final = {
    "both": "both\n(R@1)",
    "what": "WHAT\n(R@1)",
    "when": "WHEN\n(R@1)",
    "moment": "moment",
    "state": "moment,\nequal states",
}
_MARKS: Final = (0, 1, 5, 10, 25, 50, 100)
#: Offsets drawn to each side, in frames.
_MAX_OFFSET: Final = 8
_DIRECTION_NAMES: Final[dict[Direction, str]] = {
    "audio_to_visual": "sound finds frame",
    "visual_to_audio": "frame finds sound",
}


def knowledge_figure(known: Knowledge, *, title: str = "What the model knows") -> Figure:
    """Figure with bars for each measure, and the moment accuracy over the offset of sound and frame.

    Bars are means of both directions, on a scale of square roots, so that small numbers can be seen beside
    large ones. The model's bar has its 95 % interval; the black line is chance.

    Args:
        known: Numbers of the model and of what stands beside it.
        title: Printed above.
    """
    has_curve = known.report.measures.moments is not None
    figure = new_figure(width_inches=10.5 if has_curve else 5.5, height_inches=4.6)
    figure.suptitle(title)
    if has_curve:
        left, right = figure.subplots(1, 2, width_ratios=(1.5, 1))
        _draw_curve(right, known)
    else:
        left = figure.subplots()
    _draw_bars(left, known)
    return figure


def _draw_bars(axes: Axes, known: Knowledge) -> None:
    series = _series(known)
    width = 0.8 / len(series)
    places = np.arange(len(known.measures))
    for number, (name, rows, colour) in enumerate(series):
        heights = [
            0.0 if row is None else 100 * row.means[m].value
            for row, m in zip(rows, known.measures, strict=True)
        ]
        axes.bar(
            places + (number + 0.5) * width - 0.4,
            heights,
            width,
            label=name,
            color=colour,
            yerr=_whiskers(known) if number == 0 else None,
            error_kw={"capsize": 2, "linewidth": 1},
        )
    for place, measure in zip(places, known.measures, strict=True):
        chance = known.model.means[measure].chance
        if chance is not None:
            axes.plot([place - 0.45, place + 0.45], [100 * chance] * 2, color="black", linewidth=1.5)
    axes.plot([], [], color="black", linewidth=1.5, label="chance")
    _root_scale(axes)
    axes.set_xticks(places, [_HEADINGS[measure] for measure in known.measures])
    axes.figure.legend(*axes.get_legend_handles_labels(), fontsize=SMALL, loc="outside lower left", ncols=4)
    label(
        axes, y="percent right (means of both directions)", title="beside what knows nothing, and the truth"
    )


def _series(known: Knowledge) -> list[tuple[str, Sequence[Row | None], str]]:
    """Bars by name, a row for each measure, and a colour; kinds that were not measured are left out."""
    controls = {name: known.named(name) for name in CONTROL_NAMES.values()}
    kinds: list[tuple[str, list[Row | None], str]] = [
        ("model", [known.model] * len(known.measures), BLUE),
        ("untrained", [controls[CONTROL_NAMES["untrained"]]] * len(known.measures), GREY),
        ("frames of another clip", [controls[CONTROL_NAMES["shuffled"]]] * len(known.measures), MISSING),
        ("best without learning", [known.best(m, "baseline") for m in known.measures], ORANGE),
        ("best linear fit", [known.best(m, "fitted") for m in known.measures], PURPLE),
        ("truth", [known.best(m, "ceiling") for m in known.measures], GREEN),
    ]
    return [(name, rows, colour) for name, rows, colour in kinds if any(rows)]


def _whiskers(known: Knowledge) -> NDArray[np.float64] | None:
    ends: list[tuple[float, float]] = []
    for measure in known.measures:
        value = known.model.means[measure]
        if value.low is None or value.high is None:
            return None
        ends.append((100 * max(value.value - value.low, 0.0), 100 * max(value.high - value.value, 0.0)))
    return np.array(ends).T


def _root_scale(axes: Axes) -> None:
    axes.set_yscale("function", functions=(_root, np.square))
    axes.set_ylim(0, 105)
    axes.yaxis.set_major_locator(FixedLocator(_MARKS))
    axes.yaxis.set_major_formatter(FuncFormatter(_mark))


def _root(values: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.sqrt(np.maximum(values, 0))


def _mark(value: float, _: int | None) -> str:
    return f"{value:.0f}"


def _draw_curve(axes: Axes, known: Knowledge) -> None:
    moments = known.report.measures.moments
    if moments is None:
        return
    for direction, colour in zip(DIRECTIONS, (BLUE, ORANGE), strict=True):
        curve = moments.curve(direction)
        is_near = curve.offsets_K.abs() <= _MAX_OFFSET
        axes.plot(
            curve.offsets_K[is_near].numpy(),
            100 * curve.shares_K[is_near].numpy(),
            "o-" if direction == "audio_to_visual" else "s--",
            color=colour,
            markersize=4,
            label=_DIRECTION_NAMES[direction],
        )
    axes.axhline(100 * moments.chance, color="black", linewidth=1.5, label="chance")
    axes.axvline(0, color=GREY, linewidth=0.8)
    axes.set_ylim(bottom=0)
    axes.legend(fontsize=SMALL)
    label(
        axes, x="sound later than the frame, in frames", y="percent of moments", title="best within the clip"
    )
