"""Encoders of planted videos: a model, and an oracle that knows what sounds and what is seen.

Letters: T moments, S samples, D width.
"""

from collections.abc import Sequence
from typing import Final, Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional as F

from cavmae_sync.data import PreparedDataset
from cavmae_sync.embedding import Embedder
from cavmae_sync.embedding.embedder import OnProgress
from cavmae_sync.media.loudness import LEAST_DBFS
from cavmae_sync.paper import SAMPLE_RATE_HZ
from cavmae_sync.stage import ClipTruth, StageTruth
from cavmae_sync.tasks.agreement.moments import EmbeddedMoments, sound_windows, window_seconds
from cavmae_sync.tasks.agreement.planted_videos import PlantedVideo
from cavmae_sync.tasks.agreement.reference import embed_clips

#: Length of the vector of nothing, which every moment contains: an object quieter than this hardly counts.
_ORACLE_FLOOR: Final = 0.1
#: Random directions of so many axes are nearly at right angles.
_ORACLE_WIDTH: Final = 64
#: Loudness of all that is not digital silence.
_ORACLE_DBFS: Final = -20.0


class PlantedEncoder(Protocol):
    """Encoder of planted videos into vectors: a model, or the truth."""

    def video(self, video: PlantedVideo) -> EmbeddedMoments:
        """Vectors of a planted video."""
        ...

    def clips(self, numbers: Sequence[int]) -> tuple[EmbeddedMoments, ...]:
        """Vectors of clips without fault, for a reference."""
        ...


class ModelEncoder:
    """Encoder that asks a model. The frames of a clip are embedded once for all faults.

    Args:
        embedder: The model and how it computes.
        clips: Prepared clips; every one is embedded here.
        on_progress: Called with clips done and clips in all.
    """

    def __init__(
        self, embedder: Embedder, clips: PreparedDataset, *, on_progress: OnProgress | None = None
    ) -> None:
        self._embedder = embedder
        self._dataset = clips
        self._clips = embed_clips(embedder, clips, on_progress=on_progress)

    def clips(self, numbers: Sequence[int]) -> tuple[EmbeddedMoments, ...]:
        """Vectors of clips without fault; see `PlantedEncoder`."""
        return tuple(self._clips[number] for number in numbers)

    def video(self, video: PlantedVideo) -> EmbeddedMoments:
        """Vectors of a planted video; see `PlantedEncoder`."""
        config = self._embedder.model.config.inputs
        clips = [self._clips[number] for number in video.clips]
        seconds_T = _joined_seconds(video, [clip.seconds_T for clip in clips])
        segments_TLM, loudness_T = sound_windows(self._waveform(video), seconds_T, config=config)
        return EmbeddedMoments(
            seconds_T=_even_steps(seconds_T),
            audio_TD=self._embedder.embed_segments(segments_TLM),
            visual_TD=torch.cat([clip.visual_TD for clip in clips]),
            loudness_T=loudness_T,
            is_still_T=np.concatenate([clip.is_still_T for clip in clips]),
            window_seconds=window_seconds(config),
        )

    def _waveform(self, video: PlantedVideo) -> NDArray[np.float32]:
        waveform_S = np.zeros(round(video.duration_seconds * SAMPLE_RATE_HZ), dtype=np.float32)
        for span in video.sound:
            if span.clip is None:
                continue
            start, stop, at = (
                round(seconds * SAMPLE_RATE_HZ)
                for seconds in (span.start_seconds, span.stop_seconds, span.clip_seconds)
            )
            sound_S = self._dataset.read_waveform(span.clip)[at : at + stop - start]
            waveform_S[start : start + len(sound_S)] = sound_S
        return waveform_S


