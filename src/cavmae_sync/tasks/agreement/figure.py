"""Figure of the agreement of one video: its frames, where it agrees, how loud it is, and at which lag.

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
from cavmae_sync.tasks.agreement.moments import MomentInputs
from cavmae_sync.tasks.agreement.offset import Offset
from cavmae_sync.tasks.agreement.result import Agreement
from cavmae_sync.tasks.agreement.states import AgreementSpan, AgreementState
from cavmae_sync.tasks.agreement.text import verdict

_LOOKS: Final[dict[AgreementState, tuple[str, str]]] = {
    "fits": ("#FFFFFF", ""),
    "does not fit": (VERMILION, "//"),
    "silent": ("#D9D9D9", ""),
    "still": (SKY, ".."),
    "cannot tell": ("#EFEFEF", ""),
}
#: A span narrower than this share of the figure has no room for its name.
_LEAST_SHARE: Final = 0.06
#: A span narrower than this has no room for a name in one line.
_WIDE_SHARE: Final = 0.1
_NUM_THUMBNAILS: Final = 12
_MAX_KEPT: Final = 48
_MAX_COLUMNS: Final = 1200


class Storyboard:
    """A few frames and a coarse spectrogram of a video of any length, collected while it is embedded.

    Begins empty; hand `add` to `embed_moments`.
    """

    def __init__(self) -> None:
        self.frames: list[tuple[float, NDArray[np.uint8]]] = []
        self.spectra: list[tuple[float, NDArray[np.float32]]] = []
        self._frames_every = 1
        self._spectra_every = 1
        self._num_seen = 0

    def add(self, moments: MomentInputs) -> None:
        """Keep what is needed of a batch of moments; every other one goes when there are too many."""
        middle = moments.segments_TLM.shape[1] // 2
        reach = max(middle // 4, 1)
        spectra_TM = moments.segments_TLM[:, middle - reach : middle + reach].mean(dim=1).numpy()
        for number, seconds in enumerate(moments.seconds_T.tolist()):
            if self._num_seen % self._frames_every == 0:
                self.frames.append((seconds, moments.frames_THWC[number].copy()))
            if self._num_seen % self._spectra_every == 0:
                self.spectra.append((seconds, spectra_TM[number]))
            self._num_seen += 1
        if len(self.frames) > _MAX_KEPT:
            self.frames, self._frames_every = self.frames[::2], 2 * self._frames_every
        if len(self.spectra) > _MAX_COLUMNS:
            self.spectra, self._spectra_every = self.spectra[::2], 2 * self._spectra_every


def agreement_figure(
    agreement: Agreement,
    *,
    storyboard: Storyboard | None = None,
    title: str = "Agreement of sound and picture",
) -> Figure:
    """Curve with its chance band, states in words, frames above, sound below, and the curve of lags.

    Args:
        agreement: The result.
        storyboard: Frames and spectrogram; None leaves them out.
        title: Printed above.
    """
    figure = new_figure(width_inches=12, height_inches=9)
    figure.suptitle(f"{drawable(title)}\n{_wrapped(verdict(agreement))}", fontsize=LARGE, x=0.01, ha="left")
    rows = figure.add_gridspec(4, 1, height_ratios=(0.9, 2.6, 1.2, 1.7))
    start, stop = agreement.spans[0].start_seconds, agreement.spans[-1].stop_seconds
    curve = figure.add_subplot(rows[1])
    _draw_states(curve, agreement.spans, stop - start)
    _draw_curve(curve, agreement)
    above, sound = figure.add_subplot(rows[0]), figure.add_subplot(rows[2], sharex=curve)
    _draw_frames(above, storyboard, start, stop)
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


def _draw_states(axes: Axes, spans: tuple[AgreementSpan, ...], whole_seconds: float) -> None:
    for span in spans:
        colour, hatch = _LOOKS[span.state]
        axes.axvspan(
            span.start_seconds,
            span.stop_seconds,
            facecolor=colour,
            alpha=0.35 if span.state in {"does not fit", "still"} else 1,
            hatch=hatch,
            edgecolor=GREY,
            linewidth=0.5,
            zorder=0,
        )
        if span.duration_seconds >= _LEAST_SHARE * whole_seconds:
            is_wide = span.duration_seconds >= _WIDE_SHARE * whole_seconds
            middle = (span.start_seconds + span.stop_seconds) / 2
            axes.text(
                middle,
                0.97,
                span.state if is_wide else span.state.replace(" ", "\n"),
                transform=axes.get_xaxis_transform(),
                ha="center",
                va="top",
                fontsize=SMALL,
                fontweight="bold" if span.state == "does not fit" else "normal",
                zorder=5,
            )


def _draw_curve(axes: Axes, agreement: Agreement) -> None:
    label(axes, y="agreement (cosine)")
    percentiles, seconds_T = agreement.null_percentiles, agreement.seconds_T
    if percentiles is None:
        axes.text(
            0.5, 0.5, "no curve: not enough to tell", transform=axes.transAxes, ha="center", fontsize=LARGE
        )
        axes.set_yticks([])
        return
    axes.fill_between(
        seconds_T,
        percentiles.low_T,
        percentiles.high_T,
        color=GREY,
        alpha=0.35,
        label="chance: 90 % of foreign sounds",
        linewidth=0,
    )
    axes.plot(seconds_T, percentiles.mid_T, color=GREY, linestyle="--", linewidth=1, label="chance: median")
    axes.plot(
        seconds_T, percentiles.agreement_T, color=BLUE, linewidth=2, label="this sound with this picture"
    )
    low, high = axes.get_ylim()
    axes.set_ylim(low - 0.15 * (high - low), high + 0.22 * (high - low))  # room for the words
    axes.legend(fontsize=SMALL, loc="lower left", ncols=3, framealpha=0.9)


def _draw_frames(axes: Axes, storyboard: Storyboard | None, start: float, stop: float) -> None:
    without_ticks(axes)
    for side in axes.spines.values():
        side.set_visible(False)
    if storyboard is None or not storyboard.frames:
        axes.set_visible(False)
        return
    axes.set_ylim(0, 1)
    times = np.array([seconds for seconds, _ in storyboard.frames])
    width = (stop - start) / _NUM_THUMBNAILS
    for number in range(_NUM_THUMBNAILS):
        middle = start + (number + 0.5) * width
        _, frame_HWC = storyboard.frames[int(np.abs(times - middle).argmin())]
        inset = axes.inset_axes((number / _NUM_THUMBNAILS, 0, 0.98 / _NUM_THUMBNAILS, 1))
        inset.imshow(frame_HWC, interpolation="antialiased")
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
