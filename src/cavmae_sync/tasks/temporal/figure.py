"""Figures of temporal segmentation: of one video, and of one evaluated clip."""

from collections.abc import Sequence

import numpy as np
from matplotlib.figure import Figure

from cavmae_sync.data import PreparedDataset
from cavmae_sync.figures.style import drawable
from cavmae_sync.metrics.temporal import rand_index
from cavmae_sync.tasks.temporal.bars import LETTERS_NOTE, Bar, Surroundings, states_figure
from cavmae_sync.tasks.temporal.evaluate import TemporalReport
from cavmae_sync.tasks.temporal.spans import edges_and_labels
from cavmae_sync.tasks.temporal.truth import frame_times
from cavmae_sync.tasks.temporal.video_states import StatesOfModality, VideoStates


def video_states_figure(found: VideoStates, *, name: str, truth: Bar | None = None) -> Figure:
    """Bars of a video in the order of the paper: visual, both, audio, then the truth if there is one.

    Args:
        found: Its states, and the frames and sound around them.
        name: Of the file.
        truth: From `read_truth`.
    """
    order = [modality for modality in ("visual", "both", "audio") if modality in found.states]
    bars = [_bar(modality, found.states[modality]) for modality in order]
    return states_figure(
        bars if truth is None else [*bars, truth],
        around=Surroundings(
            frames_THWC=found.thumbnails_THWC,
            frame_seconds_T=found.frame_seconds_T,
            log_mel_NM=found.log_mel_NM,
            start_seconds=found.start_seconds,
            stop_seconds=found.stop_seconds,
        ),
        title=f"{drawable(name)}: spans of one state\n{LETTERS_NOTE}",
    )


def temporal_report_figure(clips: PreparedDataset, reports: Sequence[TemporalReport]) -> Figure:
    """Bars of one evaluated clip: the one with the median adjusted Rand index.

    Args:
        clips: The clips that were evaluated.
        reports: One for each task; the last one decides on the clip.
    """
    last = reports[-1]
    indices = [
        rand_index(*edges_and_labels(found), *edges_and_labels(true))
        for found, true in zip(last.predicted, last.true, strict=True)
    ]
    index = int(np.argsort(indices, kind="stable")[len(indices) // 2])
    clip = clips.row(index)
    bars = [
        bar
        for report in reports
        for bar in (
            Bar(name=f"{report.config.modality}:\nmodel", spans=report.predicted[index]),
            Bar(name=f"{report.config.states_of}:\ntruth", spans=report.true[index]),
        )
    ]
    return states_figure(
        bars,
        around=Surroundings(
            frames_THWC=np.stack([clips.read_frame(index, frame) for frame in range(clips.num_frames)]),
            frame_seconds_T=frame_times(clip),
            log_mel_NM=clips.read_log_mel_rows(index, start=0, stop=clip.num_spectrogram_frames),
            start_seconds=clip.start_seconds,
            stop_seconds=clip.stop_seconds,
        ),
        title=f"When the state changes: {clip.id}, adjusted Rand index {indices[index]:.2f} (the median)\n"
        f"{LETTERS_NOTE}",
    )


def _bar(modality: str, states: StatesOfModality) -> Bar:
    changes = len(states.spans) > 1
    return Bar(
        name=modality,
        spans=states.spans,
        names=None if changes else {0: "one span: nothing changes"},
    )