class OracleEncoder:
    """Encoder that knows the truth: which objects sound, and which visible ones show that they sound.

    Every object has a direction of its own; a moment is the sum of the directions of its objects, each as
    long as the object is loud in the window. A metric that works must come out right with these vectors.

    Args:
        truth: Truth of the stage that the clips are from.
        clips: Prepared clips.
        window_seconds: Length of the sound around a moment.
        seed: Of the directions.

    Raises:
        DatasetError: A clip is not of this stage.
    """

    def __init__(
        self, truth: StageTruth, clips: PreparedDataset, *, window_seconds: float, seed: int = 0
    ) -> None:
        self._rows = [clips.row(index) for index in range(len(clips))]
        self._window = window_seconds
        self._directions: dict[str, Tensor] = {}
        self._generator = torch.Generator().manual_seed(seed)
        self._tables = [self._table(truth.for_clip(row)) for row in self._rows]

    def clips(self, numbers: Sequence[int]) -> tuple[EmbeddedMoments, ...]:
        """Vectors of clips without fault; see `PlantedEncoder`."""
        return tuple(self._clip(number) for number in numbers)

    def _clip(self, number: int) -> EmbeddedMoments:
        seconds_T = self._frame_seconds(number)
        heard_TD = torch.stack([self._at(number, seconds, seen=False) for seconds in seconds_T])
        seen_TD = torch.stack([self._at(number, seconds, seen=True) for seconds in seconds_T])
        return self._moments(seconds_T, heard_TD, seen_TD)

    def video(self, video: PlantedVideo) -> EmbeddedMoments:
        """Vectors of a planted video; see `PlantedEncoder`."""
        clip_seconds = [self._frame_seconds(number) for number in video.clips]
        seconds_T = _joined_seconds(video, clip_seconds)
        heard_TD = torch.stack([self._heard(video, seconds) for seconds in seconds_T])
        seen_TD = torch.stack(
            [
                self._at(number, seconds, seen=True)
                for number, times in zip(video.clips, clip_seconds, strict=True)
                for seconds in times
            ]
        )
        return self._moments(_even_steps(seconds_T), heard_TD, seen_TD)

    def _frame_seconds(self, number: int) -> NDArray[np.float64]:
        return np.asarray(self._rows[number].frame_seconds)

    def _heard(self, video: PlantedVideo, seconds: float) -> Tensor:
        for span in video.sound:
            if span.start_seconds <= seconds < span.stop_seconds and span.clip is not None:
                return self._at(span.clip, span.clip_seconds + seconds - span.start_seconds, seen=False)
        return torch.zeros(_ORACLE_WIDTH)

    def _moments(self, seconds_T: NDArray[np.float64], heard_TD: Tensor, seen_TD: Tensor) -> EmbeddedMoments:
        # Digital silence has no direction and no loudness; any direction will do for it.
        is_silence_T = (heard_TD == 0).all(dim=1).numpy()
        heard_TD[torch.from_numpy(is_silence_T)] = self._direction("nothing")
        return EmbeddedMoments(
            seconds_T=seconds_T,
            audio_TD=F.normalize(heard_TD, dim=1),
            visual_TD=F.normalize(seen_TD, dim=1),
            loudness_T=np.where(is_silence_T, LEAST_DBFS, _ORACLE_DBFS).astype(np.float32),
            is_still_T=np.zeros(len(seconds_T), dtype=np.bool_),
            window_seconds=self._window,
        )

    def _at(self, number: int, seconds: float, *, seen: bool) -> Tensor:
        """Mean vector of the truth in the window around a time of a clip."""
        frame_seconds_T, heard_TD, seen_TD = self._tables[number]
        apart_T = np.abs(frame_seconds_T - (seconds + self._rows[number].start_seconds))
        around_T = apart_T <= self._window / 2
        if not around_T.any():
            around_T[apart_T.argmin()] = True
        return (seen_TD if seen else heard_TD)[torch.from_numpy(around_T)].mean(dim=0)

    def _table(self, truth: ClipTruth) -> tuple[NDArray[np.float64], Tensor, Tensor]:
        """Times of the truth, and what is heard and what is seen then, [T, D] each."""
        nothing = _ORACLE_FLOOR * self._direction("nothing").expand(len(truth.frame_seconds_T), -1)
        heard_TD, seen_TD = nothing.clone(), nothing.clone()
        for thing in truth.objects:
            loud_TD = torch.from_numpy(thing.loudness_T)[:, None] * self._direction(thing.name)
            heard_TD += loud_TD
            seen_TD += loud_TD * torch.from_numpy(thing.is_visible_T.astype(np.float32))[:, None]
        return truth.frame_seconds_T, heard_TD, seen_TD

    def _direction(self, name: str) -> Tensor:
        if name not in self._directions:
            self._directions[name] = F.normalize(torch.randn(_ORACLE_WIDTH, generator=self._generator), dim=0)
        return self._directions[name]


def _joined_seconds(video: PlantedVideo, clip_seconds: Sequence[NDArray[np.float64]]) -> NDArray[np.float64]:
    """Times of the moments of a planted video, from those of its clips."""
    return np.concatenate([times + n * video.clip_seconds for n, times in enumerate(clip_seconds)])


def _even_steps(seconds_T: NDArray[np.float64]) -> NDArray[np.float64]:
    """Times in equal steps from the first to the last: the frames of joined clips are nearly so."""
    return np.linspace(seconds_T[0], seconds_T[-1], len(seconds_T))
