"""Picture of the agreement of one video: what is seen, where it agrees, how loud it is, at which lag.

Letters: T moments, H W pixels, C colours, M mel bins.
"""

from typing import Final

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import NDArray

from cavmae_sync.figures.style import (
    BLUE,
    ENERGIES,
    GREY,
    LARGE,
    NORMAL,
    ORANGE,
    SKY,
    SMALL,
    VERMILION,
    drawable,
    label,
    new_figure,
    time_axis,
    without_ticks,
)
from cavmae_sync.tasks.agreement.judge import Agreement, State, Stretch
from cavmae_sync.tasks.agreement.offset import Offset
from cavmae_sync.tasks.agreement.text import verdict
from cavmae_sync.tasks.agreement.track import Moments

_LOOKS: Final[dict[State, tuple[str, str]]] = {
    "fits": ("#FFFFFF", ""),
    "does not fit": (VERMILION, "//"),
    "silent": ("#D9D9D9", ""),
    "still": (SKY, ".."),
    "cannot tell": ("#EFEFEF", ""),
}
#: A stretch narrower than this share of the picture has no room for its name.
_LEAST_SHARE: Final = 0.06
#: And one narrower than this has none for a name in one line.
_WIDE_SHARE: Final = 0.1
_NUM_THUMBNAILS: Final = 12
_MAX_KEPT: Final = 48
_MAX_COLUMNS: Final = 1200


