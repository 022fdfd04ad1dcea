"""Localisation in a video: maps of what is heard, at regular moments.

Letters: M moments, T of them in a clip, H W patches, K windows of a recording, L spectrogram frames of each,
N patches in a row, D width, S samples.
"""

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from cavmae_sync.embedding import EmbeddedClip, Embedder, embed_video
from cavmae_sync.embedding.embedder import OnProgress
from cavmae_sync.embedding.rows import finite
from cavmae_sync.errors import MediaError
from cavmae_sync.inputs import log_mel
from cavmae_sync.inputs.alignment import cut_segments
from cavmae_sync.media import read_audio
from cavmae_sync.media.loudness import SILENT_BELOW_DBFS, loudness_dbfs
from cavmae_sync.media.playback import Playback
from cavmae_sync.model import ModelConfig
from cavmae_sync.paper import CLIP_SECONDS, HOP_MILLISECONDS, NUM_FRAMES, SAMPLE_RATE_HZ, WINDOW_MILLISECONDS
from cavmae_sync.tasks.localization.maps import localization_maps

#: Windows of a recording that are quieter than its loudest one by more than this are left out.
_QUIETER_DECIBELS: Final = 20.0
_HOP_SAMPLES: Final = SAMPLE_RATE_HZ * HOP_MILLISECONDS // 1000
_WINDOW_SAMPLES: Final = SAMPLE_RATE_HZ * WINDOW_MILLISECONDS // 1000
#: Least range of cosines that the colours cover, so that the noise of a constant map gets no colours.
_LEAST_SPAN: Final = 0.2


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Localization:
    """Maps of a video.

    Attributes:
        seconds_M: float64, rising, on the file's timeline.
        maps_MHW: float32 [M, H, W]: cosine of the sound with each patch of the middle square of the frame.
        strength_M: float32: cosine of the sound with the whole frame.
        is_silent_M: bool: whether the segment of sound around the moment is silent.
        scale: Cosines of the first and last colour, for the whole video: the median over all maps, and what
            one value in 500 exceeds, but at least 0.2 more.
        asked_by: Prompt: "own sound", or the name of the recording.
        whole_seconds: Start and end of the video; moments begin at its start and end one step before its end.
    """

    seconds_M: NDArray[np.float64]
    maps_MHW: Tensor
    strength_M: NDArray[np.float32]
    is_silent_M: NDArray[np.bool_]
    scale: tuple[float, float]
    asked_by: str
    whole_seconds: tuple[float, float]

    def curve(self) -> tuple[NDArray[np.float64], NDArray[np.float32], NDArray[np.bool_]]:
        """Strength over the whole video, from its start to its end.

        Returns:
            Times, the strength at each of them, and for each interval between two whether it is silent.
            Before the first moment and after the last one, their values hold.
        """
        start, stop = self.whole_seconds
        seconds = np.concatenate([[min(start, self.seconds_M[0])], self.seconds_M, [stop]])
        strength = self.strength_M[[0, *range(len(self.strength_M)), -1]]
        return seconds, strength, self.is_silent_M[[0, *range(len(self.is_silent_M))]]

    def map_at(self, seconds: float) -> Tensor:
        """Map at a time, [H, W], interpolated between the two moments around it."""
        return torch.lerp(*self._around(seconds))

    def strength_at(self, seconds: float) -> float:
        """Cosine of sound and frame at a time, interpolated between moments."""
        return float(np.interp(seconds, self.seconds_M, self.strength_M))

    def is_silent_at(self, seconds: float) -> bool:
        """Whether the nearest moment is silent."""
        return bool(self.is_silent_M[np.abs(self.seconds_M - seconds).argmin()])

    def strongest(self, num: int, *, apart_seconds: float = 1.0) -> list[int]:
        """Strongest moments that are not silent, best first, none too close to a better one."""
        chosen: list[int] = []
        for moment in np.argsort(-self.strength_M, kind="stable"):
            gaps = [abs(self.seconds_M[moment] - self.seconds_M[other]) for other in chosen]
            if not self.is_silent_M[moment] and all(gap >= apart_seconds for gap in gaps):
                chosen.append(int(moment))
        return chosen[:num]

    def peak(self, moment: int) -> tuple[float, float]:
        """Centre of the strongest patch of a moment: right and down, each in [0, 1] of the middle square."""
        height, width = self.maps_MHW.shape[1:]
        down, right = divmod(int(self.maps_MHW[moment].argmax()), width)
        return (right + 0.5) / width, (down + 0.5) / height

    def to_dict(self) -> dict[str, Any]:
        """JSON values of the moments, without the maps."""
        moments = [
            {
                "seconds": float(self.seconds_M[moment]),
                "strength": float(self.strength_M[moment]),
                "is_silent": bool(self.is_silent_M[moment]),
                "peak_in_square": self.peak(moment),
                "peak_cosine": float(self.maps_MHW[moment].max()),
            }
            for moment in range(len(self.seconds_M))
        ]
        return {"asked_by": self.asked_by, "colours_from_to": list(self.scale), "moments": moments}

    def _around(self, seconds: float) -> tuple[Tensor, Tensor, float]:
        after = int(np.clip(np.searchsorted(self.seconds_M, seconds), 1, max(len(self.seconds_M) - 1, 1)))
        before = after - 1
        if after >= len(self.seconds_M):
            return self.maps_MHW[before], self.maps_MHW[before], 0.0
        span = self.seconds_M[after] - self.seconds_M[before]
        part = float(np.clip((seconds - self.seconds_M[before]) / span, 0, 1))
        return self.maps_MHW[before], self.maps_MHW[after], part


