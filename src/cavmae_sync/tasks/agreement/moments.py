"""Video file in, vectors of its moments out: equal steps, each with a frame and the sound exactly around it.

In clips of the published data, frames and segments are spread by two rules, which part by up to half a
second, and windows at the ends of a clip are moved inwards. That is right for comparing clips as the model
was trained. Here time itself is measured, so a window lies around its moment, also where two batches meet.

Letters: T moments, D width, L spectrogram frames of a window, M mel bins, H W pixels, C colours, S samples.
"""

import math
import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass
from typing import Final

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from cavmae_sync.data.flags import STILL_BELOW_LEVELS, is_still
from cavmae_sync.embedding.embedder import Embedder
from cavmae_sync.embedding.rows import finite
from cavmae_sync.embedding.types import check_unit_rows
from cavmae_sync.errors import ClipTooShortError
from cavmae_sync.inputs import InputConfig, log_mel, normalize_frames, resize_and_crop
from cavmae_sync.inputs.alignment import Span, finish_segments, segment_span, segment_spans
from cavmae_sync.media import Clip, iterate_clips
from cavmae_sync.media.loudness import loudness_dbfs
from cavmae_sync.paper import HOP_MILLISECONDS, SAMPLE_RATE_HZ

#: Moments of a second: a little more than the 1.6 of a published clip. In videos of 20 and 60 s, offsets were
#: found equally often at 1.3, 2 and 4.
FRAMES_PER_SECOND: Final = 2.0

_HOPS_PER_SECOND: Final = 1000 // HOP_MILLISECONDS
#: Moments read and encoded together. Their frames, and those of the margins, are in memory at full size.
_MOMENTS_PER_BATCH: Final = 16
_MIN_SECONDS: Final = 0.05
#: The last rows of a sound are 25 ms long, so a spectrogram ends up to 3 rows before its sound.
_ROWS_MORE: Final = 3


@dataclass(frozen=True, kw_only=True, slots=True)
class MomentInputs:
    """Model inputs of consecutive moments.

    Attributes:
        seconds_T: float64, times on the file's timeline.
        frames_THWC: uint8, square: what is on screen at each moment.
        segments_TLM: float32, normalised: the sound around each moment.
        loudness_T: float32, decibels of full scale (root mean square) of that sound.
    """

    seconds_T: NDArray[np.float64]
    frames_THWC: NDArray[np.uint8]
    segments_TLM: Tensor
    loudness_T: NDArray[np.float32]


@dataclass(frozen=True, kw_only=True, slots=True)
class EmbeddedMoments:
    """Vectors of the moments of one video, on the CPU.

    Attributes:
        seconds_T: float64, time of each moment on the file's timeline, in equal steps.
        audio_TD: float32, unit rows: the sound around each moment.
        visual_TD: float32, unit rows: the frame at each moment.
        loudness_T: float32, decibels of full scale of the sound around each moment; -120 is digital silence.
        is_still_T: Whether the frame is that of the moment before (the first: of the moment after).
        window_seconds: Length of the sound around a moment.

    Raises:
        ValueError: Lengths or widths differ, rows are not unit vectors, or times do not rise in equal steps.
    """

    seconds_T: NDArray[np.float64]
    audio_TD: Tensor
    visual_TD: Tensor
    loudness_T: NDArray[np.float32]
    is_still_T: NDArray[np.bool_]
    window_seconds: float

    def __post_init__(self) -> None:
        check_unit_rows(self.audio_TD, name="audio_TD", num_axes=2)
        check_unit_rows(self.visual_TD, name="visual_TD", num_axes=2)
        lengths = {len(part) for part in (self.audio_TD, self.visual_TD, self.loudness_T, self.is_still_T)}
        if lengths != {len(self.seconds_T)} or self.audio_TD.shape != self.visual_TD.shape:
            raise ValueError(
                f"Each of {len(self.seconds_T)} moments needs an audio and a visual vector of one width, a "
                f"loudness and a stillness, got {tuple(self.audio_TD.shape)}, {tuple(self.visual_TD.shape)}, "
                f"{len(self.loudness_T)} and {len(self.is_still_T)}."
            )
        steps = np.diff(self.seconds_T)
        if len(steps) and not (steps.min() > 0 and np.ptp(steps) < 1e-3 * steps.mean()):
            raise ValueError(f"seconds_T must rise in equal steps, got {steps.min()} to {steps.max()} s.")

    @property
    def step_seconds(self) -> float:
        """Seconds from one moment to the next; 1 where there is only one moment."""
        return float(self.seconds_T[1] - self.seconds_T[0]) if len(self.seconds_T) > 1 else 1.0

    def heard(self, silent_below_dbfs: float) -> NDArray[np.bool_]:
        """Mask of the moments with sound, bool [T]: those at least as loud as a level in dBFS."""
        return self.loudness_T >= silent_below_dbfs


