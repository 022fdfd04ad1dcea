"""Localisation in a video: maps of what is heard, at regular moments.

Letters: M moments, T of them in a clip, H W patches, D width, S samples.
"""

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Self

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from cavmae_sync.embedding import EmbeddedClip, Embedder, embed_video
from cavmae_sync.embedding.embedder import OnProgress
from cavmae_sync.maps import MapConfig, colour_scale, localization_maps, patch_vectors, sound_vectors
from cavmae_sync.maps.sound_parts import SoundPart, clip_sound_parts
from cavmae_sync.media.loudness import SILENT_BELOW_DBFS, loudness_dbfs
from cavmae_sync.media.playback import Playback
from cavmae_sync.paper import CLIP_SECONDS, HOP_MILLISECONDS, NUM_FRAMES, SAMPLE_RATE_HZ
from cavmae_sync.tasks.localization.prompts import recording_vector

_HOP_SAMPLES: Final = SAMPLE_RATE_HZ * HOP_MILLISECONDS // 1000
_COSINE: Final = MapConfig()


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Localization:
    """Maps of a video.

    Attributes:
        seconds_M: float64, rising, on the file's timeline.
        maps_MHW: float32 [M, H, W]: what the sound has to do with each patch of the middle square of the
            frame, in the unit of `made_by`.
        strength_M: float32: cosine of the sound with the whole frame.
        is_silent_M: bool: whether the segment of sound around the moment is silent.
        scale: Values of the first and last colour, for the whole video (`colour_scale`).
        asked_by: Prompt: "own sound", or the name of the recording.
        whole_seconds: Start and end of the video; moments begin at its start and end one step before its end.
        made_by: How the maps were made.
        sound_parts: For each moment, which part of the sound belongs to its frame; empty unless asked for.
    """

    seconds_M: NDArray[np.float64]
    maps_MHW: Tensor
    strength_M: NDArray[np.float32]
    is_silent_M: NDArray[np.bool_]
    scale: tuple[float, float]
    asked_by: str
    whole_seconds: tuple[float, float]
    made_by: MapConfig
    sound_parts: Sequence[SoundPart] = ()

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
        is_cosine = self.made_by.map == "cosine"
        moments = [
            {
                "seconds": float(self.seconds_M[moment]),
                "strength": float(self.strength_M[moment]),
                "is_silent": bool(self.is_silent_M[moment]),
                "peak_in_square": self.peak(moment),
                "peak_value": float(self.maps_MHW[moment].max()),
                **({"peak_cosine": float(self.maps_MHW[moment].max())} if is_cosine else {}),
                **({"sound_peak_seconds": self.sound_parts[moment].peak_seconds} if self.sound_parts else {}),
            }
            for moment in range(len(self.seconds_M))
        ]
        return {
            "asked_by": self.asked_by,
            "made_by": self.made_by.settings(),
            "colours_from_to": list(self.scale),
            "moments": moments,
        }

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
    config: MapConfig = _COSINE,
    others_D: Tensor | None = None,
    sound_parts: bool = False,
    on_progress: OnProgress | None = None,
) -> Localization:
    """Maps of a whole video, in one pass; memory grows by one small map per moment.

    The video is read in clips of equal length, as close to ten seconds as its length allows.

    Args:
        embedder: The model and how it computes.
        video: The video.
        sound: Sound or video file as prompt instead of the video's own sound; see `recording_vector`.
        maps_per_second: Moments per second; the published data have 1.6 frames per second.
        config: How a map is made.
        others_D: Mean vector of other sounds (`other_sounds`), which `contrast` takes off.
        sound_parts: Whether to also find which part of the video's own sound belongs to each frame.
        on_progress: Called with clips done and clips in all.

    Raises:
        MediaError: A file cannot be read, the video lasts less than a second, or the recording is silent.
        ValueError: `maps_per_second` is not positive, or `contrast` and `others_D` do not go together.
    """
    if not maps_per_second > 0:
        raise ValueError(f"maps_per_second must be positive, got {maps_per_second}.")
    asking = Asking.of(embedder, sound=sound, config=config, others_D=others_D)
    num_clips = max(1, round(video.duration_seconds / CLIP_SECONDS))
    # A little longer: rounding could otherwise leave a last clip of almost no length.
    clip_seconds = video.duration_seconds / num_clips + 1e-6
    clips = embed_video(
        embedder,
        video.path,
        clip_seconds=clip_seconds,
        num_frames=max(1, round(clip_seconds * maps_per_second)),
        sampling="uniform_left",  # frames at equal distances over the whole video, as the segments
        with_patches=config.map == "cosine",
    )
    found: list[ClipMaps] = []
    parts: list[SoundPart] = []
    for clip in clips:
        found.append(clip_maps(embedder, clip, asking))
        parts += clip_sound_parts(embedder, clip, config) if sound_parts else []
        if on_progress is not None:
            on_progress(len(found), num_clips)
    maps_MHW = torch.cat([each.maps_THW for each in found])
    return Localization(
        seconds_M=np.concatenate([each.seconds_T for each in found]),
        maps_MHW=maps_MHW,
        strength_M=torch.cat([each.strength_T for each in found]).numpy(),
        is_silent_M=np.concatenate([each.is_silent_T for each in found]),
        scale=colour_scale(maps_MHW, config.map),
        asked_by="own sound" if sound is None else Path(sound).name,
        whole_seconds=(video.start_seconds, video.start_seconds + video.duration_seconds),
        made_by=config,
        sound_parts=parts,
    )


