"""Segments of a video as a table, as CSV, as JSON values and as a picture; and a truth from a CSV file."""

import math
from dataclasses import asdict
from pathlib import Path
from typing import Any, Final

import numpy as np
from matplotlib.figure import Figure
from rich.table import Table

from cavmae_sync.atomic import csv_text
from cavmae_sync.errors import DatasetError
from cavmae_sync.figures.style import drawable
from cavmae_sync.safe_text import table_title
from cavmae_sync.tasks.temporal.clustering import Segment
from cavmae_sync.tasks.temporal.figure import LETTERS_NOTE, Bar, Surroundings, states_figure
from cavmae_sync.tasks.temporal.segment_video import SegmentingConfig, StatesOfModality, VideoStates
from cavmae_sync.untrusted import read_rows

_COLUMNS: Final = ("start", "stop", "label")


def states_table(found: VideoStates, *, title: str) -> Table:
    """For people: a row for each segment. Print with rich, and `states_notes` below."""
    table = Table(title=table_title(title), title_justify="left")
    table.add_column("vectors")
    for heading in ("start", "stop", "lasts"):
        table.add_column(heading, justify="right")
    table.add_column("state", justify="center")
    for modality, states in found.states.items():
        for number, segment in enumerate(states.segments):
            table.add_row(
                modality if number == 0 else "",
                f"{segment.start_seconds:.2f} s",
                f"{segment.stop_seconds:.2f} s",
                f"{segment.stop_seconds - segment.start_seconds:.2f} s",
                segment.name,
            )
        table.add_section()
    return table


def states_notes(found: VideoStates, *, config: SegmentingConfig) -> list[str]:
    """A sentence for each modality: whether anything changes, how surely, and how labels were found."""
    return [
        f"{modality}: {_verdict(states, config)} ({_how(states)})"
        for modality, states in found.states.items()
    ]


def states_csv(found: VideoStates) -> str:
    """One row for each segment: modality, start and stop in seconds, label."""
    rows = [
        (modality, f"{segment.start_seconds:.3f}", f"{segment.stop_seconds:.3f}", segment.name)
        for modality, states in found.states.items()
        for segment in states.segments
    ]
    return csv_text([("modality", *_COLUMNS), *rows])


def states_dict(found: VideoStates, *, config: SegmentingConfig) -> dict[str, Any]:
    """JSON values: segments by modality, which way was taken to their labels, and what was chosen."""
    return {
        "config": asdict(config),
        "start_seconds": found.start_seconds,
        "stop_seconds": found.stop_seconds,
        "num_frames": len(found.frame_seconds_T),
        "modalities": {
            modality: {
                "segments": [
                    {
                        "start_seconds": segment.start_seconds,
                        "stop_seconds": segment.stop_seconds,
                        "label": segment.name,
                    }
                    for segment in states.segments
                ],
                "farthest": states.farthest,
                "has_sharp_border": states.is_sharp,
                "clusterings": [
                    {
                        "path": one.path,
                        "num_states": one.num_labels,
                        "num_iterations": one.num_iterations,
                        "threshold": one.threshold,
                    }
                    for one in states.clusterings
                ],
            }
            for modality, states in found.states.items()
        },
    }


def read_truth(path: Path) -> Bar:
    """A hand-made truth: CSV with the columns start, stop (seconds) and label, one row for each stretch.

    Raises:
        DatasetError: Columns are missing, a time is none, or there is no row.
    """
    stretches = [_stretch(path, number, row) for number, row in read_rows(path, _COLUMNS)]
    if not stretches:
        raise DatasetError(f"{path} has no stretches. Write one line for each: start,stop,label")
    names = list(dict.fromkeys(name for _, _, name in stretches))
    return Bar(
        name="truth",
        segments=[
            Segment(start_seconds=start, stop_seconds=stop, label=names.index(name))
            for start, stop, name in sorted(stretches)
        ],
        names=dict(enumerate(names)),
    )


def states_figure_of(found: VideoStates, *, name: str, truth: Bar | None = None) -> Figure:
    """Bars in the order of the paper: visual, both, audio, then the truth if there is one.

    Args:
        found: The segments, and what stands around them.
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
        title=f"{drawable(name)}: stretches of one state\n{LETTERS_NOTE}",
    )


def _bar(modality: str, states: StatesOfModality) -> Bar:
    changes = len(states.segments) > 1
    return Bar(
        name=modality,
        segments=states.segments,
        names=None if changes else {0: "one segment: nothing changes"},
    )


def _stretch(path: Path, line: int, row: dict[str, str]) -> tuple[float, float, str]:
    try:
        start, stop = float(row["start"]), float(row["stop"])
    except (TypeError, ValueError):
        start = stop = math.nan
    if not (0 <= start < stop < math.inf) or not row["label"]:
        raise DatasetError(
            f"{path}, line {line}: needs start < stop in seconds and a label, got "
            f"{row['start']!r}, {row['stop']!r}, {row['label']!r}."
        )
    return start, stop, row["label"]


def _verdict(states: StatesOfModality, config: SegmentingConfig) -> str:
    number = len(states.segments)
    if number == 1 and any(one.num_labels > 1 for one in states.clusterings):
        return "one segment: all others were shorter than --min-seconds"
    if number == 1:
        return (
            f"one segment: nothing changes. Frames differ by at most {states.farthest:.2g}; this model tells "
            f"them apart from {config.least_distance:g} on"
        )
    if states.is_sharp is None:
        return f"{number} segments"
    if states.is_sharp:
        return f"{number} segments; a border is sharper than steady noise or slow drift would give"
    return (
        f"{number} segments; no border is sharper than steady noise, slow drift or a regular coming and "
        "going would give"
    )


def _how(states: StatesOfModality) -> str:
    ways = [one.path.replace("_", "-") for one in states.clusterings]
    if len(ways) > 1:
        counts = {way: ways.count(way) for way in dict.fromkeys(ways)}
        return ", ".join(f"{count} clips {way}" for way, count in counts.items())
    (one,) = states.clusterings
    if one.threshold is None:
        return "all vectors are equal"
    tried = f"{one.num_iterations} {'threshold' if one.num_iterations == 1 else 'thresholds'} tried"
    return f"states: {one.num_labels}, {ways[0]}, {tried}, last one {np.round(one.threshold, 3)}"
