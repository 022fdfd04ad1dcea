"""States of a video as a table, as sentences, as CSV and as JSON values."""

from typing import Any

import numpy as np
from rich.table import Table

from cavmae_sync.atomic import csv_text
from cavmae_sync.safe_text import table_title
from cavmae_sync.tasks.temporal.config import SegmentingConfig
from cavmae_sync.tasks.temporal.video_states import StatesOfModality, VideoStates


def states_table(found: VideoStates, *, title: str) -> Table:
    """Table with a row for each span. Print with rich, and `states_notes` below."""
    table = Table(title=table_title(title), title_justify="left")
    table.add_column("vectors")
    for heading in ("start", "stop", "lasts"):
        table.add_column(heading, justify="right")
    table.add_column("state", justify="center")
    for modality, states in found.states.items():
        for number, span in enumerate(states.spans):
            table.add_row(
                modality if number == 0 else "",
                f"{span.start_seconds:.2f} s",
                f"{span.stop_seconds:.2f} s",
                f"{span.stop_seconds - span.start_seconds:.2f} s",
                span.name,
            )
        table.add_section()
    return table


def states_notes(found: VideoStates, *, config: SegmentingConfig) -> list[str]:
    """Sentence for each modality: whether anything changes, how surely, and how labels were found."""
    return [
        f"{modality}: {_verdict(states, config)} ({_how(states)})"
        for modality, states in found.states.items()
    ]


def states_csv(found: VideoStates) -> str:
    """CSV with a row for each span: modality, start and stop in seconds, label."""
    rows = [
        (modality, f"{span.start_seconds:.3f}", f"{span.stop_seconds:.3f}", span.name)
        for modality, states in found.states.items()
        for span in states.spans
    ]
    return csv_text([("modality", "start", "stop", "label"), *rows])


def states_dict(found: VideoStates, *, config: SegmentingConfig) -> dict[str, Any]:
    """JSON values: spans by modality, the way that led to their labels, and the configuration."""
    return {
        "config": config.model_dump(mode="json"),
        "start_seconds": found.start_seconds,
        "stop_seconds": found.stop_seconds,
        "num_frames": len(found.frame_seconds_T),
        "modalities": {
            modality: {
                "segments": [
                    {
                        "start_seconds": span.start_seconds,
                        "stop_seconds": span.stop_seconds,
                        "label": span.name,
                    }
                    for span in states.spans
                ],
                "farthest": states.farthest,
                "has_sharp_border": states.is_sharp,
                "clusterings": [
                    {
                        "path": clustering.path,
                        "num_states": clustering.num_labels,
                        "num_iterations": clustering.num_iterations,
                        "threshold": clustering.threshold,
                    }
                    for clustering in states.clusterings
                ],
            }
            for modality, states in found.states.items()
        },
    }


def _verdict(states: StatesOfModality, config: SegmentingConfig) -> str:
    number = len(states.spans)
    if number == 1 and any(clustering.num_labels > 1 for clustering in states.clusterings):
        return "one span: all others were shorter than min_seconds"
    if number == 1:
        return (
            f"one span: nothing changes. Frames differ by at most {states.farthest:.2g}; this model tells "
            f"them apart from {config.least_distance:g} on"
        )
    if states.is_sharp is None:
        return f"{number} spans"
    if states.is_sharp:
        return f"{number} spans; a border is sharper than steady noise or slow drift would give"
    return (
        f"{number} spans; no border is sharper than steady noise, slow drift or a regular coming and "
        "going would give"
    )


def _how(states: StatesOfModality) -> str:
    ways = [clustering.path.replace("_", "-") for clustering in states.clusterings]
    if len(ways) > 1:
        counts = {way: ways.count(way) for way in dict.fromkeys(ways)}
        return ", ".join(f"{count} clips {way}" for way, count in counts.items())
    (clustering,) = states.clusterings
    if clustering.threshold is None:
        return "all vectors are equal"
    thresholds = "threshold" if clustering.num_iterations == 1 else "thresholds"
    return (
        f"states: {clustering.num_labels}, {ways[0]}, {clustering.num_iterations} {thresholds} tried, "
        f"last one {np.round(clustering.threshold, 3)}"
    )
