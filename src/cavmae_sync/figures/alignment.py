"""Figure of the lag of frames behind their segments, by each rule of alignment."""

from collections.abc import Sequence
from typing import Final, get_args

from matplotlib.figure import Figure

from cavmae_sync.figures.style import BLUE, GREEN, GREY, SMALL, VERMILION, label, new_figure
from cavmae_sync.inputs.config import Alignment, InputConfig
from cavmae_sync.inputs.lag import alignment_lag

_LOOKS: Final = {"padded": (VERMILION, "s", 4), "valid": (BLUE, "^", 6), "centered": (GREEN, "o", 4)}


def lag_figure(
    frame_seconds: Sequence[float], *, num_spectrogram_frames: int, segment_lengths: Sequence[int]
) -> Figure:
    """Figure with one panel for each length of a segment, and one line for each rule.

    Args:
        frame_seconds: Times of the frames of a clip, seconds from its start.
        num_spectrogram_frames: Spectrogram frames the clip has.
        segment_lengths: Spectrogram frames of a segment, one for each panel.
    """
    figure = new_figure(width_inches=4.2 * len(segment_lengths), height_inches=3.8)
    panels = figure.subplots(1, len(segment_lengths), squeeze=False).flatten()
    for panel, length in zip(panels, segment_lengths, strict=True):
        rules: tuple[Alignment, ...] = get_args(Alignment)
        for rule in rules:
            lag = alignment_lag(
                frame_seconds=frame_seconds,
                num_spectrogram_frames=num_spectrogram_frames,
                config=InputConfig(segment_length=length, alignment=rule),
            )
            colour, marker, size = _LOOKS[rule]
            panel.plot(
                lag.frame_seconds_T,
                lag.lag_seconds_T,
                color=colour,
                marker=marker,
                markersize=size,
                linewidth=1,
                label=f"{rule}: {lag.num_different} of {len(frame_seconds)} segments differ",
            )
        half = lag.window_seconds / 2
        panel.axhspan(-half, half, color=GREY, alpha=0.12, label="inside of the segment")
        panel.legend(fontsize=SMALL, loc="upper left")
        panel.set_ylim(-1.3 * half, 2.4 * half)
        panel.grid(alpha=0.25)
        label(
            panel,
            x="time of the frame, seconds",
            y="frame minus middle of its sound, seconds",
            title=f"{length} rows: {lag.window_seconds:.2f} s of sound",
        )
    return figure
