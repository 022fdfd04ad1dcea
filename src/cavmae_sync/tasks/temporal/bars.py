"""Drawing of states over time as bars, with frames above and the sound below (paper Figure 6).

Letters: T frames, H W pixels, C colours, N spectrogram frames, M mel bins.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle
from numpy.typing import NDArray

from cavmae_sync.figures.style import (
    BLUE,
    ENERGIES,
    GREEN,
    GREY,
    LARGE,
    NORMAL,
    ORANGE,
    PURPLE,
    SKY,
    SMALL,
    VERMILION,
    label,
    new_figure,
    time_axis,
    without_ticks,
)
from cavmae_sync.media.clock import clock
from cavmae_sync.tasks.temporal.spans import StateSpan

#: For titles, where several bars stand below each other.
LETTERS_NOTE: Final = (
    "Equal letters in a bar are the same state; letters of different bars have nothing to do with each other."
)
_FILLS: Final = (SKY, ORANGE, GREEN, PURPLE, "#F0E442", BLUE, VERMILION, "#BDBDBD")
#: On these, text is white.
_DARK: Final = (BLUE, VERMILION, GREEN)
_MAX_FRAMES: Final = 16
_WIDTH_INCHES: Final = 12.0
#: Part of the width that bars take, for deciding whether a name fits.
_BAR_INCHES: Final = 9.8
_LETTER_INCHES: Final = 0.085


@dataclass(frozen=True, kw_only=True, slots=True)
class Bar:
    """One row of spans.

    Attributes:
        name: Printed on the left.
        spans: By time.
        names: Name to print for each label; None prints letters.
    """

    name: str
    spans: Sequence[StateSpan]
    names: Mapping[int, str] | None = None

    def text(self, span: StateSpan) -> str:
        """Text to print inside a span."""
        return span.name if self.names is None else self.names[span.label]


@dataclass(frozen=True, kw_only=True, slots=True)
class Surroundings:
    """Frames above the bars and sound below.

    Attributes:
        frames_THWC: uint8; some are left out where there are many.
        frame_seconds_T: Times of the frames.
        log_mel_NM: Spectrogram, natural logarithm, spread evenly from `start_seconds` to `stop_seconds`.
        start_seconds: Left end of all.
        stop_seconds: Right end.
    """

    frames_THWC: NDArray[np.uint8]
    frame_seconds_T: NDArray[np.float64]
    log_mel_NM: NDArray[np.floating]
    start_seconds: float
    stop_seconds: float


def states_figure(bars: Sequence[Bar], *, around: Surroundings, title: str = "States over time") -> Figure:
    """Figure with bars along one axis of time, frames above, the spectrogram below.

    Args:
        bars: From top to bottom.
        around: Frames and sound.
        title: Printed above.
    """
    heights = [_frames_height(around), *([0.5] * len(bars)), 1.3]
    figure = new_figure(width_inches=_WIDTH_INCHES, height_inches=sum(heights) + 1.1)
    figure.suptitle(title, fontsize=LARGE, x=0.01, ha="left")
    rows = figure.subplots(len(heights), 1, height_ratios=heights)
    _draw_frames(rows[0], around)
    for axes, bar in zip(rows[1:-1], bars, strict=True):
        _draw_bar(axes, bar, around)
    _draw_sound(rows[-1], around)
    return figure


def _frames_height(around: Surroundings) -> float:
    height, width = around.frames_THWC.shape[1:3]
    return min(_BAR_INCHES / _MAX_FRAMES * height / width, 1.5) + 0.35


def _draw_frames(axes: Axes, around: Surroundings) -> None:
    chosen = np.unique(np.linspace(0, len(around.frame_seconds_T) - 1, _MAX_FRAMES).round().astype(int))
    whole = around.stop_seconds - around.start_seconds
    width = whole / max(len(chosen), 6)
    for place, frame in enumerate(chosen.tolist()):
        left = around.start_seconds + place * whole / len(chosen) + (whole / len(chosen) - width) / 2
        inset = axes.inset_axes(
            (left + width * 0.03, 0.0, width * 0.94, 0.82), transform=axes.get_xaxis_transform()
        )
        inset.imshow(around.frames_THWC[frame], aspect="equal", interpolation="antialiased")
        inset.set_title(clock(float(around.frame_seconds_T[frame]), with_tenths=True), fontsize=SMALL, pad=2)
        inset.axis("off")
    axes.set_xlim(around.start_seconds, around.stop_seconds)
    axes.set_ylim(0, 1)
    _name(axes, "frames")
    axes.set_frame_on(False)


def _draw_bar(axes: Axes, bar: Bar, around: Surroundings) -> None:
    per_second = _BAR_INCHES / (around.stop_seconds - around.start_seconds)
    for span in bar.spans:
        colour = _FILLS[span.label % len(_FILLS)]
        length = span.stop_seconds - span.start_seconds
        axes.add_patch(
            Rectangle(
                (span.start_seconds, 0),
                length,
                1,
                facecolor=colour,
                edgecolor="black",
                linewidth=min(0.8, length * per_second * 4),
            )
        )
        text = bar.text(span)
        if length * per_second > _LETTER_INCHES * (len(text) + 0.6):
            axes.text(
                (span.start_seconds + span.stop_seconds) / 2,
                0.48,
                text,
                ha="center",
                va="center",
                fontsize=NORMAL,
                color="white" if colour in _DARK else "black",
                clip_on=True,
            )
    axes.set_xlim(around.start_seconds, around.stop_seconds)
    axes.set_ylim(0, 1)
    _name(axes, bar.name)


def _draw_sound(axes: Axes, around: Surroundings) -> None:
    axes.imshow(
        np.asarray(around.log_mel_NM, dtype=np.float32).T,
        extent=(around.start_seconds, around.stop_seconds, 0, around.log_mel_NM.shape[1]),
        origin="lower",
        aspect="auto",
        cmap=ENERGIES,
        interpolation="antialiased",
    )
    axes.set_xlim(around.start_seconds, around.stop_seconds)
    _name(axes, "sound\n(low tones\nbelow)")
    time_axis(axes, around.start_seconds, around.stop_seconds)
    label(axes, x="time (minutes and seconds)")
    axes.tick_params(axis="x", labelsize=SMALL, color=GREY)


def _name(axes: Axes, name: str) -> None:
    without_ticks(axes)
    axes.set_ylabel(name, rotation=0, ha="right", va="center", fontsize=NORMAL)
