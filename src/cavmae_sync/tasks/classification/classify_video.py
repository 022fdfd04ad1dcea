"""Classes over time of a video file: a model, a probe and a file in; probabilities of its stretches out.

Letters: T frames per clip, N stretches, C classes, D width of a feature, H W pixels.
"""

import json
import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any, Final

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from cavmae_sync.atomic import csv_text
from cavmae_sync.choices import ClassLoss
from cavmae_sync.embedding import Embedder, video_inputs
from cavmae_sync.errors import NoAudioStreamError, NoVideoStreamError
from cavmae_sync.inputs import resize_and_crop
from cavmae_sync.media import Clip
from cavmae_sync.media import probe as probe_file
from cavmae_sync.metrics.runs import run_edges
from cavmae_sync.paper import CLIP_SECONDS, NUM_FRAMES
from cavmae_sync.tasks.classification.features import features_of_inputs
from cavmae_sync.tasks.classification.probe import Probe
from cavmae_sync.weights import weights_fingerprint

#: Three frames of a published clip: short enough to follow events, long enough to be more than one picture.
WINDOW_SECONDS: Final = 2.0
#: From here on a class counts as present where each class is decided by itself. Label smoothing keeps
#: probabilities low; on generated clips nothing is clearly better (docs/results.md).
THRESHOLD: Final = 0.3
#: Frames kept for the picture, and their side.
_MAX_PICTURES: Final = 32
_PICTURE_PIXELS: Final = 96


@dataclass(frozen=True, kw_only=True, slots=True)
class Stretches:
    """Parts of a file, in order of time, and the probability of every class in each.

    Attributes:
        start_seconds_N: float64, on the file's timeline.
        stop_seconds_N: float64.
        probabilities_NC: float32, in [0, 1].
    """

    start_seconds_N: NDArray[np.float64]
    stop_seconds_N: NDArray[np.float64]
    probabilities_NC: NDArray[np.float32]

    def __post_init__(self) -> None:
        """Refuses what does not belong together."""
        lengths = {len(self.start_seconds_N), len(self.stop_seconds_N), len(self.probabilities_NC)}
        if len(lengths) != 1 or 0 in lengths or self.probabilities_NC.ndim != 2:
            raise ValueError(
                f"Each stretch needs a start, a stop and probabilities, got {len(self.start_seconds_N)}, "
                f"{len(self.stop_seconds_N)} and {self.probabilities_NC.shape}."
            )
        if not (self.start_seconds_N < self.stop_seconds_N).all():
            raise ValueError("A stretch must stop after it starts.")


@dataclass(frozen=True, kw_only=True, slots=True)
class ClassSpan:
    """A time during which a class is present.

    Attributes:
        name: Of the class.
        start_seconds: On the file's timeline.
        stop_seconds: There too.
        mean_probability: Over the time.
        peak_probability: Highest in it.
    """

    name: str
    start_seconds: float
    stop_seconds: float
    mean_probability: float
    peak_probability: float