def localize(
    embedder: Embedder,
    video: Playback,
    *,
    sound: str | os.PathLike[str] | None = None,
    maps_per_second: float = NUM_FRAMES / CLIP_SECONDS,
    on_progress: OnProgress | None = None,
) -> Localization:
    """Maps of a whole video, in one pass; memory grows by one small map per moment.

    The video is read in clips of equal length, as close to ten seconds as its length allows.

    Args:
        embedder: The model and how it computes.
        video: The video.
        sound: Sound or video file as prompt instead of the video's own sound; see `recording_vector`.
        maps_per_second: Moments per second; the published data have 1.6 frames per second.
        on_progress: Called with clips done and clips in all.

    Raises:
        MediaError: A file cannot be read, the video lasts less than a second, or the recording is silent.
        ValueError: `maps_per_second` is not positive.
    """
    if not maps_per_second > 0:
        raise ValueError(f"maps_per_second must be positive, got {maps_per_second}.")
    prompt_D = None if sound is None else recording_vector(embedder, sound)
    num_clips = max(1, round(video.duration_seconds / CLIP_SECONDS))
    # A little longer: rounding could otherwise leave a last clip of almost no length.
    clip_seconds = video.duration_seconds / num_clips + 1e-6
    clips = embed_video(
        embedder,
        video.path,
        clip_seconds=clip_seconds,
        num_frames=max(1, round(clip_seconds * maps_per_second)),
        sampling="uniform_left",  # frames at equal distances over the whole video, as the segments
        with_patches=True,
    )
    found: list[_ClipMaps] = []
    for clip in clips:
        found.append(_clip_maps(clip, prompt_D, embedder.model.config))
        if on_progress is not None:
            on_progress(len(found), num_clips)
    maps_MHW = torch.cat([each.maps_THW for each in found])
    return Localization(
        seconds_M=np.concatenate([each.seconds_T for each in found]),
        maps_MHW=maps_MHW,
        strength_M=torch.cat([each.strength_T for each in found]).numpy(),
        is_silent_M=np.concatenate([each.is_silent_T for each in found]),
        scale=_scale(maps_MHW),
        asked_by="own sound" if sound is None else Path(sound).name,
        whole_seconds=(video.start_seconds, video.start_seconds + video.duration_seconds),
    )


