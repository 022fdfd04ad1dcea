"""Division of a video file of any length into spans of one state, by sound, by picture and by both.

Letters: T frames of the file, H W pixels, C colours, D width, N spectrogram frames, M mel bins.
"""

import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional as F

from cavmae_sync.choices import Modalities
from cavmae_sync.embedding.embedder import Embedder
from cavmae_sync.embedding.video import EmbeddedClip, embed_video
from cavmae_sync.errors import ConfigError
from cavmae_sync.inputs.frames import resize
from cavmae_sync.inputs.spectrogram import log_mel
from cavmae_sync.media import probe
from cavmae_sync.tasks.temporal.changes import MOST_FRAMES, has_sharp_border, join_near
from cavmae_sync.tasks.temporal.clustering import Clustering, cluster_states, cosine_distances, state_vectors
from cavmae_sync.tasks.temporal.config import SegmentingConfig
from cavmae_sync.tasks.temporal.spans import (
    StateSpan,
    StateSpans,
    edges_and_labels,
    spans_of_edges,
    spans_of_labels,
    without_short_spans,
)

#: Frames that are clustered at once; distances of all pairs take 8 bytes each, 134 MB.
MAX_FRAMES_AT_ONCE: Final = 4096
#: Spectrogram frames per second that are kept for figures.
_SOUND_ROWS_PER_SECOND: Final = 20
_THUMBNAIL_PIXELS: Final = 72


@dataclass(frozen=True, kw_only=True, slots=True)
class StatesOfModality:
    """States found with the vectors of one modality.

    Attributes:
        spans: Without gaps, over the whole file; a label is a state, wherever it appears.
        clusterings: How labels were found: one for the file, or one for each clip.
        farthest: Largest cosine distance of two frames that were compared.
        is_sharp: Whether a border is sharper than steady noise or a slow drift would give
            (`has_sharp_border`); None where there is no border, or where there are too many frames to ask.
    """

    spans: StateSpans
    clusterings: tuple[Clustering, ...]
    farthest: float
    is_sharp: bool | None

    @property
    def num_labels(self) -> int:
        """Number of different states."""
        return len({span.label for span in self.spans})


@dataclass(frozen=True, kw_only=True, slots=True)
class VideoStates:
    """States of a video file, and what a figure shows around them.

    Attributes:
        states: By modality.
        frame_seconds_T: float64, time of every embedded frame, from the start of the file.
        start_seconds: Where the first clip starts.
        stop_seconds: Where the last one stops.
        thumbnails_THWC: uint8, the frames at small size.
        log_mel_NM: Natural logarithm of energies, 20 a second, spread evenly over the time.
    """

    states: Mapping[Modalities, StatesOfModality]
    frame_seconds_T: NDArray[np.float64]
    start_seconds: float
    stop_seconds: float
    thumbnails_THWC: NDArray[np.uint8]
    log_mel_NM: NDArray[np.float32]


def segment_video(
    embedder: Embedder,
    path: str | os.PathLike[str],
    *,
    config: SegmentingConfig,
    on_clip: Callable[[EmbeddedClip], None] | None = None,
) -> VideoStates:
    """Divide a video into spans in which the same is heard, or seen.

    Args:
        embedder: The model and how it computes.
        path: Video file with sound, at least 1 s long.
        config: How it is divided.
        on_clip: Called with each clip, for showing progress.

    Raises:
        MediaError: The file cannot be read, or has no picture or no sound, or is shorter than 1 s.
        ConfigError: It has more frames than can be compared at once.

    Source:
        Paper Figure 6; rule from the development code.
    """
    # Refused before an hour is read where the file says its length; else while it is read.
    _check_frames(path, int((probe(path).duration_seconds or 0) / config.clip_seconds), config)
    parts: list[_EmbeddedPart] = []
    clips = embed_video(embedder, path, clip_seconds=config.clip_seconds, num_frames=config.num_frames)
    for clip in clips:
        parts.append(_embedded_part(clip))
        _check_frames(path, len(parts), config)
        if on_clip is not None:
            on_clip(clip)
    return VideoStates(
        states={modality: _states_of_parts(parts, modality, config) for modality in config.modalities},
        frame_seconds_T=np.concatenate([part.seconds_T for part in parts]),
        start_seconds=parts[0].start_seconds,
        stop_seconds=parts[-1].stop_seconds,
        thumbnails_THWC=np.concatenate([part.thumbnails_THWC for part in parts]),
        log_mel_NM=np.concatenate([part.log_mel_NM for part in parts]),
    )