def embed_moments(
    embedder: Embedder,
    path: str | os.PathLike[str],
    *,
    frames_per_second: float = FRAMES_PER_SECOND,
    on_moments: Callable[[MomentInputs], None] | None = None,
) -> EmbeddedMoments:
    """Vectors of all moments of a video file, read in one pass; memory holds them and one batch of frames.

    Args:
        embedder: The model and how it computes.
        path: Video file with sound, of any length.
        frames_per_second: Moments of a second.
        on_moments: Called with each batch when it is embedded: for progress and figures.

    Raises:
        MediaError: The file cannot be read, has no picture or no sound, or not one moment.
        WeightsError: The model gives vectors that are not finite.
    """
    config = embedder.model.config.inputs
    batches: list[EmbeddedMoments] = []
    last_frame_1HWC: NDArray[np.uint8] | None = None
    for moments in read_moments(path, config=config, frames_per_second=frames_per_second):
        batches.append(embed_inputs(embedder, moments, frame_before_1HWC=last_frame_1HWC))
        last_frame_1HWC = moments.frames_THWC[-1:]
        if on_moments is not None:
            on_moments(moments)
    return _joined(batches)


def embed_inputs(
    embedder: Embedder, moments: MomentInputs, *, frame_before_1HWC: NDArray[np.uint8] | None = None
) -> EmbeddedMoments:
    """Vectors of consecutive moments.

    Args:
        embedder: The model and how it computes.
        moments: Frames and segments.
        frame_before_1HWC: Frame of the moment before the first, which decides whether that one is still.

    Raises:
        WeightsError: The model gives vectors that are not finite.
    """
    audio_TD = embedder.embed_segments(moments.segments_TLM)
    visual_TD = embedder.embed_frames(normalize_frames(moments.frames_THWC)).visual_PD
    return EmbeddedMoments(
        seconds_T=moments.seconds_T,
        audio_TD=finite(audio_TD, precision=embedder.precision),
        visual_TD=finite(visual_TD, precision=embedder.precision),
        loudness_T=moments.loudness_T,
        is_still_T=_still_moments(moments.frames_THWC, frame_before_1HWC=frame_before_1HWC),
        window_seconds=window_seconds(embedder.model.config.inputs),
    )


def read_moments(
    path: str | os.PathLike[str], *, config: InputConfig, frames_per_second: float
) -> Iterator[MomentInputs]:
    """Moments of a file, batch by batch: at (k + 1/2) / `frames_per_second` after the first frame.

    Args:
        path: Video file with sound.
        config: Sizes, normalisation, and what stands outside of the file; see `sound_windows`.
        frames_per_second: Moments of a second.

    Raises:
        MediaError: The file cannot be read, has no picture or no sound, or not one moment.
    """
    if not 0 < frames_per_second <= _HOPS_PER_SECOND:
        raise ValueError(f"frames_per_second must lie in (0, {_HOPS_PER_SECOND}], got {frames_per_second}.")
    step = 1 / frames_per_second
    # A clip is read with so many moments more on each side that the windows of a batch lie inside the clip:
    # else windows at the ends of each batch would be moved inwards, or filled with silence.
    half_seconds = (config.segment_length / 2 + _ROWS_MORE) / _HOPS_PER_SECOND
    margin = max(math.ceil(half_seconds / step - 0.5), 0)
    per_clip = _MOMENTS_PER_BATCH + 2 * margin
    clips = iterate_clips(
        path,
        clip_seconds=per_clip * step,
        hop_seconds=_MOMENTS_PER_BATCH * step,
        num_frames=per_clip,
        sampling="uniform_center",
        min_seconds=_MIN_SECONDS,
    )
    with closing(clips):
        waiting: Clip | None = None
        first = 0
        for clip in clips:
            if waiting is not None:
                if _num_moments(clip, step) <= 2 * margin:
                    break  # all moments of this last clip are in the clip before
                yield _moments_of_clip(waiting, first, margin + _MOMENTS_PER_BATCH, step=step, config=config)
                first = margin
            waiting = clip
    stop = 0 if waiting is None else _num_moments(waiting, step)
    if waiting is None or stop <= first:
        raise ClipTooShortError(f"{path} is too short for one moment in {step:.2f} s. Use a longer file.")
    yield _moments_of_clip(waiting, first, stop, step=step, config=config)