@dataclass(frozen=True, kw_only=True, slots=True)
class ClipMaps:
    """Maps of one clip; see `Localization`."""

    seconds_T: NDArray[np.float64]
    maps_THW: Tensor
    strength_T: Tensor
    is_silent_T: NDArray[np.bool_]


@dataclass(frozen=True, kw_only=True, slots=True)
class Asking:
    """What asks in a video, and how its maps are made.

    Attributes:
        config: How a map is made.
        prompt_D: Vector of the recording by the rule of the map; None where the video's own sound asks.
        unit_D: Mean of the unit vectors of the recording, for the strength.
        others_D: Mean vector of other sounds, or 0.
    """

    config: MapConfig
    prompt_D: Tensor | None
    unit_D: Tensor | None
    others_D: Tensor | float

    @classmethod
    def of(
        cls,
        embedder: Embedder,
        *,
        sound: str | os.PathLike[str] | None,
        config: MapConfig,
        others_D: Tensor | None,
    ) -> Self:
        """As the arguments of `localize` say."""
        if config.contrast != (others_D is not None):
            raise ValueError(
                "contrast=true needs the mean vector of other sounds, and nothing else does; got contrast="
                f"{config.contrast} and others_D={'None' if others_D is None else 'a vector'}."
            )
        return cls(
            config=config,
            prompt_D=None if sound is None else recording_vector(embedder, sound, config),
            unit_D=None if sound is None else recording_vector(embedder, sound),
            others_D=0.0 if others_D is None else others_D,
        )


def own_sound(config: MapConfig) -> Asking:
    """A video's own sound asks."""
    return Asking(config=config, prompt_D=None, unit_D=None, others_D=0.0)


def clip_maps(embedder: Embedder, part: EmbeddedClip, asking: Asking) -> ClipMaps:
    """Maps of one clip, of its own sound or of a prompt."""
    clip, vectors, shape = part.clip, part.embedding, embedder.model.config
    sounds_TD, unit_TD = vectors.audio_TD, vectors.audio_TD
    if asking.prompt_D is not None and asking.unit_D is not None:
        sounds_TD, unit_TD = (row.expand_as(unit_TD) for row in (asking.prompt_D, asking.unit_D))
    elif asking.config.map == "denseav":
        sounds_TD = sound_vectors(embedder, part.inputs.segments_TLM.split(1), asking.config)
    patches_TND = vectors.visual_patches_TND
    if patches_TND is None:
        patches_TND = patch_vectors(embedder, part.inputs.frames_TCHW, asking.config)
    half = shape.inputs.segment_length * _HOP_SAMPLES // 2
    is_silent_T = _silent(clip.waveform_S, clip.frame_seconds_T, half)
    return ClipMaps(
        seconds_T=clip.start_seconds + clip.frame_seconds_T,
        maps_THW=localization_maps(sounds_TD - asking.others_D, patches_TND, grid=shape.visual_grid),
        strength_T=(unit_TD * vectors.visual_TD).sum(dim=1),
        is_silent_T=is_silent_T & (asking.prompt_D is None),
    )


def _silent(sound_S: NDArray[np.float32], times_T: NDArray[np.float64], half: int) -> NDArray[np.bool_]:
    middles = np.round(times_T * SAMPLE_RATE_HZ).astype(int)
    levels = [loudness_dbfs(sound_S[max(middle - half, 0) : middle + half]) for middle in middles]
    return np.array(levels) < SILENT_BELOW_DBFS
