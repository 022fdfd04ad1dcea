"""Classification of a video file over time: a model, a probe and a file in, `VideoClasses` out.

Letters: T frames per clip, K of them in a window, C classes, D width of a feature, H W pixels.
"""

import os
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from cavmae_sync.embedding import Embedder, video_inputs
from cavmae_sync.errors import NoAudioStreamError, NoVideoStreamError
from cavmae_sync.inputs import resize_and_crop
from cavmae_sync.inputs.model_input import ModelInput
from cavmae_sync.maps import MapConfig, localization_maps, patch_vectors, sound_vectors
from cavmae_sync.media import Clip
from cavmae_sync.media import probe as probe_file
from cavmae_sync.paper import CLIP_SECONDS, NUM_FRAMES
from cavmae_sync.tasks.classification.features import features_of_inputs
from cavmae_sync.tasks.classification.probe import Probe
from cavmae_sync.tasks.classification.video_classes import SpanProbabilities, VideoClasses
from cavmae_sync.weights import weights_fingerprint

#: Three frames of a published clip: short enough to follow events, long enough for more than one frame.
WINDOW_SECONDS: Final = 2.0
#: Frames kept for the figure, and their side.
_MAX_FRAMES: Final = 32
_FRAME_PIXELS: Final = 96


def classify_video(
    embedder: Embedder,
    probe: Probe,
    path: str | os.PathLike[str],
    *,
    window_seconds: float = WINDOW_SECONDS,
    clip_seconds: float = CLIP_SECONDS,
    num_frames: int = NUM_FRAMES,
    maps: MapConfig | None = None,
    on_progress: Callable[[int, int], None] | None = None,
) -> VideoClasses:
    """Classes of a video file of any length, as a whole and over time.

    The file is read in one pass; memory holds the probabilities, one clip and a few small frames. A rest of
    less than a second at the end is left out.

    Args:
        embedder: The backbone and how it computes.
        probe: Probe that was trained on this backbone.
        path: Video file with sound. A probe of sound alone, or of frames alone, needs both too: files are cut
            into clips along their frames and read with their sound.
        window_seconds: Length of the window around a moment, within its clip.
        clip_seconds: Length of a clip; the last one may be shorter.
        num_frames: Frames of a clip.
        maps: How maps of the sound over the frames of the figure are made; None makes none.
        on_progress: Called after each clip with seconds done and seconds in all.

    Raises:
        WeightsError: The probe was trained on another backbone, or a feature is not finite.
        MediaError: The file cannot be read, or has no video or no sound.
        ValueError: `window_seconds` is not positive, or maps with `contrast` are asked for, which needs other
            sounds.
    """
    if not window_seconds > 0:
        raise ValueError(f"window_seconds must be positive, got {window_seconds}.")
    if maps is not None and maps.contrast:
        raise ValueError("Maps with contrast need other sounds, and there are none here.")
    weights = weights_fingerprint(embedder.model)
    probe.check_weights(weights)
    found = _Found(probe, window_seconds=window_seconds)
    total = probe_file(path).duration_seconds or 0.0
    try:
        config = embedder.model.config.inputs
        for clip, inputs in video_inputs(config, path, clip_seconds=clip_seconds, num_frames=num_frames):
            maps_THW = None if maps is None else _maps(embedder, inputs, maps)
            found.add(clip, features_of_inputs(embedder, inputs, probe.features), maps_THW)
            if on_progress is not None:
                stop = clip.start_seconds + clip.duration_seconds
                on_progress(round(stop), max(round(total), round(stop)))
    except (NoVideoStreamError, NoAudioStreamError) as error:
        raise type(error)(f"{error}{_missing_stream_advice(probe, error)}") from error
    end = round(found.clips.stops[-1])
    if on_progress is not None and end < round(total):  # the rest of less than a second
        on_progress(end, end)
    return found.video_classes(weights, maps)


def _maps(embedder: Embedder, inputs: ModelInput, config: MapConfig) -> Tensor:
    """Map of the sound around each frame of a clip, [T, H, W]."""
    sounds_TD = sound_vectors(embedder, inputs.segments_TLM.split(1), config)
    patches_TND = patch_vectors(embedder, inputs.frames_TCHW, config)
    return localization_maps(sounds_TD, patches_TND, grid=embedder.model.config.visual_grid)


