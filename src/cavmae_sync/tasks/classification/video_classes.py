"""Classes of a video over time: probabilities of its clips and moments, and when each class is present.

Letters: T frames of the video, N spans, C classes, H W pixels.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from cavmae_sync.atomic import csv_text
from cavmae_sync.choices import ClassLoss
from cavmae_sync.maps import MapConfig
from cavmae_sync.metrics.runs import run_edges

#: Least probability of a present class, where each class is decided by itself. It is low because label
#: smoothing keeps probabilities low; on generated clips no other value was clearly better (docs/results.md).
THRESHOLD: Final = 0.3


@dataclass(frozen=True, kw_only=True, slots=True)
class SpanProbabilities:
    """Spans of a file, in order of time, with the probability of every class in each.

    Attributes:
        start_seconds_N: float64, on the file's timeline.
        stop_seconds_N: float64.
        probabilities_NC: float32, in [0, 1].
    """

    start_seconds_N: NDArray[np.float64]
    stop_seconds_N: NDArray[np.float64]
    probabilities_NC: NDArray[np.float32]

    def __post_init__(self) -> None:
        """Refuse lengths that differ, and spans without length."""
        lengths = {len(self.start_seconds_N), len(self.stop_seconds_N), len(self.probabilities_NC)}
        if len(lengths) != 1 or 0 in lengths or self.probabilities_NC.ndim != 2:
            raise ValueError(
                f"Each span needs a start, a stop and probabilities, got {len(self.start_seconds_N)}, "
                f"{len(self.stop_seconds_N)} and {self.probabilities_NC.shape}."
            )
        if not (self.start_seconds_N < self.stop_seconds_N).all():
            raise ValueError("A span must stop after it starts.")


@dataclass(frozen=True, kw_only=True, slots=True)
class ClassSpan:
    """Span during which a class is present.

    Attributes:
        name: Name of the class.
        start_seconds: On the file's timeline.
        stop_seconds: On the file's timeline.
        mean_probability: Mean over the span.
        peak_probability: Maximum over the span.
    """

    name: str
    start_seconds: float
    stop_seconds: float
    mean_probability: float
    peak_probability: float


@dataclass(frozen=True, kw_only=True, slots=True)
class VideoClasses:
    """Classes of a video, as a probe finds them.

    Attributes:
        classes: Name of each class.
        loss: "bce" where each class is decided by itself, "ce" where one is chosen.
        clips: Spans of ten seconds, which is how probes are trained.
        moments: One span around each frame: the geometric mean of the probabilities of its clip and of a
            window around it. The clip says what there is, the window says when. Finer in time, but less
            reliable: a window has fewer different frames than the clips that the probe was trained on.
        window_seconds: Length of that window.
        frame_seconds_T: Times of the frames.
        frames_THWC: uint8, some frames of the file as the model sees them, evenly over its length.
        weights: Fingerprint of the backbone.
        maps_THW: float32, map of the sound around each of these frames; None unless asked for.
        maps_by: How the maps were made.
    """

    classes: tuple[str, ...]
    loss: ClassLoss
    clips: SpanProbabilities
    moments: SpanProbabilities
    window_seconds: float
    frame_seconds_T: NDArray[np.float64]
    frames_THWC: NDArray[np.uint8]
    weights: str
    maps_THW: NDArray[np.float32] | None = None
    maps_by: MapConfig | None = None

    def whole(self) -> NDArray[np.float64]:
        """Probability of each class in the file [C]: the mean over its clips, each as much as it is long."""
        seconds_N = self.clips.stop_seconds_N - self.clips.start_seconds_N
        return np.average(self.clips.probabilities_NC.astype(np.float64), axis=0, weights=seconds_N)

    def top(self, count: int) -> list[tuple[str, float]]:
        """Most probable classes of the file, with their probabilities."""
        whole_C = self.whole()
        return [(self.classes[c], float(whole_C[c])) for c in np.argsort(-whole_C, kind="stable")[:count]]

    def top_of_clip(self, n: int, count: int) -> list[tuple[str, float]]:
        """Most probable classes of one clip, with their probabilities."""
        row_C = self.clips.probabilities_NC[n]
        return [(self.classes[c], float(row_C[c])) for c in np.argsort(-row_C, kind="stable")[:count]]

    def spans(self, *, threshold: float = THRESHOLD) -> tuple[ClassSpan, ...]:
        """Spans during which each class is present, by start.

        Args:
            threshold: Least probability of a present class, for "bce"; for "ce" the most probable class of
                each moment is the present one.
        """
        rows_NC = self.moments.probabilities_NC
        if self.loss == "ce":
            is_present_NC = np.zeros_like(rows_NC, dtype=bool)
            is_present_NC[np.arange(len(rows_NC)), rows_NC.argmax(axis=1)] = True
        else:
            is_present_NC = rows_NC >= threshold
        found = [
            self._span(c, first, stop)
            for c in np.flatnonzero(is_present_NC.any(axis=0)).tolist()
            for first, stop in pairwise(run_edges(is_present_NC[:, c]).tolist())
            if is_present_NC[first, c]
        ]
        return tuple(sorted(found, key=lambda span: (span.start_seconds, -span.peak_probability)))

    def _span(self, c: int, first: int, stop: int) -> ClassSpan:
        values_N = self.moments.probabilities_NC[first:stop, c].astype(np.float64)
        starts_N = self.moments.start_seconds_N[first:stop]
        stops_N = self.moments.stop_seconds_N[first:stop]
        return ClassSpan(
            name=self.classes[c],
            start_seconds=float(starts_N[0]),
            stop_seconds=float(stops_N[-1]),
            mean_probability=float(np.average(values_N, weights=stops_N - starts_N)),
            peak_probability=float(values_N.max()),
        )

    def to_dict(self, *, threshold: float = THRESHOLD) -> dict[str, Any]:
        """JSON values: all classes of the file, of every clip and of every moment."""
        return {
            "classes": list(self.classes),
            "loss": self.loss,
            "weights": self.weights,
            "window_seconds": self.window_seconds,
            "threshold": threshold if self.loss == "bce" else None,
            "whole": dict(zip(self.classes, self.whole().tolist(), strict=True)),
            "clips": self._rows(self.clips),
            "moments": self._rows(self.moments),
            "spans": [
                {name: getattr(span, name) for name in ClassSpan.__slots__}
                for span in self.spans(threshold=threshold)
            ],
        }

    def to_json(self, *, threshold: float = THRESHOLD) -> str:
        """One JSON object, indented, ending with a newline."""
        content = self.to_dict(threshold=threshold)
        return json.dumps(content, indent=2, allow_nan=False, ensure_ascii=False) + "\n"

    def _rows(self, spans: SpanProbabilities) -> list[dict[str, Any]]:
        return [
            {"start_seconds": start, "stop_seconds": stop, "probabilities": values}
            for start, stop, values in zip(
                spans.start_seconds_N.tolist(),
                spans.stop_seconds_N.tolist(),
                spans.probabilities_NC.astype(np.float64).round(6).tolist(),
                strict=True,
            )
        ]

    def to_csv(self) -> str:
        """CSV, a line per clip and per moment: `kind`, `start_seconds`, `stop_seconds`, then every class."""
        rows: list[Sequence[object]] = [("kind", "start_seconds", "stop_seconds", *self.classes)]
        for kind, spans in (("clip", self.clips), ("moment", self.moments)):
            for row in self._rows(spans):
                times = (f"{row[name]:.3f}" for name in ("start_seconds", "stop_seconds"))
                rows.append((kind, *times, *row["probabilities"]))
        return csv_text(rows)
