"""What an audit found, to look at: counts, classes, and clips that are the same side by side.

Shapes: H W pixels, C channels, N spectrogram frames, M mel bins.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator
from numpy.typing import NDArray

from cavmae_sync.figures.style import (
    BLUE,
    GREEN,
    MISSING,
    SMALL,
    VERMILION,
    drawable,
    label,
    new_figure,
    show_spectrogram,
    without_ticks,
)
from cavmae_sync.paper import HOP_MILLISECONDS

_MOST_CLASSES: Final = 30


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Thumbnail:
    """A clip at a glance.

    Attributes:
        title: What it is called.
        frame_HWC: A frame of it, uint8.
        log_mel_NM: Its spectrogram, natural logarithms.
    """

    title: str
    frame_HWC: NDArray[np.uint8]
    log_mel_NM: NDArray[np.floating]


def counts_figure(counts: Mapping[Any, int]) -> Figure:
    """Clips by state, as bars with their numbers."""
    figure = new_figure(width_inches=8, height_inches=0.6 + 0.36 * len(counts))
    axes = figure.subplots()
    names = list(counts)[::-1]
    values = [counts[name] for name in names]
    colours = [GREEN if name == "ok" else VERMILION for name in names]
    bars = axes.barh(names, values, color=colours)
    axes.bar_label(bars, labels=[str(value) for value in values], padding=3, fontsize=SMALL)
    axes.set_xlim(0, max(1, *values) * 1.12)
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    axes.spines[["top", "right"]].set_visible(False)
    label(axes, x="clips")
    return figure


def classes_figure(survival: Mapping[str, tuple[int, int]]) -> Figure:
    """The classes of which the least is left, worst above: how many clips of how many."""
    shown = list(survival.items())[:_MOST_CLASSES][::-1]
    figure = new_figure(width_inches=8, height_inches=0.8 + 0.27 * len(shown))
    axes = figure.subplots()
    bars = axes.barh(
        [drawable(name, max_letters=40) for name, _ in shown],
        [100 * kept / total for _, (kept, total) in shown],
        color=BLUE,
    )
    texts = [f"{kept} of {total}" for _, (kept, total) in shown]
    axes.bar_label(bars, labels=texts, padding=3, fontsize=SMALL)
    axes.set_xlim(0, 115)
    axes.spines[["top", "right"]].set_visible(False)
    label(axes, x="percent of the clips of a class that survive")
    return figure


def pairs_figure(pairs: Sequence[tuple[Thumbnail, Thumbnail, str]]) -> Figure:
    """Pairs of clips, one a row: left the one, right the other, each as picture and spectrogram."""
    figure = new_figure(width_inches=10, height_inches=1.75 * len(pairs))
    rows = figure.subplots(len(pairs), 4, squeeze=False, width_ratios=[1, 1.9, 1, 1.9])
    for number, (axes, (one, other, text)) in enumerate(zip(rows, pairs, strict=True), start=1):
        longest = max(len(clip.log_mel_NM) for clip in (one, other)) * HOP_MILLISECONDS / 1000
        for side, clip in enumerate((one, other)):
            picture, sound = axes[2 * side], axes[2 * side + 1]
            picture.imshow(clip.frame_HWC)
            without_ticks(picture)
            show_spectrogram(sound, clip.log_mel_NM)
            sound.set_xlim(0, longest)
            sound.set_facecolor(MISSING)
            label(sound, x="seconds" if number == len(pairs) else "")
            sound.set_yticks([])
            sound.set_title(drawable(clip.title, max_letters=34), fontsize=SMALL, loc="left")
        axes[0].set_ylabel(text, fontsize=SMALL)
    return figure
