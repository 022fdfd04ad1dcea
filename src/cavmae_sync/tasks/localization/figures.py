"""Figures of localisation: examples with map and truth, and one moment of a video with its map.

Letters: H W pixels, C colours.
"""

import textwrap
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
from cavmae_sync.maps.sound_parts import SoundPart
from cavmae_sync.tasks.localization.evaluate import LocalizationReport, scores_at
from cavmae_sync.tasks.localization.examples import Examples
from cavmae_sync.tasks.localization.localize_video import Localization
from cavmae_sync.tasks.localization.overlay import OverlayFrame, heat_colours

_ROWS_PER_CLASS = 1
_EXAMPLES_ACROSS = 4
_INCHES = 1.75
#: Letters of a line of the scale's label, which stands on its side beside a frame.
_LABEL_LETTERS = 36


def localization_figure(report: LocalizationReport, examples: Examples, *, num_examples: int = 16) -> Figure:
    """Figure of some examples: the image with the outline of the true mask, and beside it the map.

    Args:
        report: The report.
        examples: Source of its images.
        num_examples: Number of examples, from as many classes as there are. Examples of a group (several
            objects, some of them silent) come first.
    """
    rows = chosen_rows(report, num_examples)
    num_down = -(-len(rows) // _EXAMPLES_ACROSS)
    figure = new_figure(
        width_inches=2 * _INCHES * _EXAMPLES_ACROSS + 1, height_inches=(_INCHES + 0.3) * num_down + 1
    )
    figure.suptitle(
        f"{report.name}\n"
        "left: image with the outline of the true mask; right: map, bright where the sound fits",
        fontsize=LARGE,
    )
    maps = [scores_at(report.maps.maps[row], report.targets[row].shape) for row in rows]
    scale = Normalize(min(float(m.min()) for m in maps), max(float(m.max()) for m in maps))
    axes = figure.subplots(num_down, 2 * _EXAMPLES_ACROSS, squeeze=False)
    for place in range(num_down * _EXAMPLES_ACROSS):
        down, across = divmod(place, _EXAMPLES_ACROSS)
        left, right = axes[down, 2 * across], axes[down, 2 * across + 1]
        if place >= len(rows):
            left.axis("off")
            right.axis("off")
            continue
        target = report.targets[rows[place]]
        image_HWC = examples.image(rows[place], pixels=min(target.shape))
        _draw(left, right, image_HWC, maps[place], target.mask(), scale)
        left.set_title(target.class_name, fontsize=NORMAL, loc="left")
    bar = figure.colorbar(ScalarMappable(scale, ENERGIES), ax=axes, shrink=0.6)
    bar.set_label(report.maps.unit_text, fontsize=NORMAL)
    bar.ax.tick_params(labelsize=SMALL)
    return figure


def chosen_rows(report: LocalizationReport, num_examples: int) -> Sequence[int]:
    """Rows spread over classes and over the list; within a class, those of a group first."""
    rows_of: dict[str, list[int]] = {}
    for row, target in enumerate(report.targets):
        rows_of.setdefault(target.class_name, []).append(row)
    for name, rows in rows_of.items():
        named = [row for row in rows if report.targets[row].groups]
        rows_of[name] = named or rows
    chosen: list[int] = []
    turn = 0
    while len(chosen) < num_examples and any(turn < len(rows) for rows in rows_of.values()):
        for rows in rows_of.values():
            if turn < len(rows) and len(chosen) < num_examples:
                chosen.append(rows[(len(rows) // 2 + turn) % len(rows)])
        turn += 1
    return chosen


def _draw(
    left: Axes,
    right: Axes,
    image_HWC: NDArray[np.uint8],
    scores_HW: NDArray[np.float32],
    mask_HW: NDArray[np.bool_],
    scale: Normalize,
) -> None:
    left.imshow(image_HWC)
    right.imshow(scores_HW, cmap=ENERGIES, norm=scale)
    for axes in (left, right):
        without_ticks(axes)
        if 0 < mask_HW.sum() < mask_HW.size:
            axes.contour(mask_HW, levels=[0.5], colors="black", linewidths=2.5)
            axes.contour(mask_HW, levels=[0.5], colors="white", linewidths=1.2)


def moment_figure(found: Localization, moment: int, frame: OverlayFrame) -> Figure:
    """Figure of one moment: its frame, the frame with its map, and the strength over the whole video.

    Below them, where it was asked for: which part of the sound of its clip belongs to the frame.

    Args:
        found: Maps of the video.
        moment: Number of the moment.
        frame: Frame of the moment, from `write_overlay`.
    """
    height, width = frame.frame_HWC.shape[:2]
    frame_inches = min(max(4.6 * height / width, 2.0), 8.0)
    curve_inches = [1.4] * (2 if found.sound_parts else 1)
    figure = new_figure(width_inches=10, height_inches=0.5 + frame_inches + sum(curve_inches))
    seconds = float(found.seconds_M[moment])
    figure.suptitle(
        f"{seconds:.2f} s, {found.asked_by}: similarity of sound and frame {found.strength_M[moment]:.2f}",
        fontsize=LARGE,
    )
    grid = figure.add_gridspec(1 + len(curve_inches), 2, height_ratios=[frame_inches, *curve_inches])
    for place, (pixels_HWC, title) in enumerate(
        ((frame.frame_HWC, "frame"), (frame.overlay_HWC, "where the model sees what is heard"))
    ):
        axes = figure.add_subplot(grid[0, place])
        axes.imshow(pixels_HWC)
        without_ticks(axes)
        axes.set_title(title, fontsize=NORMAL, loc="left")
    colours = ListedColormap((heat_colours() / 255).tolist())
    bar = figure.colorbar(ScalarMappable(Normalize(*found.scale), colours), ax=figure.axes, shrink=0.8)
    bar.set_label(textwrap.fill(found.made_by.unit_text, _LABEL_LETTERS), fontsize=NORMAL)
    bar.ax.tick_params(labelsize=SMALL)
    curve = figure.add_subplot(grid[1, :])
    times, strength, _ = found.curve()
    curve.plot(times, strength, color=BLUE, linewidth=2)
    curve.set_xlim(*found.whole_seconds)
    curve.axvline(seconds, color=VERMILION, linestyle="--")
    curve.set_ylim(min(0.0, float(found.strength_M.min())), 1)
    label(curve, x="seconds", y="cosine of sound\nand whole frame")
    if found.sound_parts:
        _draw_sound_part(figure.add_subplot(grid[2, :]), found.sound_parts[moment], seconds)
    return figure


def _draw_sound_part(axes: Axes, part: SoundPart, seconds: float) -> None:
    axes.fill_between(part.seconds_L, 0, part.weight_L, step="mid", color=BLUE, linewidth=0)
    axes.axvline(seconds, color=VERMILION, linestyle="--")
    axes.set_xlim(part.seconds_L[0], part.seconds_L[-1])
    label(axes, x="seconds of this clip", y="what hearing it\nadds to the cosine")
