"""A whole video as vectors: moments in equal steps, each a frame and the sound exactly around it.

In clips, frames and segments are spread by two rules of the published data, which part by up to half a
second, and windows at the ends of a clip are moved inwards. That is right for comparing clips as the model
was trained. Here time itself is measured: a window lies around its moment, also where two blocks meet.

Letters: T moments, D width, L spectrogram frames of a window, M mel bins, H W pixels, C colours, S samples.
"""

import math
import os
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass
from typing import Final

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from cavmae_sync.data.flags import is_still
from cavmae_sync.embedding.embedder import Embedder
from cavmae_sync.embedding.rows import finite
from cavmae_sync.embedding.types import check_unit_rows
from cavmae_sync.errors import ClipTooShortError
from cavmae_sync.inputs import InputConfig, log_mel, normalize_frames, resize_and_crop
from cavmae_sync.inputs.alignment import finish_segment, segment_span
from cavmae_sync.media import Clip, iterate_clips
from cavmae_sync.paper import HOP_MILLISECONDS, SAMPLE_RATE_HZ

#: Moments of a second: a little more than the 1.6 of a published clip.
FRAMES_PER_SECOND: Final = 2.0
#: What digital silence counts as, and the least loudness there is.
SILENCE_DBFS: Final = -120.0

_HOPS_PER_SECOND: Final = 1000 // HOP_MILLISECONDS
#: Moments read and encoded together; so many pictures of full size are in memory at once, and their margins.
_MOMENTS_PER_BLOCK: Final = 16
_MIN_SECONDS: Final = 0.05
#: Grey levels; as the preparation's `still_below_levels`.
_STILL_BELOW_LEVELS: Final = 2.0


@dataclass(frozen=True, kw_only=True, slots=True)
class Moments:
    """What the model eats of a stretch of a video.

    Attributes:
        seconds_T: float64, times on the file's timeline.
        pictures_THWC: uint8, what is on screen then, square.
        segments_TLM: float32, the sound around each, normalised.
        loudness_T: float32, decibels of full scale (root mean square) of that sound.
    """

    seconds_T: NDArray[np.float64]
    pictures_THWC: NDArray[np.uint8]
    segments_TLM: Tensor
    loudness_T: NDArray[np.float32]


@dataclass(frozen=True, kw_only=True, slots=True)
class Track:
    """One video as a row of moments, on the CPU.

    Attributes:
        seconds_T: float64, time of each moment on the file's timeline, in equal steps.
        audio_TD: float32, unit rows: the sound around each moment.
        visual_TD: float32, unit rows: the picture at each moment.
        loudness_T: float32, decibels of full scale of the sound around each moment; -120 is digital silence.
        is_still_T: Whether the picture is that of the moment before (the first: of the moment after).
        window_seconds: Length of the sound around a moment.
    """

    seconds_T: NDArray[np.float64]
    audio_TD: Tensor
    visual_TD: Tensor
    loudness_T: NDArray[np.float32]
    is_still_T: NDArray[np.bool_]
    window_seconds: float

    def __post_init__(self) -> None:
        """Refuses what does not belong together."""
        check_unit_rows(self.audio_TD, name="audio_TD", num_axes=2)
        check_unit_rows(self.visual_TD, name="visual_TD", num_axes=2)
        lengths = {len(part) for part in (self.audio_TD, self.visual_TD, self.loudness_T, self.is_still_T)}
        if lengths != {len(self.seconds_T)} or self.audio_TD.shape != self.visual_TD.shape:
            raise ValueError(
                f"Each of {len(self.seconds_T)} moments needs a vector of each sense, of one width, a "
                f"loudness and a stillness, got {tuple(self.audio_TD.shape)}, {tuple(self.visual_TD.shape)}, "
                f"{len(self.loudness_T)} and {len(self.is_still_T)}."
            )
        steps = np.diff(self.seconds_T)
        if len(steps) and not (steps.min() > 0 and np.ptp(steps) < 1e-3 * steps.mean()):
            raise ValueError(f"seconds_T must rise in equal steps, got {steps.min()} to {steps.max()} s.")

    @property
    def step_seconds(self) -> float:
        """From one moment to the next; a second where there is only one."""
        return float(self.seconds_T[1] - self.seconds_T[0]) if len(self.seconds_T) > 1 else 1.0


def embed_track(
    embedder: Embedder,
    path: str | os.PathLike[str],
    *,
    frames_per_second: float = FRAMES_PER_SECOND,
    on_moments: Callable[[Moments], None] | None = None,
) -> Track:
    """The vectors of a whole file, read in one pass; memory holds the vectors and one block of pictures.

    Args:
        embedder: The model and how it computes.
        path: Video file with sound, of any length.
        frames_per_second: Moments of a second.
        on_moments: Called with each block when it is embedded: for progress and pictures.

    Raises:
        MediaError: The file cannot be read, has no picture or no sound, or not one moment.
        WeightsError: The model gives vectors that are not finite.
    """
    config = embedder.model.config.inputs
    blocks: list[tuple[NDArray[np.float64], Tensor, Tensor, NDArray[np.float32], NDArray[np.bool_]]] = []
    before_THWC: NDArray[np.uint8] | None = None
    for moments in read_moments(path, config=config, frames_per_second=frames_per_second):
        audio_TD, visual_TD = embed_moments(embedder, moments.segments_TLM, moments.pictures_THWC)
        still_T = still_moments(moments.pictures_THWC, before_THWC=before_THWC)
        blocks.append((moments.seconds_T, audio_TD, visual_TD, moments.loudness_T, still_T))
        before_THWC = moments.pictures_THWC[-1:]
        if on_moments is not None:
            on_moments(moments)
    seconds, audio, visual, loudness, still = zip(*blocks, strict=True)
    return Track(
        seconds_T=np.concatenate(seconds),
        audio_TD=torch.cat(audio),
        visual_TD=torch.cat(visual),
        loudness_T=np.concatenate(loudness),
        is_still_T=np.concatenate(still),
        window_seconds=window_seconds(config),
    )