def _check_frames(path: str | os.PathLike[str], num_clips: int, config: SegmentingConfig) -> None:
    if config.scope == "file" and num_clips * config.num_frames > MAX_FRAMES_AT_ONCE:
        raise ConfigError(
            f"{path} has more than {MAX_FRAMES_AT_ONCE} frames at {config.num_frames} for each clip of "
            f"{config.clip_seconds:g} s, too many to compare all. Use scope=clip, or a smaller num_frames."
        )


@dataclass(frozen=True, kw_only=True, slots=True)
class _EmbeddedPart:
    """Vectors and small images of one clip: what stays in memory when its frames are gone."""

    audio_TD: Tensor
    visual_TD: Tensor
    seconds_T: NDArray[np.float64]
    start_seconds: float
    stop_seconds: float
    thumbnails_THWC: NDArray[np.uint8]
    log_mel_NM: NDArray[np.float32]


def _embedded_part(clip: EmbeddedClip) -> _EmbeddedPart:
    start, duration = clip.clip.start_seconds, clip.clip.duration_seconds
    num_rows = max(round(duration * _SOUND_ROWS_PER_SECOND), 1)
    rows_1MN = F.adaptive_avg_pool1d(log_mel(clip.clip.waveform_S).T[None], num_rows)
    frames_THWC = torch.from_numpy(clip.clip.frames_THWC)
    height, width = frames_THWC.shape[1:3]
    pixels = min(_THUMBNAIL_PIXELS, height)
    small_THWC = resize(
        frames_THWC, height=pixels, width=max(round(width * pixels / height), 1), mode="bilinear"
    )
    return _EmbeddedPart(
        audio_TD=clip.embedding.audio_TD,
        visual_TD=clip.embedding.visual_TD,
        seconds_T=start + clip.clip.frame_seconds_T,
        start_seconds=start,
        stop_seconds=start + duration,
        thumbnails_THWC=small_THWC.numpy(),
        log_mel_NM=rows_1MN[0].T.numpy(),
    )


def _states_of_parts(
    parts: Sequence[_EmbeddedPart], modality: Modalities, config: SegmentingConfig
) -> StatesOfModality:
    groups = [list(parts)] if config.scope == "file" else [[part] for part in parts]
    spans: list[StateSpan] = []
    clusterings: list[Clustering] = []
    sharp: list[bool] = []
    farthest = 0.0
    for group in groups:
        vectors_TD = state_vectors(
            torch.cat([part.audio_TD for part in group]),
            torch.cat([part.visual_TD for part in group]),
            modality=modality,
        )
        found = cluster_states(vectors_TD, max_states=config.max_states, seed=config.seed)
        found = join_near(vectors_TD, found, least_distance=config.least_distance)
        farthest = max(farthest, float(cosine_distances(vectors_TD).max()))
        if found.num_labels > 1 and len(vectors_TD) <= MOST_FRAMES:
            sharp.append(_has_sharp_border(vectors_TD, found, config))
        # States of another group are other states: their labels come after those there are.
        spans += _spans_of_group(group, found, first_label=_num_labels(clusterings), config=config)
        clusterings.append(found)
    return StatesOfModality(
        spans=tuple(spans),
        clusterings=tuple(clusterings),
        farthest=farthest,
        is_sharp=any(sharp) if sharp else None,
    )


def _num_labels(clusterings: Sequence[Clustering]) -> int:
    return sum(clustering.num_labels for clustering in clusterings)


def _has_sharp_border(vectors_TD: Tensor, found: Clustering, config: SegmentingConfig) -> bool:
    return has_sharp_border(
        vectors_TD,
        found.labels_T,
        max_states=config.max_states,
        least_distance=config.least_distance,
        seed=config.seed,
    )


def _spans_of_group(
    group: Sequence[_EmbeddedPart], found: Clustering, *, first_label: int, config: SegmentingConfig
) -> StateSpans:
    spans = spans_of_labels(
        found.labels_T + first_label,
        np.concatenate([part.seconds_T for part in group]),
        start_seconds=group[0].start_seconds,
        stop_seconds=group[-1].stop_seconds,
    )
    return spans_of_edges(*without_short_spans(*edges_and_labels(spans), min_seconds=config.min_seconds))
