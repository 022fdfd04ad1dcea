"""Figures of classification: scores of each class, confusions, training curves, and classes over time.

Letters: N clips or spans, C classes, K drawn columns, H W pixels.
"""

from collections.abc import Mapping, Sequence
from typing import Any, Final

import numpy as np
import torch
from matplotlib.axes import Axes
from matplotlib.colors import Normalize
from matplotlib.figure import Figure
from numpy.typing import NDArray

from cavmae_sync.figures.style import (
    BLUE,
    ENERGIES,
    GREY,
    LARGE,
    MISSING,
    NORMAL,
    SCORES,
    SMALL,
    VERMILION,
    drawable,
    label,
    new_figure,
    time_axis,
    without_ticks,
)
from cavmae_sync.figures.training import training_curves
from cavmae_sync.maps import colour_scale
from cavmae_sync.media.clock import clock
from cavmae_sync.metrics.classification import chance_average_precision, confusion_matrix
from cavmae_sync.tasks.classification.evaluate import ClassificationReport, ClassScore
from cavmae_sync.tasks.classification.video_classes import VideoClasses

#: Bars of one figure; of more classes only the best and the worst are drawn.
_MAX_BARS: Final = 60
#: Rows of a confusion matrix that still have names and numbers.
_MAX_NAMED: Final = 40
_MAX_NUMBERED: Final = 25
#: Rows and columns of classes over time.
_NUM_ROWS: Final = 10
_MAX_COLUMNS: Final = 600
_NUM_FRAMES: Final = 12
#: Longer names of classes are cut.
_MAX_LETTERS: Final = 32


