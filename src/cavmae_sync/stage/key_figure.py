"""Key to clips of a stage: what is seen and heard and when, for a person who wants to try the task.

Shape letters: T frames, H W pixels, C channels, S samples.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Final

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.gridspec import SubplotSpec
from matplotlib.patches import Rectangle
from numpy.typing import NDArray

from cavmae_sync.media import read_clip
from cavmae_sync.stage.figure import INK, PAPER, colour_of, draw_spectrogram, style
from cavmae_sync.stage.truth import ClipTruth
from cavmae_sync.stage.truth_file import StageTruth

_NUM_FRAMES: Final = 4
_ROW_INCHES: Final = 1.75


def stage_key_figure(folder: Path, video_ids: Sequence[str]) -> Figure:
    """Draw clips of a stage, one below the other: some frames, the sound, and who sounds when.

    A box surrounds the object that sounds. Lines in the spectrogram are the times of the frames.

    Args:
        folder: The stage.
        video_ids: Its clips to draw.

    Raises:
        DatasetError: The folder is not a finished stage.
        MediaError: A clip's file cannot be read.
    """
    truths = StageTruth(folder)
    figure = Figure(figsize=(14, _ROW_INCHES * len(video_ids)), facecolor=PAPER)
    rows = figure.add_gridspec(len(video_ids), 1, hspace=0.24)
    for number, video_id in enumerate(video_ids):
        _draw_clip(figure, rows[number], folder, truths[video_id])
    height = figure.get_figheight()
    figure.subplots_adjust(left=0.01, right=0.995, top=1 - 0.3 / height, bottom=0.25 / height)
    return figure


def _draw_clip(figure: Figure, place: SubplotSpec, folder: Path, truth: ClipTruth) -> None:
    clip = read_clip(
        folder / "clips" / f"{truth.video_id}.mp4",
        clip_seconds=truth.duration_seconds,
        num_frames=_NUM_FRAMES,
        sampling="uniform_center",
    )
    left, right = place.subgridspec(1, 2, width_ratios=(_NUM_FRAMES * 1.02, 5.6), wspace=0.2)
    frame_axes = left.subgridspec(1, _NUM_FRAMES, wspace=0.04).subplots(squeeze=False)[0]
    for axes, frame_HWC, seconds in zip(frame_axes, clip.frames_THWC, clip.frame_seconds_T, strict=True):
        _draw_frame(axes, truth, frame_HWC, float(seconds))
    sound, turns = right.subgridspec(2, 1, height_ratios=(1.0, 1.0), hspace=0.04)
    spectrogram, key = figure.add_subplot(sound), figure.add_subplot(turns)
    draw_spectrogram(spectrogram, clip.waveform_S, truth.duration_seconds)
    spectrogram.set_title(truth.video_id, color="white", fontsize=8, pad=2, loc="left")
    spectrogram.set_ylabel("")
    spectrogram.set_yticks([])
    _draw_key(key, truth, clip.frame_seconds_T)
    for seconds in clip.frame_seconds_T:
        spectrogram.axvline(seconds, color="white", lw=0.8, alpha=0.8)


def _draw_frame(axes: Axes, truth: ClipTruth, frame_HWC: NDArray[np.uint8], seconds: float) -> None:
    """Draw a frame with a box around what sounded when it appeared."""
    axes.imshow(frame_HWC)
    index = truth.frame_index(seconds)
    for number in truth.sounding(float(truth.frame_seconds_T[index])):
        left, top, right, bottom = (float(edge) for edge in truth.objects[number - 1].boxes_T4[index])
        box = Rectangle((left, top), right - left, bottom - top, fill=False, edgecolor="white", lw=1.5)
        axes.add_patch(box)
    axes.set_axis_off()
    axes.set_title(f"{seconds:.2f} s", color=INK, fontsize=8, pad=2)


def _draw_key(axes: Axes, truth: ClipTruth, frame_seconds_T: NDArray[np.float64]) -> None:
    """Draw a line for each object and a bar for each time at which it is heard."""
    for row, thing in enumerate(truth.objects):
        for event in truth.events:
            if event.object_number == thing.number:
                span = (event.start_seconds, event.stop_seconds - event.start_seconds)
                axes.broken_barh([span], (row - 0.42, 0.84), color=colour_of(thing.number))
    names = [thing.class_name + ("" if thing.is_on_stage else " (off)") for thing in truth.objects]
    axes.set_yticks(range(len(names)), labels=names)
    axes.set_ylim(len(names) - 0.5, -0.5)
    axes.set_xlim(0, truth.duration_seconds)
    for seconds in frame_seconds_T:
        axes.axvline(seconds, color="white", lw=0.8, alpha=0.8)
    style(axes)
    for label, thing in zip(axes.get_yticklabels(), truth.objects, strict=True):
        label.set_color(colour_of(thing.number))
