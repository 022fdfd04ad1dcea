"""Figures of an audit: counts of states, classes, and pairs of clips that are the same.

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
    """One frame and the spectrogram of a clip.

    Attributes:
        title: Title, the id of the clip.
        frame_HWC: Frame, uint8.
        log_mel_NM: Spectrogram, natural logarithms.
    """

    title: str
    frame_HWC: NDArray[np.uint8]
    log_mel_NM: NDArray[np.floating]


def counts_figure(counts: Mapping[Any, int]) -> Figure:
    """Bars of the number of clips in each state."""
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


def classes_figure(available: Mapping[str, tuple[int, int]]) -> Figure:
    """Bars of the classes with the smallest fraction of available clips, the smallest on top."""
    shown = list(available.items())[:_MOST_CLASSES][::-1]
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
    label(axes, x="percent of the clips of a class that are available")
    return figure


def pairs_figure(pairs: Sequence[tuple[Thumbnail, Thumbnail, str]]) -> Figure:
    """Pairs of clips, one per row: each clip as a frame and a spectrogram, side by side."""
    figure = new_figure(width_inches=10, height_inches=1.75 * len(pairs))
    rows = figure.subplots(len(pairs), 4, squeeze=False, width_ratios=[1, 1.9, 1, 1.9])
    for number, (axes, (one, other, text)) in enumerate(zip(rows, pairs, strict=True), start=1):
        longest = max(len(clip.log_mel_NM) for clip in (one, other)) * HOP_MILLISECONDS / 1000
        for side, clip in enumerate((one, other)):
            frame, sound = axes[2 * side], axes[2 * side + 1]
            frame.imshow(clip.frame_HWC)
            without_ticks(frame)
            show_spectrogram(sound, clip.log_mel_NM)
            sound.set_xlim(0, longest)
            sound.set_facecolor(MISSING)
            label(sound, x="seconds" if number == len(pairs) else "")
            sound.set_yticks([])
            sound.set_title(drawable(clip.title, max_letters=34), fontsize=SMALL, loc="left")
        axes[0].set_ylabel(text, fontsize=SMALL)
    return figure
