"""Curves of a training run."""

from collections.abc import Mapping, Sequence
from typing import Any, Final

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from cavmae_sync.figures.style import (
    BLUE,
    GREEN,
    LARGE,
    NORMAL,
    ORANGE,
    PURPLE,
    SKY,
    SMALL,
    VERMILION,
    label,
    new_figure,
)

#: Numbers shown first, in this order; other numbers of the log follow.
_FIRST: Final = (
    "total",
    "contrastive",
    "contrastive_accuracy",
    "audio_reconstruction",
    "visual_reconstruction",
    "learning_rate",
)
_NOT_CURVES: Final = frozenset({"kind", "step", "epoch"})
_COLOURS: Final = (BLUE, VERMILION, GREEN, PURPLE, ORANGE, SKY)
_MARKERS: Final = ("", "o", "s", "^", "D", "v")
_PANELS_PER_ROW: Final = 3


def training_curves(rows: Sequence[Mapping[str, Any]], *, title: str = "Training") -> Figure:
    """Figure with one panel per logged number, and one line per kind of row (train, validation, ...).

    Args:
        rows: Rows of `metrics.jsonl`: `kind`, `step` and numbers by name.
        title: Printed above.

    Raises:
        ValueError: The rows hold no number.
    """
    names = _panel_names(rows)
    if not names:
        raise ValueError(f"The {len(rows)} rows of the log hold no number to draw. Train a few steps first.")
    kinds = list(dict.fromkeys(str(row["kind"]) for row in rows))
    num_rows = -(-len(names) // _PANELS_PER_ROW)
    num_columns = min(len(names), _PANELS_PER_ROW)
    figure = new_figure(width_inches=3.8 * num_columns, height_inches=2.7 * num_rows + 0.5)
    figure.suptitle(title, fontsize=LARGE)
    panels = figure.subplots(num_rows, num_columns, squeeze=False).flatten()
    for panel, name in zip(panels, names, strict=False):
        _draw_curves(panel, rows, name, kinds)
    for unused in panels[len(names) :]:
        unused.axis("off")
    return figure


def curve_figure(rows: Sequence[Mapping[str, Any]], name: str, *, title: str) -> Figure:
    """Figure of one logged number over steps, for small screens.

    Args:
        rows: Rows of `metrics.jsonl`.
        name: Name of the number.
        title: Printed above.
    """
    figure = new_figure(width_inches=4.1, height_inches=2.8)
    axes = figure.subplots()
    _draw_curves(axes, rows, name, list(dict.fromkeys(str(row["kind"]) for row in rows)))
    axes.set_title(title, fontsize=NORMAL, loc="left")
    return figure


def _panel_names(rows: Sequence[Mapping[str, Any]]) -> list[str]:
    found = dict.fromkeys(
        name
        for row in rows
        for name, value in row.items()
        if name not in _NOT_CURVES and isinstance(value, int | float)
    )
    return [name for name in _FIRST if name in found] + [name for name in found if name not in _FIRST]


def _draw_curves(axes: Axes, rows: Sequence[Mapping[str, Any]], name: str, kinds: Sequence[str]) -> None:
    for k, kind in enumerate(kinds):
        points = [
            (row["step"], row[name]) for row in rows if row["kind"] == kind and row.get(name) is not None
        ]
        if not points:
            continue
        steps, values = zip(*points, strict=True)
        marker = _MARKERS[k % len(_MARKERS)] or ("o" if len(points) == 1 else "")
        axes.plot(
            steps,
            values,
            color=_COLOURS[k % len(_COLOURS)],
            marker=marker,
            markersize=4,
            linewidth=1.5,
            label=kind,
        )
    axes.legend(fontsize=SMALL)
    axes.grid(alpha=0.25)
    axes.ticklabel_format(axis="y", scilimits=(-3, 5))
    axes.yaxis.get_offset_text().set_fontsize(SMALL)
    label(axes, x="step", y=_unit(name), title=name.replace("_", " "))


def _unit(name: str) -> str:
    if name.endswith("accuracy") or "recall" in name:
        return "fraction"
    if "contrastive" in name:
        return "nats"
    if name.endswith("per_second"):
        return "per second"
    return "loss" if name in _FIRST and name != "learning_rate" else ""