def sound_windows(
    waveform_S: NDArray[np.float32], seconds_T: NDArray[np.float64], *, config: InputConfig
) -> tuple[Tensor, NDArray[np.float32]]:
    """Segments of the sound around each moment, and their loudness.

    Args:
        waveform_S: Sound at 16 kHz, at least 25 ms. A window that would pass an end is moved inwards; with
            `alignment=centered` it stays, and is filled with silence.
        seconds_T: Times from its start.
        config: Length of a window, rule of alignment, normalisation.

    Returns:
        float32 [T, L, M], normalised; and float32 [T], decibels of full scale.
    """
    log_mel_NM = log_mel(waveform_S)
    spans = _spans_around(seconds_T, len(log_mel_NM), config)
    rows = [span.clipped(len(log_mel_NM)) for span in spans]
    segments_TLM = finish_segments([log_mel_NM[r.start : r.stop] for r in rows], spans=spans, config=config)
    samples = SAMPLE_RATE_HZ // _HOPS_PER_SECOND
    loudness = [loudness_dbfs(waveform_S[r.start * samples : r.stop * samples]) for r in rows]
    return segments_TLM, np.array(loudness, dtype=np.float32)


def _spans_around(seconds_T: NDArray[np.float64], num_rows: int, config: InputConfig) -> list[Span]:
    """Spans around any times. The published rules know no times, so their spans are moved there."""
    if config.alignment == "centered":
        return segment_spans(num_rows, frame_seconds=seconds_T, config=config)
    valid = config.model_copy(update={"alignment": "valid"})
    return [
        segment_span(
            0,
            frame_seconds=[0.0],
            num_spectrogram_frames=num_rows,
            config=valid,
            center_offset=round(float(seconds) * _HOPS_PER_SECOND),
        )
        for seconds in seconds_T
    ]


def window_seconds(config: InputConfig) -> float:
    """Length of the sound that a model hears around a frame."""
    return config.segment_length / _HOPS_PER_SECOND


def _joined(batches: Sequence[EmbeddedMoments]) -> EmbeddedMoments:
    return EmbeddedMoments(
        seconds_T=np.concatenate([batch.seconds_T for batch in batches]),
        audio_TD=torch.cat([batch.audio_TD for batch in batches]),
        visual_TD=torch.cat([batch.visual_TD for batch in batches]),
        loudness_T=np.concatenate([batch.loudness_T for batch in batches]),
        is_still_T=np.concatenate([batch.is_still_T for batch in batches]),
        window_seconds=batches[0].window_seconds,
    )


def _still_moments(
    frames_THWC: NDArray[np.uint8], *, frame_before_1HWC: NDArray[np.uint8] | None
) -> NDArray[np.bool_]:
    """Whether each frame is that of the moment before; the first, without one, that of the moment after."""
    row_THWC = frames_THWC if frame_before_1HWC is None else np.concatenate([frame_before_1HWC, frames_THWC])
    still = [is_still(row_THWC[i : i + 2], below_levels=STILL_BELOW_LEVELS) for i in range(len(row_THWC) - 1)]
    if frame_before_1HWC is None:
        still.insert(0, still[0] if still else True)
    return np.array(still, dtype=np.bool_)


def _num_moments(clip: Clip, step: float) -> int:
    return math.floor(clip.duration_seconds / step + 0.5 + 1e-6)


def _moments_of_clip(clip: Clip, first: int, stop: int, *, step: float, config: InputConfig) -> MomentInputs:
    """Moments `first` to `stop` of a clip. The frames of a shorter clip lie closer; the nearest are taken."""
    seconds_T = np.minimum((np.arange(first, stop) + 0.5) * step, clip.duration_seconds)
    nearest_T = np.abs(clip.frame_seconds_T - seconds_T[:, None]).argmin(axis=1)
    frames_THWC = resize_and_crop(clip.frames_THWC[nearest_T], pixels=config.frame_pixels)
    segments_TLM, loudness_T = sound_windows(clip.waveform_S, seconds_T, config=config)
    return MomentInputs(
        seconds_T=(clip.start_seconds + (np.arange(first, stop) + 0.5) * step).astype(np.float64),
        frames_THWC=frames_THWC.numpy(),
        segments_TLM=segments_TLM,
        loudness_T=loudness_T,
    )