class Storyboard:
    """A few pictures and a coarse spectrogram of a video of any length, collected while it is embedded."""

    def __init__(self) -> None:
        """Begins empty; hand `add` to `embed_track`."""
        self.pictures: list[tuple[float, NDArray[np.uint8]]] = []
        self.spectra: list[tuple[float, NDArray[np.float32]]] = []
        self._every = [1, 1]
        self._seen = 0

    def add(self, moments: Moments) -> None:
        """Take what is needed of a block of moments. Keeps every second one when there are too many."""
        middle = moments.segments_TLM.shape[1] // 2
        reach = max(middle // 4, 1)
        spectra_TM = moments.segments_TLM[:, middle - reach : middle + reach].mean(dim=1).numpy()
        for place, seconds in enumerate(moments.seconds_T.tolist()):
            if self._seen % self._every[0] == 0:
                self.pictures.append((seconds, moments.pictures_THWC[place].copy()))
            if self._seen % self._every[1] == 0:
                self.spectra.append((seconds, spectra_TM[place]))
            self._seen += 1
        if len(self.pictures) > _MAX_KEPT:
            self.pictures, self._every[0] = self.pictures[::2], 2 * self._every[0]
        if len(self.spectra) > _MAX_COLUMNS:
            self.spectra, self._every[1] = self.spectra[::2], 2 * self._every[1]


def agreement_figure(
    agreement: Agreement,
    *,
    storyboard: Storyboard | None = None,
    title: str = "Agreement of sound and picture",
) -> Figure:
    """Curve with its chance band, states in words, pictures above, sound below, and the curve of lags.

    Args:
        agreement: What was judged.
        storyboard: Pictures and spectrogram; None leaves them out.
        title: Printed above.
    """
    figure = new_figure(width_inches=12, height_inches=9)
    figure.suptitle(f"{drawable(title)}\n{_wrapped(verdict(agreement))}", fontsize=LARGE, x=0.01, ha="left")
    rows = figure.add_gridspec(4, 1, height_ratios=(0.9, 2.6, 1.2, 1.7))
    start, stop = agreement.stretches[0].start_seconds, agreement.stretches[-1].stop_seconds
    curve = figure.add_subplot(rows[1])
    _draw_states(curve, agreement.stretches, stop - start)
    _draw_curve(curve, agreement)
    above, sound = figure.add_subplot(rows[0]), figure.add_subplot(rows[2], sharex=curve)
    _draw_pictures(above, storyboard, start, stop)
    _draw_sound(sound, agreement, storyboard)
    time_axis(sound, start, stop)
    curve.tick_params(labelbottom=False)
    below = rows[3].subgridspec(1, 2, width_ratios=(1.6, 1))
    _draw_lags(figure.add_subplot(below[0]), agreement.offset)
    _draw_key(figure.add_subplot(below[1]), agreement)
    return figure


def _wrapped(text: str, width: int = 125) -> str:
    lines = [""]
    for word in text.split():
        lines[-1:] = (
            [f"{lines[-1]} {word}".strip()] if len(lines[-1]) + len(word) < width else [lines[-1], word]
        )
    return "\n".join(lines)


def _draw_states(axes: Axes, stretches: tuple[Stretch, ...], whole_seconds: float) -> None:
    for stretch in stretches:
        colour, hatch = _LOOKS[stretch.state]
        axes.axvspan(
            stretch.start_seconds,
            stretch.stop_seconds,
            facecolor=colour,
            alpha=0.35 if stretch.state in {"does not fit", "still"} else 1,
            hatch=hatch,
            edgecolor=GREY,
            linewidth=0.5,
            zorder=0,
        )
        if stretch.duration_seconds >= _LEAST_SHARE * whole_seconds:
            is_wide = stretch.duration_seconds >= _WIDE_SHARE * whole_seconds
            middle = (stretch.start_seconds + stretch.stop_seconds) / 2
            axes.text(
                middle,
                0.97,
                stretch.state if is_wide else stretch.state.replace(" ", "\n"),
                transform=axes.get_xaxis_transform(),
                ha="center",
                va="top",
                fontsize=SMALL,
                fontweight="bold" if stretch.state == "does not fit" else "normal",
                zorder=5,
            )


def _draw_curve(axes: Axes, agreement: Agreement) -> None:
    label(axes, y="agreement (cosine)")
    place, seconds_T = agreement.standing, agreement.seconds_T
    if place is None:
        axes.text(
            0.5, 0.5, "no curve: not enough to tell", transform=axes.transAxes, ha="center", fontsize=LARGE
        )
        axes.set_yticks([])
        return
    axes.fill_between(
        seconds_T,
        place.low_T,
        place.high_T,
        color=GREY,
        alpha=0.35,
        label="chance: 90 % of foreign sounds",
        linewidth=0,
    )
    axes.plot(seconds_T, place.mid_T, color=GREY, linestyle="--", linewidth=1, label="chance: median")
    axes.plot(seconds_T, place.agreement_T, color=BLUE, linewidth=2, label="this sound with this picture")
    low, high = axes.get_ylim()
    axes.set_ylim(low - 0.15 * (high - low), high + 0.22 * (high - low))  # room for the words
    axes.legend(fontsize=SMALL, loc="lower left", ncols=3, framealpha=0.9)


def _draw_pictures(axes: Axes, storyboard: Storyboard | None, start: float, stop: float) -> None:
    without_ticks(axes)
    for side in axes.spines.values():
        side.set_visible(False)
    if storyboard is None or not storyboard.pictures:
        axes.set_visible(False)
        return
    axes.set_ylim(0, 1)
    times = np.array([seconds for seconds, _ in storyboard.pictures])
    width = (stop - start) / _NUM_THUMBNAILS
    for number in range(_NUM_THUMBNAILS):
        middle = start + (number + 0.5) * width
        _, picture_HWC = storyboard.pictures[int(np.abs(times - middle).argmin())]
        inset = axes.inset_axes((number / _NUM_THUMBNAILS, 0, 0.98 / _NUM_THUMBNAILS, 1))
        inset.imshow(picture_HWC, interpolation="antialiased")
        inset.set_axis_off()


def _draw_sound(axes: Axes, agreement: Agreement, storyboard: Storyboard | None) -> None:
    if storyboard is not None and len(storyboard.spectra) > 1:
        times = [seconds for seconds, _ in storyboard.spectra]
        half = (times[1] - times[0]) / 2
        axes.imshow(
            np.stack([spectrum_M for _, spectrum_M in storyboard.spectra]).T,
            extent=(times[0] - half, times[-1] + half, 0, 1),
            transform=axes.get_xaxis_transform(),
            origin="lower",
            aspect="auto",
            cmap=ENERGIES,
            interpolation="antialiased",
        )
    axes.plot(agreement.seconds_T, agreement.loudness_T, color="white", linewidth=3)
    axes.plot(agreement.seconds_T, agreement.loudness_T, color=ORANGE, linewidth=1.5)
    axes.set_ylim(-90, 0)
    label(axes, y="loudness\n(dB full scale)", x="time; behind the line: spectrogram, low tones below")


def _draw_lags(axes: Axes, offset: Offset) -> None:
    lags_K = offset.lags_K - offset.corrected_seconds
    axes.plot(lags_K, offset.curve_K, color=BLUE, linewidth=2, marker="o", markersize=3)
    axes.axvline(0, color=GREY, linewidth=1)
    if offset.chance_high is not None:
        axes.axhline(offset.chance_high, color=GREY, linestyle="--", linewidth=1)
    if offset.seconds is not None and offset.low is not None and offset.high is not None:
        axes.axvspan(offset.low, offset.high, color=ORANGE, alpha=0.3)
        axes.axvline(offset.seconds, color=ORANGE, linewidth=2)
    top = max(float(offset.curve_K.max()), offset.chance_high or 0.0)
    axes.set_ylim(top=top + 0.15 * (top - float(offset.curve_K.min()) + 1e-9))
    label(
        axes,
        x="← sound early        lag (s)        sound late →",
        y="agreement,\nmeans removed",
        title=f"offset: {_offset_title(offset)}",
    )


def _offset_title(offset: Offset) -> str:
    if offset.seconds is None:
        return "too short to look for one" if offset.p_value is None else "none above chance (dashed)"
    chance = "" if offset.chance_high is None else "; dashed: 1 in 20 foreign sounds gets above it somewhere"
    return f"{offset.seconds:+.2f} s (orange, with its 95 % interval){chance}"


def _draw_key(axes: Axes, agreement: Agreement) -> None:
    axes.set_axis_off()
    shares = [(state, agreement.share(state)) for state in _LOOKS]
    lines = [f"{share:6.0%}  {state}" for state, share in shares if share > 0]
    origin = (
        "Chance: sounds of this video, moved to other moments.\n"
        "Sound that is foreign throughout cannot be seen."
        if agreement.chance_from == "within the video"
        else "Chance: sounds of the videos of the reference."
    )
    axes.text(0, 1, "share of the video", fontsize=NORMAL, va="top", transform=axes.transAxes)
    axes.text(
        0, 0.86, "\n".join(lines), fontsize=NORMAL, va="top", family="monospace", transform=axes.transAxes
    )
    axes.text(0, 0, origin, fontsize=SMALL, va="bottom", transform=axes.transAxes)