def embed_moments(
    embedder: Embedder, segments_TLM: Tensor, pictures_THWC: NDArray[np.uint8]
) -> tuple[Tensor, Tensor]:
    """Unit rows [T, D] of the sound around each moment, and of its picture.

    Raises:
        WeightsError: The model gives vectors that are not finite.
    """
    audio_TD = embedder.embed_segments(segments_TLM)
    visual_TD = embedder.embed_frames(normalize_frames(pictures_THWC)).visual_PD
    return finite(audio_TD, precision=embedder.precision), finite(visual_TD, precision=embedder.precision)


def read_moments(
    path: str | os.PathLike[str], *, config: InputConfig, frames_per_second: float
) -> Iterator[Moments]:
    """The moments of a file, block by block: at (k + 1/2) / `frames_per_second` after the first picture.

    Args:
        path: Video file with sound.
        config: Sizes and normalisation; its `align_length` does not matter here.
        frames_per_second: Moments of a second.

    Raises:
        MediaError: The file cannot be read, has no picture or no sound, or not one moment.
    """
    if not 0 < frames_per_second <= _HOPS_PER_SECOND:
        raise ValueError(f"frames_per_second must lie in (0, {_HOPS_PER_SECOND}], got {frames_per_second}.")
    step = 1 / frames_per_second
    # A clip is read with so many moments more at each side that a window there lies inside the clip.
    margin = max(math.ceil(config.segment_length / _HOPS_PER_SECOND / 2 / step - 0.5), 0)
    per_clip = _MOMENTS_PER_BLOCK + 2 * margin
    clips = iterate_clips(
        path,
        clip_seconds=per_clip * step,
        hop_seconds=_MOMENTS_PER_BLOCK * step,
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
                    break  # the clip before has it all
                yield _moments(waiting, first, margin + _MOMENTS_PER_BLOCK, step=step, config=config)
                first = margin
            waiting = clip
    stop = 0 if waiting is None else _num_moments(waiting, step)
    if waiting is None or stop <= first:
        raise ClipTooShortError(f"{path} is too short for one moment in {step:.2f} s. Use a longer file.")
    yield _moments(waiting, first, stop, step=step, config=config)


def sound_windows(
    waveform_S: NDArray[np.float32], seconds_T: NDArray[np.float64], *, config: InputConfig
) -> tuple[Tensor, NDArray[np.float32]]:
    """The sound around each moment, and how loud it is.

    Args:
        waveform_S: Sound at 16 kHz, at least 25 ms. A window that would pass an end is moved inwards.
        seconds_T: Times from its start.
        config: Length of a window, and normalisation.

    Returns:
        float32 [T, L, M], normalised; and float32 [T], decibels of full scale.
    """
    log_mel_NM = log_mel(waveform_S)
    valid = config.model_copy(update={"align_length": "valid"})
    segments: list[Tensor] = []
    loudness: list[float] = []
    for seconds in seconds_T:
        span = segment_span(
            0,
            num_spectrogram_frames=len(log_mel_NM),
            num_frames=1,
            config=valid,
            center_offset=round(float(seconds) * _HOPS_PER_SECOND),
        )
        segments.append(finish_segment(log_mel_NM[span.start : span.stop], config=valid))
        start, stop = (SAMPLE_RATE_HZ * place // _HOPS_PER_SECOND for place in (span.start, span.stop))
        power = float(np.mean(np.square(waveform_S[start:stop], dtype=np.float64)))
        loudness.append(10 * math.log10(max(power, 10 ** (SILENCE_DBFS / 10))))
    return torch.stack(segments), np.array(loudness, dtype=np.float32)


def still_moments(
    pictures_THWC: NDArray[np.uint8], *, before_THWC: NDArray[np.uint8] | None = None
) -> NDArray[np.bool_]:
    """Whether each picture is that of the moment before; the first, without one, that of the one after."""
    row_THWC = pictures_THWC if before_THWC is None else np.concatenate([before_THWC, pictures_THWC])
    still = [
        is_still(row_THWC[i : i + 2], below_levels=_STILL_BELOW_LEVELS) for i in range(len(row_THWC) - 1)
    ]
    if before_THWC is None:
        still.insert(0, still[0] if still else True)
    return np.array(still, dtype=np.bool_)


def window_seconds(config: InputConfig) -> float:
    """Length of the sound that a model hears around a frame."""
    return config.segment_length / _HOPS_PER_SECOND


def _num_moments(clip: Clip, step: float) -> int:
    return math.floor(clip.duration_seconds / step + 0.5 + 1e-6)


def _moments(clip: Clip, first: int, stop: int, *, step: float, config: InputConfig) -> Moments:
    """Moments `first` to `stop` of a clip. The frames of a shorter clip lie closer; the nearest are taken."""
    seconds_T = np.minimum((np.arange(first, stop) + 0.5) * step, clip.duration_seconds)
    nearest_T = np.abs(clip.frame_seconds_T - seconds_T[:, None]).argmin(axis=1)
    pictures_THWC = resize_and_crop(clip.frames_THWC[nearest_T], pixels=config.frame_pixels)
    segments_TLM, loudness_T = sound_windows(clip.waveform_S, seconds_T, config=config)
    return Moments(
        seconds_T=(clip.start_seconds + (np.arange(first, stop) + 0.5) * step).astype(np.float64),
        pictures_THWC=pictures_THWC.numpy(),
        segments_TLM=segments_TLM,
        loudness_T=loudness_T,
    )
