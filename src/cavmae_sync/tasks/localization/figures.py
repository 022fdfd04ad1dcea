"""Figures of localisation: examples with map and truth, and one moment of a video with its map.

Letters: H W pixels, C colours.
"""

from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.cm import ScalarMappable
from matplotlib.colors import ListedColormap, Normalize
from matplotlib.figure import Figure
from numpy.typing import NDArray

from cavmae_sync.figures.style import (
    BLUE,
    ENERGIES,
    LARGE,
    NORMAL,
    SMALL,
    VERMILION,
    label,
    new_figure,
    without_ticks,
)
from cavmae_sync.tasks.localization.evaluate import LocalizationReport, scores_at
from cavmae_sync.tasks.localization.examples import Examples
from cavmae_sync.tasks.localization.localize_video import Localization
from cavmae_sync.tasks.localization.overlay import OverlayFrame, heat_colours

_ROWS_PER_CLASS = 1
_QUESTIONS_ACROSS = 4
_INCHES = 1.75


def localization_figure(report: LocalizationReport, examples: Examples, *, num_questions: int = 16) -> Figure:
    """Pictures with the outline of the truth, and beside each the map over it, on one scale for all.

    Args:
        report: What was measured.
        examples: Where its pictures come from.
        num_questions: How many, from as many classes as there are; those with silent objects come first.
    """
    rows = chosen_rows(report, num_questions)
    num_down = -(-len(rows) // _QUESTIONS_ACROSS)
    figure = new_figure(
        width_inches=2 * _INCHES * _QUESTIONS_ACROSS + 1, height_inches=(_INCHES + 0.3) * num_down + 1
    )
    figure.suptitle(
        f"{report.name}: where is what is heard?\n"
        "left: the picture, white: outline of the true answer; right: the model's map, bright: here",
        fontsize=LARGE,
    )
    maps = [scores_at(report.maps.maps[row], report.targets[row].shape) for row in rows]
    scale = Normalize(min(float(m.min()) for m in maps), max(float(m.max()) for m in maps))
    axes = figure.subplots(num_down, 2 * _QUESTIONS_ACROSS, squeeze=False)
    for place in range(num_down * _QUESTIONS_ACROSS):
        down, across = divmod(place, _QUESTIONS_ACROSS)
        left, right = axes[down, 2 * across], axes[down, 2 * across + 1]
        if place >= len(rows):
            left.axis("off")
            right.axis("off")
            continue
        target = report.targets[rows[place]]
        picture_HWC = examples.picture(rows[place], pixels=min(target.shape))
        _draw(left, right, picture_HWC, maps[place], target.mask(), scale)
        left.set_title(target.class_name, fontsize=NORMAL, loc="left")
    bar = figure.colorbar(ScalarMappable(scale, ENERGIES), ax=axes, shrink=0.6)
    bar.set_label("cosine of sound and patch", fontsize=NORMAL)
    bar.ax.tick_params(labelsize=SMALL)
    return figure


def chosen_rows(report: LocalizationReport, num_questions: int) -> Sequence[int]:
    """Rows spread over classes and over the list; within a class, those of a named group first."""
    rows_of: dict[str, list[int]] = {}
    for row, target in enumerate(report.targets):
        rows_of.setdefault(target.class_name, []).append(row)
    for name, rows in rows_of.items():
        named = [row for row in rows if report.targets[row].groups]
        rows_of[name] = named or rows
    chosen: list[int] = []
    turn = 0
    while len(chosen) < num_questions and any(turn < len(rows) for rows in rows_of.values()):
        for rows in rows_of.values():
            if turn < len(rows) and len(chosen) < num_questions:
                chosen.append(rows[(len(rows) // 2 + turn) % len(rows)])
        turn += 1
    return chosen


def _draw(
    left: Axes,
    right: Axes,
    picture_HWC: NDArray[np.uint8],
    scores_HW: NDArray[np.float32],
    mask_HW: NDArray[np.bool_],
    scale: Normalize,
) -> None:
    left.imshow(picture_HWC)
    right.imshow(scores_HW, cmap=ENERGIES, norm=scale)
    for axes in (left, right):
        without_ticks(axes)
        if 0 < mask_HW.sum() < mask_HW.size:
            axes.contour(mask_HW, levels=[0.5], colors="black", linewidths=2.5)
            axes.contour(mask_HW, levels=[0.5], colors="white", linewidths=1.2)


def moment_figure(found: Localization, moment: int, frame: OverlayFrame) -> Figure:
    """The picture of a moment, the same with its map, and the strength over the whole video.

    Args:
        found: Maps of the video.
        moment: Which.
        frame: Its picture, from `write_overlay`.
    """
    height, width = frame.picture_HWC.shape[:2]
    figure = new_figure(width_inches=10, height_inches=1.9 + min(max(4.6 * height / width, 2.0), 8.0))
    seconds = float(found.seconds_M[moment])
    figure.suptitle(
        f"{seconds:.2f} s, asked by {found.asked_by}: sound and picture match by "
        f"{found.strength_M[moment]:.2f}",
        fontsize=LARGE,
    )
    grid = figure.add_gridspec(2, 2, height_ratios=(3.2, 1))
    for place, (picture_HWC, title) in enumerate(
        ((frame.picture_HWC, "picture"), (frame.overlay_HWC, "where the model sees what is heard"))
    ):
        axes = figure.add_subplot(grid[0, place])
        axes.imshow(picture_HWC)
        without_ticks(axes)
        axes.set_title(title, fontsize=NORMAL, loc="left")
    colours = ListedColormap((heat_colours() / 255).tolist())
    bar = figure.colorbar(ScalarMappable(Normalize(*found.scale), colours), ax=figure.axes, shrink=0.8)
    bar.set_label("cosine of sound and patch", fontsize=NORMAL)
    bar.ax.tick_params(labelsize=SMALL)
    curve = figure.add_subplot(grid[1, :])
    times, strength, _ = found.curve()
    curve.plot(times, strength, color=BLUE, linewidth=2)
    curve.set_xlim(*found.whole_seconds)
    curve.axvline(seconds, color=VERMILION, linestyle="--")
    curve.set_ylim(min(0.0, float(found.strength_M.min())), 1)
    label(curve, x="seconds", y="cosine of sound\nand whole picture")
    return figure