class _Found:
    """Probabilities and frames found so far."""

    def __init__(self, probe: Probe, *, window_seconds: float) -> None:
        self.probe, self.window_seconds = probe, window_seconds
        self.clips, self.moments, self.strip = _SpanRows(), _SpanRows(), _FrameStrip()

    def add(self, clip: Clip, features_TD: Tensor, maps_THW: Tensor | None) -> None:
        """Add a clip, and a moment around each of its frames: up to half-way to the neighbours."""
        start, seconds_T = clip.start_seconds, clip.frame_seconds_T
        stop = start + clip.duration_seconds
        clip_C = self.probe.probabilities(features_TD[None])[0]
        self.clips.add([start], [stop], clip_C[None])
        edges = [start, *(start + (seconds_T[1:] + seconds_T[:-1]) / 2).tolist(), stop]
        near_TC = _moments(
            self.probe, features_TD, clip_C, seconds_T=seconds_T, window_seconds=self.window_seconds
        )
        self.moments.add(edges[:-1], edges[1:], near_TC)
        self.strip.add(clip, maps_THW)

    def video_classes(self, weights: str, maps: MapConfig | None) -> VideoClasses:
        return VideoClasses(
            classes=self.probe.classes,
            loss=self.probe.loss,
            clips=self.clips.spans(),
            moments=self.moments.spans(),
            window_seconds=self.window_seconds,
            frame_seconds_T=np.array(self.strip.seconds),
            frames_THWC=np.stack(self.strip.frames),
            weights=weights,
            maps_THW=None if maps is None else np.stack(self.strip.maps),
            maps_by=maps,
        )


def _moments(
    probe: Probe,
    features_TD: Tensor,
    clip_C: Tensor,
    *,
    seconds_T: NDArray[np.float64],
    window_seconds: float,
) -> Tensor:
    """Probabilities [T, C] around each frame: the geometric mean of those of its window and of its clip.

    A window alone finds much that its clip does not hold, so that the clip's probabilities weigh as much. The
    frames of a window are repeated to about the number of a clip: the attention of the head was trained with
    that number of rows. A mean over time is not changed by it.
    """
    is_near_TT = np.abs(seconds_T[:, None] - seconds_T) <= window_seconds / 2 + 1e-6
    rows = []
    for near_T in is_near_TT:
        near_KD = features_TD[torch.from_numpy(near_T)]
        times = max(1, round(len(features_TD) / len(near_KD)))
        rows.append(probe.probabilities(near_KD.repeat(times, 1)[None])[0])
    both_TC = (torch.stack(rows) * clip_C).sqrt()
    return both_TC if probe.loss == "bce" else both_TC / both_TC.sum(dim=1, keepdim=True)


def _missing_stream_advice(probe: Probe, error: NoVideoStreamError | NoAudioStreamError) -> str:
    """Sentence that says which streams the probe needs, and how to add the missing one."""
    modalities = probe.features.modalities
    if modalities == "audio" and isinstance(error, NoVideoStreamError):
        return (
            " The probe needs only sound, but files are cut into clips along their frames. Sound alone "
            "cannot be read yet. Add frames: ffmpeg -f lavfi -i color -i SOUND -shortest VIDEO.mp4"
        )
    if modalities == "visual" and isinstance(error, NoAudioStreamError):
        return (
            " The probe needs only frames, but files are read with their sound. Frames alone cannot be read "
            "yet. Add silence: ffmpeg -i VIDEO -f lavfi -i anullsrc -c:v copy -shortest WITH_SOUND.mp4"
        )
    needs = {"both": "sound and frames", "audio": "sound", "visual": "frames"}
    return f" The probe needs {needs[modalities]}."


@dataclass(kw_only=True, slots=True)
class _SpanRows:
    """Spans collected so far."""

    starts: list[float] = field(default_factory=list)
    stops: list[float] = field(default_factory=list)
    probabilities: list[Tensor] = field(default_factory=list)

    def add(self, starts: list[float], stops: list[float], probabilities_NC: Tensor) -> None:
        """Add spans, except those without length (frames at one time, at the end of a clip)."""
        for start, stop, row_C in zip(starts, stops, probabilities_NC.float(), strict=True):
            if stop > start:
                self.starts.append(start)
                self.stops.append(stop)
                self.probabilities.append(row_C)

    def spans(self) -> SpanProbabilities:
        return SpanProbabilities(
            start_seconds_N=np.array(self.starts),
            stop_seconds_N=np.array(self.stops),
            probabilities_NC=torch.stack(self.probabilities).numpy(),
        )


@dataclass(kw_only=True, slots=True)
class _FrameStrip:
    """Small frames, evenly spread over the file so far: every other one is dropped when there are too many.

    The length of a file is not known before its end.
    """

    seconds: list[float] = field(default_factory=list)
    frames: list[NDArray[np.uint8]] = field(default_factory=list)
    maps: list[NDArray[np.float32]] = field(default_factory=list)
    every: int = 1
    num_seen: int = 0

    def add(self, clip: Clip, maps_THW: Tensor | None) -> None:
        for t, (frame_HWC, seconds) in enumerate(zip(clip.frames_THWC, clip.frame_seconds_T, strict=True)):
            if self.num_seen % self.every == 0:
                small_THWC = resize_and_crop(frame_HWC[None], pixels=_FRAME_PIXELS)
                self.frames.append(small_THWC[0].numpy())
                self.seconds.append(clip.start_seconds + float(seconds))
                if maps_THW is not None:
                    self.maps.append(maps_THW[t].numpy())
            self.num_seen += 1
            if len(self.frames) > _MAX_FRAMES:
                self.frames, self.seconds, self.maps = self.frames[::2], self.seconds[::2], self.maps[::2]
                self.every *= 2