@dataclass(frozen=True, kw_only=True, slots=True)
class VideoClasses:
    """What a probe finds in a video.

    Attributes:
        classes: Name of each class.
        loss: "bce" where each class is decided by itself, "ce" where one is chosen.
        clips: Stretches of ten seconds, which is how probes are trained.
        moments: One stretch around each frame. Its clip says what there is, the frames of a window about it
            say when: the geometric mean of both. Finer in time, but a window has fewer different frames than
            the probe was trained with, so that its probabilities are less to be trusted.
        window_seconds: Length of that window.
        picture_seconds_T: When the pictures are shown.
        pictures_THWC: uint8, some frames of the file as the model sees them, evenly over its length.
        weights: Fingerprint of the backbone.
    """

    classes: tuple[str, ...]
    loss: ClassLoss
    clips: Stretches
    moments: Stretches
    window_seconds: float
    picture_seconds_T: NDArray[np.float64]
    pictures_THWC: NDArray[np.uint8]
    weights: str

    def whole(self) -> NDArray[np.float64]:
        """Probability of each class in the file [C]: the mean over its clips, each as much as it is long."""
        seconds_N = self.clips.stop_seconds_N - self.clips.start_seconds_N
        return np.average(self.clips.probabilities_NC.astype(np.float64), axis=0, weights=seconds_N)

    def top(self, count: int) -> list[tuple[str, float]]:
        """The surest classes of the file, with their probabilities."""
        whole_C = self.whole()
        return [(self.classes[c], float(whole_C[c])) for c in np.argsort(-whole_C, kind="stable")[:count]]

    def top_of_clip(self, n: int, count: int) -> list[tuple[str, float]]:
        """The surest classes of one clip, with their probabilities."""
        row_C = self.clips.probabilities_NC[n]
        return [(self.classes[c], float(row_C[c])) for c in np.argsort(-row_C, kind="stable")[:count]]

    def spans(self, *, threshold: float = THRESHOLD) -> tuple[ClassSpan, ...]:
        """When each class is present, by start.

        Args:
            threshold: Least probability of a present class, for "bce"; for "ce" the surest class of each
                moment is the present one.
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
        """JSON values only: of the file, of every clip and of every moment all classes."""
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

    def _rows(self, stretches: Stretches) -> list[dict[str, Any]]:
        return [
            {"start_seconds": start, "stop_seconds": stop, "probabilities": values}
            for start, stop, values in zip(
                stretches.start_seconds_N.tolist(),
                stretches.stop_seconds_N.tolist(),
                stretches.probabilities_NC.astype(np.float64).round(6).tolist(),
                strict=True,
            )
        ]

    def to_csv(self) -> str:
        """A line per clip and per moment: `kind`, `start_seconds`, `stop_seconds`, then every class."""
        rows: list[Sequence[object]] = [("kind", "start_seconds", "stop_seconds", *self.classes)]
        for kind, stretches in (("clip", self.clips), ("moment", self.moments)):
            for row in self._rows(stretches):
                times = (f"{row[name]:.3f}" for name in ("start_seconds", "stop_seconds"))
                rows.append((kind, *times, *row["probabilities"]))
        return csv_text(rows)


def classify_video(
    embedder: Embedder,
    probe: Probe,
    path: str | os.PathLike[str],
    *,
    window_seconds: float = WINDOW_SECONDS,
    clip_seconds: float = CLIP_SECONDS,
    num_frames: int = NUM_FRAMES,
    on_progress: Callable[[int, int], None] | None = None,
) -> VideoClasses:
    """The classes of a video file of any length, as a whole and over time.

    The file is read in one pass, and memory holds probabilities, one clip and a few small pictures. Less than
    a second at its end is left out.

    Args:
        embedder: The backbone and how it computes.
        probe: A head that was trained on this backbone.
        path: Video file with sound. A head that only hears, or only sees, needs both too: files are cut into
            clips along their picture and read with their sound.
        window_seconds: Frames so near to a moment judge it together, within its clip.
        clip_seconds: Length of a clip; the last one is as long as what is left.
        num_frames: Frames of a clip.
        on_progress: Called after each clip with seconds done and seconds in all.

    Raises:
        WeightsError: The probe was trained on another backbone, or the model gives what is not finite.
        MediaError: The file cannot be read, or has no picture or no sound.
        ValueError: `window_seconds` is not positive.
    """
    if not window_seconds > 0:
        raise ValueError(f"window_seconds must be positive, got {window_seconds}.")
    weights = weights_fingerprint(embedder.model)
    probe.check_weights(weights)
    clips, moments, strip = _Rows(), _Rows(), _Strip()
    total = probe_file(path).duration_seconds or 0.0
    try:
        config = embedder.model.config.inputs
        for clip, inputs in video_inputs(config, path, clip_seconds=clip_seconds, num_frames=num_frames):
            features_TD = features_of_inputs(embedder, inputs, probe.features)
            start, stop = clip.start_seconds, clip.start_seconds + clip.duration_seconds
            clip_C = probe.probabilities(features_TD[None])[0]
            clips.add([start], [stop], clip_C[None])
            seconds_T = clip.frame_seconds_T
            edges = [start, *(start + (seconds_T[1:] + seconds_T[:-1]) / 2).tolist(), stop]
            near_TC = _moments(probe, features_TD, clip_C, seconds_T=seconds_T, window_seconds=window_seconds)
            moments.add(edges[:-1], edges[1:], near_TC)
            strip.add(clip)
            if on_progress is not None:
                on_progress(round(stop), max(round(total), round(stop)))
        end = round(clips.stops[-1])
        if on_progress is not None and end < round(total):  # a rest of less than a second is left out
            on_progress(end, end)
    except (NoVideoStreamError, NoAudioStreamError) as error:
        raise type(error)(f"{error}{_needs_both(probe, error)}") from error
    return VideoClasses(
        classes=probe.classes,
        loss=probe.loss,
        clips=clips.stretches(),
        moments=moments.stretches(),
        window_seconds=window_seconds,
        picture_seconds_T=np.array(strip.seconds),
        pictures_THWC=np.stack(strip.pictures),
        weights=weights,
    )


def _moments(
    probe: Probe,
    features_TD: Tensor,
    clip_C: Tensor,
    *,
    seconds_T: NDArray[np.float64],
    window_seconds: float,
) -> Tensor:
    """Probabilities [T, C] around each frame: the geometric mean of what its window and its clip say.

    A window alone is sure of much that its clip does not hold. Its frames are repeated until they are about
    as many as in a clip, as the attention of the head is used to; a mean over time stays as it is.
    """
    is_near_TT = np.abs(seconds_T[:, None] - seconds_T) <= window_seconds / 2 + 1e-6
    rows = []
    for near_T in is_near_TT:
        near_KD = features_TD[torch.from_numpy(near_T)]
        times = max(1, round(len(features_TD) / len(near_KD)))
        rows.append(probe.probabilities(near_KD.repeat(times, 1)[None])[0])
    both_TC = (torch.stack(rows) * clip_C).sqrt()
    return both_TC if probe.loss == "bce" else both_TC / both_TC.sum(dim=1, keepdim=True)


def _needs_both(probe: Probe, error: NoVideoStreamError | NoAudioStreamError) -> str:
    sense = probe.features.modalities
    if sense == "audio" and isinstance(error, NoVideoStreamError):
        return (
            " The probe only hears, but files are cut into clips along their picture, so that sound alone is "
            "not read yet. Add a picture: ffmpeg -f lavfi -i color -i SOUND -shortest VIDEO.mp4"
        )
    if sense == "visual" and isinstance(error, NoAudioStreamError):
        return (
            " The probe only sees, but files are read with their sound, so that pictures alone are not read "
            "yet. Add silence: ffmpeg -i VIDEO -f lavfi -i anullsrc -c:v copy -shortest WITH_SOUND.mp4"
        )
    needs = {"both": "sound and picture", "audio": "sound", "visual": "a picture"}
    return f" The probe needs {needs[sense]}."


@dataclass(kw_only=True, slots=True)
class _Rows:
    """Stretches while they come in."""

    starts: list[float] = field(default_factory=list)
    stops: list[float] = field(default_factory=list)
    probabilities: list[Tensor] = field(default_factory=list)

    def add(self, starts: list[float], stops: list[float], probabilities_NC: Tensor) -> None:
        """Stretches without length (frames at one time, at the end of a clip) are left out."""
        for start, stop, row_C in zip(starts, stops, probabilities_NC.float(), strict=True):
            if stop > start:
                self.starts.append(start)
                self.stops.append(stop)
                self.probabilities.append(row_C)

    def stretches(self) -> Stretches:
        return Stretches(
            start_seconds_N=np.array(self.starts),
            stop_seconds_N=np.array(self.stops),
            probabilities_NC=torch.stack(self.probabilities).numpy(),
        )


@dataclass(kw_only=True, slots=True)
class _Strip:
    """Some pictures, evenly over what has come so far: every other one goes when there are too many."""

    seconds: list[float] = field(default_factory=list)
    pictures: list[NDArray[np.uint8]] = field(default_factory=list)
    every: int = 1
    num_seen: int = 0

    def add(self, clip: Clip) -> None:
        for frame_HWC, seconds in zip(clip.frames_THWC, clip.frame_seconds_T, strict=True):
            if self.num_seen % self.every == 0:
                small_THWC = resize_and_crop(frame_HWC[None], pixels=_PICTURE_PIXELS)
                self.pictures.append(small_THWC[0].numpy())
                self.seconds.append(clip.start_seconds + float(seconds))
            self.num_seen += 1
            if len(self.pictures) > _MAX_PICTURES:
                self.pictures, self.seconds = self.pictures[::2], self.seconds[::2]
                self.every *= 2
