"""Figure of a test with planted faults: scores, offsets, and states of videos with a foreign span."""

from collections.abc import Mapping, Sequence
from typing import Final

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import NDArray

from cavmae_sync.figures.style import BLUE, GREY, LARGE, ORANGE, SKY, SMALL, VERMILION, label, new_figure
from cavmae_sync.tasks.agreement.evaluate import AgreementReport
from cavmae_sync.tasks.agreement.planted_metrics import JudgedRow, JudgedVideo
from cavmae_sync.tasks.agreement.planted_videos import PlantedFault
from cavmae_sync.tasks.agreement.states import AgreementState

_COLOURS: Final[dict[AgreementState, str]] = {
    "fits": BLUE,
    "does not fit": VERMILION,
    "silent": "#202020",
    "still": SKY,
    "cannot tell": "#DDDDDD",
}
_HATCHES: Final[dict[AgreementState, str]] = {"does not fit": "///", "silent": "...", "still": "++"}
_MAX_STRIPS: Final = 12


def planted_figure(reports: Mapping[str, AgreementReport]) -> Figure:
    """One row of plots for each report, each judged with a reference.

    Args:
        reports: By name, as `evaluate_agreement` gives them.
    """
    figure = new_figure(width_inches=13, height_inches=0.6 + 3.4 * len(reports))
    figure.suptitle("Planted faults, judged with other clips as reference", fontsize=LARGE)
    axes_grid = figure.subplots(len(reports), 3, width_ratios=(1, 1, 1.5), squeeze=False)
    for (left, middle, right), (name, report) in zip(axes_grid, reports.items(), strict=True):
        rows = report.judged["reference"]
        _draw_scores(left, rows, name)
        _draw_offsets(middle, rows)
        _draw_strips(right, rows)
    return figure


def _with_fault(rows: Sequence[JudgedRow], fault: PlantedFault) -> list[JudgedVideo]:
    return [judged for row in rows for judged in row if judged.video.fault == fault]


def _finite_scores(rows: Sequence[JudgedRow], fault: PlantedFault) -> NDArray[np.float64]:
    found = (judged.agreement.null_percentiles for judged in _with_fault(rows, fault))
    scores = np.concatenate([percentiles.score_T for percentiles in found if percentiles is not None])
    return scores[np.isfinite(scores)]


def _draw_scores(axes: Axes, rows: Sequence[JudgedRow], name: str) -> None:
    kinds: tuple[tuple[PlantedFault, str, str], ...] = (
        ("none", "own sound", ORANGE),
        ("foreign throughout", "foreign sound", BLUE),
    )
    scores = {fault: _finite_scores(rows, fault) for fault, _, _ in kinds}
    bins = np.histogram_bin_edges(np.concatenate(list(scores.values())), bins=40).tolist()
    for fault, text, colour in kinds:
        weights = np.full(len(scores[fault]), 100 / max(len(scores[fault]), 1))
        style = "step" if fault == "none" else "stepfilled"
        axes.hist(
            scores[fault],
            bins=bins,
            weights=weights,
            histtype=style,
            color=colour,
            label=text,
            linewidth=2,
            alpha=1 if fault == "none" else 0.6,
        )
    lowest = rows[0][0].agreement.lowest_score
    if lowest is not None:
        axes.axvline(lowest, color=GREY, linestyle="--", linewidth=1.5, label="low for own sound")
    axes.legend(fontsize=SMALL)
    label(axes, x="deviations above chance (running mean)", y="percent of moments", title=f"{name}: scores")


def _draw_offsets(axes: Axes, rows: Sequence[JudgedRow]) -> None:
    shifted = _with_fault(rows, "shifted")
    axes.plot([-2.2, 2.2], [-2.2, 2.2], color=GREY, linewidth=1)
    found = [(j.video.shift_seconds, j.agreement.offset.seconds) for j in shifted]
    dots = [(planted, seconds) for planted, seconds in found if seconds is not None]
    if dots:
        axes.plot(*zip(*dots, strict=True), "o", color=BLUE, markersize=5, label=f"found ({len(dots)})")
    missed = [planted for planted, seconds in found if seconds is None]
    if missed:
        axes.plot(missed, [-5.4] * len(missed), "x", color=VERMILION, label=f"none found ({len(missed)})")
    axes.set_ylim(-6, 6)
    axes.legend(fontsize=SMALL, loc="upper left")
    label(axes, x="planted shift (s), + is late", y="offset found (s)", title="offsets")


def _draw_strips(axes: Axes, rows: Sequence[JudgedRow]) -> None:
    shown = _with_fault(rows, "foreign span")[:_MAX_STRIPS]
    for number, judged in enumerate(shown):
        for span in judged.agreement.spans:
            axes.barh(
                number,
                span.duration_seconds,
                left=span.start_seconds,
                height=0.62,
                color=_COLOURS[span.state],
                hatch=_HATCHES.get(span.state, ""),
                edgecolor="white",
                linewidth=0,
            )
        if judged.video.fault_span is not None:
            axes.plot(
                judged.video.fault_span,
                [number - 0.42] * 2,
                color="black",
                linewidth=3,
                solid_capstyle="butt",
            )
    for state in ("fits", "does not fit", "cannot tell"):
        axes.barh(0, 0, color=_COLOURS[state], hatch=_HATCHES.get(state, ""), edgecolor="white", label=state)
    axes.plot([], [], color="black", linewidth=3, label="planted foreign sound")
    axes.set_ylim(len(shown) - 0.4, -2.6)
    axes.set_yticks([])
    axes.legend(fontsize=SMALL, loc="upper center", ncols=4)
    label(axes, x="time (s)", y="videos", title="foreign sound in a span")