def class_scores_figure(report: ClassificationReport, *, title: str = "Average precision by class") -> Figure:
    """Figure with a bar for each class, the best on top, with the number of its clips and chance.

    Args:
        report: Its classes without positives are named below. Above 60 classes, the best and the worst 30 are
            drawn.
        title: Printed above.

    Raises:
        ValueError: No class has positives.
    """
    scores = sorted(
        (score for score in report.class_scores if score.average_precision is not None), key=_precision
    )[::-1]
    if not scores:
        raise ValueError("No class has positives, so there is no average precision to draw.")
    left_out = len(scores) - _MAX_BARS
    if left_out > 0:
        scores = [*scores[: _MAX_BARS // 2], *scores[-_MAX_BARS // 2 :]]
    figure = new_figure(width_inches=8.5, height_inches=1.6 + 0.24 * len(scores))
    mean = report.metrics["mean_average_precision"].value
    figure.suptitle(f"{title}: mean {mean * 100:.1f} %", fontsize=LARGE, x=0.01, ha="left")
    axes = figure.subplots()
    _draw_bars(axes, scores, num_clips=len(report.scores_NC))
    axes.axvline(mean * 100, color=GREY, linestyle="--", linewidth=1, label="mean over classes")
    figure.legend(loc="outside lower center", ncols=3, fontsize=SMALL)
    notes = []
    if left_out > 0:
        axes.axhline(_MAX_BARS / 2 - 0.5, color=GREY, linewidth=1)
        notes.append(f"the best and the worst {_MAX_BARS // 2} classes; not drawn: {left_out} between them")
    if report.classes_excluded:
        notes.append(f"classes without clips, left out: {len(report.classes_excluded)}")
    label(axes, x="average precision (%)", title="\n".join(notes))
    return figure


def _precision(score: ClassScore) -> tuple[float, str]:
    return score.average_precision or 0.0, score.name


def _draw_bars(axes: Axes, scores: Sequence[ClassScore], *, num_clips: int) -> None:
    places = np.arange(len(scores))
    values = [100 * _precision(score)[0] for score in scores]
    axes.barh(places, values, color=BLUE, height=0.75, label="average precision")
    chances = [100 * chance_average_precision(score.num_positives, num_clips) for score in scores]
    axes.plot(chances, places, "|", color=VERMILION, markersize=9, markeredgewidth=2, label="chance")
    axes.set_yticks(places, [_short(score.name) for score in scores], fontsize=SMALL)
    axes.set_ylim(len(scores) - 0.4, -0.6)
    axes.set_xlim(0, 100)
    right = axes.secondary_yaxis("right")
    right.set_yticks(places, [str(score.num_positives) for score in scores], fontsize=SMALL)
    right.set_ylabel(f"clips of the class, of {num_clips}", fontsize=NORMAL)
    right.tick_params(length=0)
    axes.grid(axis="x", alpha=0.25)
    axes.set_axisbelow(True)


def confusion_figure(report: ClassificationReport, *, title: str = "Confusion matrix") -> Figure:
    """Figure of the confusion matrix: true classes (rows), predicted classes (columns), percent of a row.

    Args:
        report: Of clips with exactly one class each.
        title: Printed above.

    Raises:
        ValueError: A clip has not exactly one class.
    """
    counts_CC = confusion_matrix(report.scores_NC, report.is_true_NC).numpy()
    sums_C = counts_CC.sum(axis=1, keepdims=True)
    shares_CC = np.divide(counts_CC, sums_C, out=np.full_like(counts_CC, np.nan), where=sums_C > 0) * 100
    num_classes = len(shares_CC)
    side = float(np.clip(0.34 * num_classes, 3.5, 11))
    figure = new_figure(width_inches=side + 3.2, height_inches=side + 2.2)
    accuracy = counts_CC.trace() / counts_CC.sum()
    figure.suptitle(f"{title}: {accuracy * 100:.1f} % right", fontsize=LARGE, x=0.01, ha="left")
    axes = figure.subplots()
    image = axes.imshow(np.ma.masked_invalid(shares_CC), cmap=SCORES, vmin=0, vmax=100)
    if num_classes <= _MAX_NAMED:
        names = [_short(score.name) for score in report.class_scores]
        rows = [f"{name} ({int(total)})" for name, total in zip(names, sums_C[:, 0], strict=True)]
        axes.set_xticks(np.arange(num_classes), names, rotation=90)
        axes.set_yticks(np.arange(num_classes), rows)
    if num_classes <= _MAX_NUMBERED:
        _write_numbers(axes, shares_CC)
    note = "grey rows have no clips" if (sums_C == 0).any() else ""
    has_names = num_classes <= _MAX_NAMED
    label(
        axes,
        x="predicted" if has_names else "number of the predicted class",
        y="class (and number of clips)" if has_names else "class number",
        title=note,
    )
    bar = figure.colorbar(image, ax=axes, shrink=0.8)
    bar.set_label("percent of the clips of a class", fontsize=NORMAL)
    bar.ax.tick_params(labelsize=SMALL)
    return figure


def _write_numbers(axes: Axes, shares_CC: NDArray[np.float64]) -> None:
    for row, column in zip(*np.nonzero(np.nan_to_num(shares_CC) >= 0.5), strict=True):
        value = shares_CC[row, column]
        colour = "black" if value > 60 else "white"
        axes.text(column, row, f"{value:.0f}", ha="center", va="center", fontsize=SMALL, color=colour)


def classifier_curves(
    rows: Sequence[Mapping[str, Any]], *, title: str = "Training of the classifier"
) -> Figure:
    """Figure of loss and score by epoch, with one line per learning rate tried and one for the last training.

    Args:
        rows: Rows of the `metrics.jsonl` of `cavmae-sync probe`; their step is the epoch.
        title: Printed above.

    Raises:
        ValueError: The rows hold no number.
    """
    figure = training_curves(rows, title=title)
    for axes in figure.axes:
        if axes.get_xlabel():
            axes.set_xlabel("epoch")
            axes.set_ylabel("")
    return figure


def classes_over_time_figure(found: VideoClasses, *, title: str = "Classes over time") -> Figure:
    """Figure of the most probable classes (rows) over time (columns), with frames of the video below.

    Rows are the ten classes with the highest probability in any clip. Where there are more moments than
    columns, a column shows the maximum of several. With maps, the frames follow once more, paled, each with
    the map of the sound around it.

    Args:
        found: Classes of the video.
        title: Printed above.
    """
    peaks_C = found.clips.probabilities_NC.max(axis=0)
    rows = np.argsort(-peaks_C, kind="stable")[:_NUM_ROWS]
    heights = [0.34 * len(rows), 1.05, *([] if found.maps_THW is None else [1.05])]
    figure = new_figure(width_inches=11, height_inches=1.85 + sum(heights))
    figure.suptitle(title, fontsize=LARGE, x=0.01, ha="left")
    upper, lower, *more = np.atleast_1d(figure.subplots(len(heights), 1, height_ratios=heights))
    num_merged = _draw_heat(upper, found, rows)
    merged = "" if num_merged == 1 else f"; a column is the maximum of {num_merged} moments"
    label(
        upper,
        title=f"each moment by its ten seconds and a window of {found.window_seconds:g} s around it{merged}",
    )
    _draw_strip(lower, found)
    for axes in more:
        _draw_strip(axes, found, with_maps=True)
    return figure


def _draw_heat(axes: Axes, found: VideoClasses, rows: NDArray[np.intp]) -> int:
    values_NC = found.moments.probabilities_NC[:, rows]
    num_merged = -(-len(values_NC) // _MAX_COLUMNS)
    starts = np.arange(0, len(values_NC), num_merged)
    values_KC = np.maximum.reduceat(values_NC, starts, axis=0)
    edges = np.append(found.moments.start_seconds_N[starts], found.moments.stop_seconds_N[-1])
    mesh = axes.pcolormesh(
        edges, np.arange(len(rows) + 1), 100 * values_KC.T, cmap=SCORES, vmin=0, vmax=100, edgecolors="none"
    )
    for border in range(1, len(rows)):
        axes.axhline(border, color="white", linewidth=1.5)
    axes.invert_yaxis()
    axes.set_yticks(
        np.arange(len(rows)) + 0.5,
        [_short(found.classes[c]) for c in rows],
        fontsize=NORMAL,
    )
    axes.tick_params(axis="y", length=0)
    time_axis(axes, float(found.moments.start_seconds_N[0]), float(found.moments.stop_seconds_N[-1]))
    bar = axes.figure.colorbar(mesh, ax=axes, pad=0.01)
    bar.set_label("probability (%)", fontsize=NORMAL)
    bar.ax.tick_params(labelsize=SMALL)
    return num_merged


def _draw_strip(axes: Axes, found: VideoClasses, *, with_maps: bool = False) -> None:
    """Draw frames side by side, with their times, or paled with their maps."""
    chosen = np.unique(np.linspace(0, len(found.frames_THWC) - 1, _NUM_FRAMES).round().astype(int))
    width = 1 / max(len(chosen), 8)
    for place, frame in enumerate(chosen.tolist()):
        left = (place + 0.5) / len(chosen) - width / 2
        inset = axes.inset_axes((left + 0.02 * width, 0, 0.96 * width, 0.85))
        inset.imshow(found.frames_THWC[frame], interpolation="antialiased", alpha=0.4 if with_maps else 1.0)
        if with_maps:
            _draw_map(inset, found, frame)
        else:
            inset.set_title(clock(found.frame_seconds_T[frame], with_tenths=True), fontsize=SMALL, pad=2)
        inset.axis("off")
    if with_maps and found.maps_by is not None:
        label(axes, title=f"where the sound is (bright): {found.maps_by.unit_text}")
    axes.set_frame_on(False)
    without_ticks(axes)
    axes.set_facecolor(MISSING)


def _draw_map(axes: Axes, found: VideoClasses, frame: int) -> None:
    """Draw the map of a frame over it; a colour means the same in all frames."""
    assert found.maps_THW is not None
    assert found.maps_by is not None
    low, high = colour_scale(torch.from_numpy(found.maps_THW), found.maps_by.map)
    height, width = found.frames_THWC.shape[1:3]
    axes.imshow(
        found.maps_THW[frame],
        cmap=ENERGIES,
        norm=Normalize(low, high),
        alpha=np.clip((found.maps_THW[frame] - low) / (high - low), 0, 0.75),
        extent=(-0.5, width - 0.5, height - 0.5, -0.5),
        interpolation="bilinear",
    )


def _short(name: str) -> str:
    return drawable(name, max_letters=_MAX_LETTERS)
