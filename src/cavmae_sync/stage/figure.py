"""Figure of a clip with its truth: frames with outlined objects, spectrogram, events and loudness over time.

Shape letters: T frames, H W pixels, C channels, S samples.
"""

from pathlib import Path
from typing import Final

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import NDArray

from cavmae_sync.media import read_clip
from cavmae_sync.paper import SAMPLE_RATE_HZ
from cavmae_sync.stage.truth import ClipTruth
from cavmae_sync.stage.truth_file import StageTruth

_COLOURS: Final = ("#ffb000", "#40c4ff", "#ff5c8a", "#7ee081", "#c792ea", "#f5f5f5")
PAPER: Final = "#15171c"
INK: Final = "#e6e8ec"


def stage_clip_figure(folder: Path, video_id: str, *, num_frames: int = 8) -> Figure:
    """Draw a clip of a stage, read from its file, with its truth.

    Args:
        folder: The stage.
        video_id: One of its clips.
        num_frames: Number of frames shown; each stands above its time in the spectrogram.

    Raises:
        DatasetError: The folder is not a finished stage.
        MediaError: The clip's file cannot be read.
    """
    truth = StageTruth(folder)[video_id]
    clip = read_clip(
        folder / "clips" / f"{video_id}.mp4",
        clip_seconds=truth.duration_seconds,
        num_frames=num_frames,
        sampling="uniform_center",
    )
    return contact_sheet_figure(
        truth,
        frames_THWC=clip.frames_THWC,
        frame_seconds_T=clip.frame_seconds_T,
        waveform_S=clip.waveform_S,
    )


def contact_sheet_figure(
    truth: ClipTruth,
    *,
    frames_THWC: NDArray[np.uint8],
    frame_seconds_T: NDArray[np.float64],
    waveform_S: NDArray[np.float32],
) -> Figure:
    """Draw some frames of a clip, its sound and its truth.

    Outlines are thick around objects that are heard in the frame and thin around those that are not.

    Args:
        truth: Truth about the clip.
        frames_THWC: The frames to show, uint8, from left to right.
        frame_seconds_T: Their times from the start of the clip, float64.
        waveform_S: The whole sound, float32 at 16 kHz.

    Returns:
        A figure to save or to show.
    """
    num_frames = len(frames_THWC)
    height = 4.4 + 0.42 * len(truth.objects)
    figure = Figure(figsize=(1.75 * num_frames, height), facecolor=PAPER)
    figure.suptitle(_title(truth), color=INK, fontsize=11, x=0.01, y=1 - 0.04 / height, ha="left", va="top")
    rows = figure.add_gridspec(3, 1, height_ratios=(1.75, 1.7, 0.25 + 0.42 * len(truth.objects)), hspace=0.06)
    frame_axes = rows[0].subgridspec(1, num_frames, wspace=0.04).subplots(squeeze=False)[0]
    for axes, frame_HWC, seconds in zip(frame_axes, frames_THWC, frame_seconds_T, strict=True):
        draw_frame(axes, truth, frame_HWC, float(seconds))
    spectrogram, events = figure.add_subplot(rows[1]), figure.add_subplot(rows[2])
    draw_spectrogram(spectrogram, waveform_S, truth.duration_seconds)
    _draw_events(events, truth)
    figure.subplots_adjust(left=0.105, right=0.995, top=1 - 0.38 / height, bottom=0.46 / height)
    return figure


def _title(truth: ClipTruth) -> str:
    control = "" if truth.control == "none" else f", control {truth.control}"
    return f"{truth.video_id} ({truth.variant}{control}): {', '.join(truth.labels)}"


def draw_frame(axes: Axes, truth: ClipTruth, frame_HWC: NDArray[np.uint8], seconds: float) -> None:
    """Draw a frame with its objects outlined, thickly those that are heard."""
    axes.imshow(frame_HWC)
    sounding = truth.sounding(seconds)
    object_map_HW = truth.object_map(truth.frame_index(seconds))
    for thing in truth.objects:
        mask_HW = object_map_HW == thing.number
        if mask_HW.any():
            width = 2.6 if thing.number in sounding else 0.7
            axes.contour(mask_HW, levels=[0.5], colors=[colour_of(thing.number)], linewidths=[width])
    axes.set_axis_off()
    axes.set_title(f"{seconds:.2f} s", color=INK, fontsize=8, pad=2)


def draw_spectrogram(axes: Axes, waveform_S: NDArray[np.float32], duration_seconds: float) -> None:
    """Draw the spectrogram of a clip."""
    # A pseudo-random floor of -100 dB: digital silence would be minus infinity.
    floored_S = waveform_S + 1e-5 * np.sign(np.sin(np.arange(len(waveform_S)) ** 2))
    axes.specgram(floored_S, NFFT=512, Fs=SAMPLE_RATE_HZ, noverlap=352, cmap="magma", vmin=-110, vmax=-35)
    axes.set_yscale("symlog", linthresh=400)
    axes.set_ylim(50, SAMPLE_RATE_HZ / 2)
    axes.set_yticks([100, 400, 1000, 2000, 4000], labels=["100", "400", "1k", "2k", "4k"])
    axes.set_ylabel("Hz", fontsize=8)
    axes.set_xlim(0, duration_seconds)
    axes.tick_params(labelbottom=False)
    style(axes)


def _draw_events(axes: Axes, truth: ClipTruth) -> None:
    names = []
    for row, thing in enumerate(truth.objects):
        colour = colour_of(thing.number)
        for event in truth.events:
            if event.object_number == thing.number:
                alpha = 0.45 if event.is_on_screen else 0.2
                span = (event.start_seconds, event.stop_seconds - event.start_seconds)
                axes.broken_barh([span], (row - 0.42, 0.84), color=colour, alpha=alpha)
        level_T = 0.8 * np.minimum(thing.loudness_T, 1.0)
        axes.fill_between(truth.frame_seconds_T, row + 0.42, row + 0.42 - level_T, color=colour, lw=0)
        names.append(f"{thing.number} {thing.class_name}" + ("" if thing.is_on_stage else " (off)"))
    axes.set_yticks(range(len(names)), labels=names)
    axes.set_ylim(len(names) - 0.5, -0.5)
    axes.set_xlim(0, truth.duration_seconds)
    axes.set_xlabel("seconds", fontsize=8)
    style(axes)


def style(axes: Axes) -> None:
    """Give axes the colours of these figures."""
    axes.set_facecolor("#0c0d10")
    axes.tick_params(colors=INK, labelsize=8)
    axes.yaxis.label.set_color(INK)
    axes.xaxis.label.set_color(INK)
    for spine in axes.spines.values():
        spine.set_visible(False)


def colour_of(number: int) -> str:
    """Colour of an object of this number."""
    return _COLOURS[(number - 1) % len(_COLOURS)]