@dataclass(frozen=True, kw_only=True, slots=True)
class _ClipMaps:
    """Maps of one clip; see `Localization`."""

    seconds_T: NDArray[np.float64]
    maps_THW: Tensor
    strength_T: Tensor
    is_silent_T: NDArray[np.bool_]


def _clip_maps(part: EmbeddedClip, prompt_D: Tensor | None, config: ModelConfig) -> _ClipMaps:
    """Maps of one clip, of its own sound or of a prompt."""
    clip, vectors = part.clip, part.embedding
    if vectors.visual_patches_TND is None:
        raise AssertionError("Vectors of patches were asked for, but there are none.")
    audio_TD = vectors.audio_TD if prompt_D is None else prompt_D.expand_as(vectors.audio_TD)
    half = config.inputs.segment_length * _HOP_SAMPLES // 2
    is_silent_T = _silent(clip.waveform_S, clip.frame_seconds_T, half)
    return _ClipMaps(
        seconds_T=clip.start_seconds + clip.frame_seconds_T,
        maps_THW=localization_maps(audio_TD, vectors.visual_patches_TND, grid=config.visual_grid),
        strength_T=(audio_TD * vectors.visual_TD).sum(dim=1),
        is_silent_T=is_silent_T & (prompt_D is None),
    )


def recording_vector(embedder: Embedder, path: str | os.PathLike[str]) -> Tensor:
    """Vector of a recording of any length: the mean of the unit vectors of its windows, float32 [D].

    Windows are as long as the model's segments and overlap by half. Those more than 20 dB quieter than the
    loudest are left out: one bark in a minute of silence is a prompt for the bark, not for the silence. The
    map of a mean of vectors is the mean of their maps.

    Raises:
        MediaError: The file has no sound, is silent or shorter than 25 ms.
        WeightsError: The model gives vectors that are not finite.
    """
    sound_S = read_audio(path)
    if len(sound_S) < _WINDOW_SAMPLES:
        raise MediaError(
            f"{path} has {len(sound_S)} samples of sound at 16 kHz; at least {_WINDOW_SAMPLES} are needed. "
            "Give a longer recording."
        )
    length = embedder.model.config.inputs.segment_length
    num_samples = (length - 1) * _HOP_SAMPLES + _WINDOW_SAMPLES
    last = max(len(sound_S) - num_samples, 0)
    starts = range(0, last + 1, num_samples // 2)
    windows = [sound_S[start : start + num_samples] for start in starts]
    decibels = np.array([loudness_dbfs(window_S) for window_S in windows])
    if decibels.max() < SILENT_BELOW_DBFS:
        raise MediaError(
            f"{path} is silent (below {SILENT_BELOW_DBFS:.0f} dBFS). Give a recording with sound."
        )
    loud = [windows[k] for k in np.flatnonzero(decibels > decibels.max() - _QUIETER_DECIBELS)]
    config = embedder.model.config.inputs
    segments_KLM = torch.cat(
        [
            cut_segments(log_mel(window_S), frame_seconds=[len(window_S) / SAMPLE_RATE_HZ / 2], config=config)
            for window_S in loud
        ]
    )
    return finite(embedder.embed_segments(segments_KLM), precision=embedder.precision).mean(dim=0)


def _silent(sound_S: NDArray[np.float32], times_T: NDArray[np.float64], half: int) -> NDArray[np.bool_]:
    middles = np.round(times_T * SAMPLE_RATE_HZ).astype(int)
    levels = [loudness_dbfs(sound_S[max(middle - half, 0) : middle + half]) for middle in middles]
    return np.array(levels) < SILENT_BELOW_DBFS


def _scale(maps_MHW: Tensor) -> tuple[float, float]:
    values = maps_MHW.flatten().numpy()
    low = float(np.median(values))
    return low, max(float(np.quantile(values, 0.998)), low + _LEAST_SPAN)
