"""Videos with planted faults: clips joined end to end, and a plan of which sound is heard when.

A plan says for each moment from which clip, and from which time in it, its sound is. The same plan makes a
waveform for a model and a track of truth for the oracle, so both are asked the same.

Letters: T moments, K moments of a clip, P pieces, S samples, D width.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final, Literal, Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional as F

from cavmae_sync.data import PreparedDataset
from cavmae_sync.embedding import Embedder
from cavmae_sync.embedding.embedder import OnProgress
from cavmae_sync.paper import SAMPLE_RATE_HZ
from cavmae_sync.stage import ClipTruth, StageTruth
from cavmae_sync.tasks.agreement.reference import embed_clips
from cavmae_sync.tasks.agreement.track import SILENCE_DBFS, Track, sound_windows, window_seconds

Fault = Literal["none", "foreign span", "silent span", "shifted", "foreign throughout"]
FAULTS: Final[tuple[Fault, ...]] = ("none", "foreign span", "silent span", "shifted", "foreign throughout")
#: Length of a planted span.
SPAN_SECONDS: Final = 15.0
#: Largest planted shift.
MAX_SHIFT_SECONDS: Final = 2.0

#: Loudness of an object below which the oracle hears and sees no difference to silence.
_ORACLE_FLOOR: Final = 0.1
_ORACLE_WIDTH: Final = 64


@dataclass(frozen=True, kw_only=True, slots=True)
class Piece:
    """A stretch of sound of a planted video.

    Attributes:
        start_seconds: In the planted video.
        stop_seconds: Its end.
        clip: Number of the clip whose sound it is; None is digital silence.
        clip_seconds: Time in that clip at which it begins.
    """

    start_seconds: float
    stop_seconds: float
    clip: int | None
    clip_seconds: float


@dataclass(frozen=True, kw_only=True, slots=True)
class PlantedVideo:
    """Clips joined end to end, and their sound with a fault.

    Attributes:
        fault: What is wrong with it.
        clips: Numbers of the clips whose pictures follow one another.
        clip_seconds: Length of each.
        pieces: Its sound, without gaps.
        span: Where the fault is, in seconds; None where it is nowhere or throughout.
        shift_seconds: How late the sound is.
    """

    fault: Fault
    clips: tuple[int, ...]
    clip_seconds: float
    pieces: tuple[Piece, ...]
    span: tuple[float, float] | None = None
    shift_seconds: float = 0.0

    @property
    def duration_seconds(self) -> float:
        """Its length."""
        return self.clip_seconds * len(self.clips)


class Source(Protocol):
    """What turns planted videos into tracks: a model, or the truth."""

    name: str

    def track(self, video: PlantedVideo) -> Track:
        """The vectors of a planted video."""
        ...

    def clip_tracks(self, clips: Sequence[int]) -> list[Track]:
        """The vectors of clips without fault, for a reference."""
        ...


def plant(
    clips: Sequence[int],
    *,
    clip_seconds: float,
    foreign: Sequence[int],
    fault: Fault,
    generator: np.random.Generator,
) -> PlantedVideo:
    """Plan one video.

    Args:
        clips: Numbers of the clips of the picture.
        clip_seconds: Length of a clip.
        foreign: As many other clips, whose sound is foreign to the picture.
        fault: What to plant. A shift is drawn between -2 and 2 s; what it pushes out at one end comes in at
            the other. A span is 15 s long, or a quarter of the video, and begins anywhere.
        generator: Of places and shifts.
    """
    total = clip_seconds * len(clips)
    own, other = (_in_row(row, clip_seconds) for row in (clips, foreign))
    if fault in {"foreign span", "silent span"}:
        length = min(SPAN_SECONDS, total / 4)
        start = float(generator.uniform(0, total - length))
        stop = start + length
        silence = [Piece(start_seconds=start, stop_seconds=stop, clip=None, clip_seconds=0.0)]
        middle = silence if fault == "silent span" else _cut(other, start, stop)
        pieces = [*_cut(own, 0, start), *middle, *_cut(own, stop, total)]
        return PlantedVideo(
            fault=fault,
            clips=tuple(clips),
            clip_seconds=clip_seconds,
            pieces=tuple(pieces),
            span=(start, stop),
        )
    shift = float(generator.uniform(-MAX_SHIFT_SECONDS, MAX_SHIFT_SECONDS)) if fault == "shifted" else 0.0
    pieces = other if fault == "foreign throughout" else own
    if shift:
        border = -shift % total
        pieces = [*_moved(_cut(own, border, total), -border), *_moved(_cut(own, 0, border), total - border)]
    return PlantedVideo(
        fault=fault,
        clips=tuple(clips),
        clip_seconds=clip_seconds,
        pieces=tuple(pieces),
        shift_seconds=shift,
    )


def _in_row(clips: Sequence[int], clip_seconds: float) -> list[Piece]:
    return [
        Piece(
            start_seconds=n * clip_seconds, stop_seconds=(n + 1) * clip_seconds, clip=clip, clip_seconds=0.0
        )
        for n, clip in enumerate(clips)
    ]


def _cut(pieces: Sequence[Piece], start: float, stop: float) -> list[Piece]:
    cut = []
    for piece in pieces:
        first, last = max(piece.start_seconds, start), min(piece.stop_seconds, stop)
        if last > first:
            at = piece.clip_seconds + first - piece.start_seconds
            cut.append(Piece(start_seconds=first, stop_seconds=last, clip=piece.clip, clip_seconds=at))
    return cut


def _moved(pieces: Sequence[Piece], by: float) -> list[Piece]:
    return [
        Piece(
            start_seconds=piece.start_seconds + by,
            stop_seconds=piece.stop_seconds + by,
            clip=piece.clip,
            clip_seconds=piece.clip_seconds,
        )
        for piece in pieces
    ]


class ModelSource:
    """Planted videos as a model sees and hears them. The pictures of a clip are embedded once."""

    def __init__(
        self,
        embedder: Embedder,
        clips: PreparedDataset,
        *,
        name: str = "model",
        on_progress: OnProgress | None = None,
    ) -> None:
        """Embeds every clip."""
        self.name = name
        self._embedder = embedder
        self._clips = clips
        self._tracks = embed_clips(embedder, clips, on_progress=on_progress)

    def clip_tracks(self, clips: Sequence[int]) -> list[Track]:
        """See `Source`."""
        return [self._tracks[clip] for clip in clips]

    def track(self, video: PlantedVideo) -> Track:
        """See `Source`."""
        config = self._embedder.model.config.inputs
        seconds_T = joined_seconds(video, [self._tracks[clip].seconds_T for clip in video.clips])
        segments_TLM, loudness_T = sound_windows(self._waveform(video), seconds_T, config=config)
        return Track(
            seconds_T=even_steps(seconds_T),
            audio_TD=self._embedder.embed_segments(segments_TLM),
            visual_TD=torch.cat([self._tracks[clip].visual_TD for clip in video.clips]),
            loudness_T=loudness_T,
            is_still_T=np.concatenate([self._tracks[clip].is_still_T for clip in video.clips]),
            window_seconds=window_seconds(config),
        )

    def _waveform(self, video: PlantedVideo) -> NDArray[np.float32]:
        waveform_S = np.zeros(round(video.duration_seconds * SAMPLE_RATE_HZ), dtype=np.float32)
        for piece in video.pieces:
            if piece.clip is None:
                continue
            start, stop, at = (
                round(seconds * SAMPLE_RATE_HZ)
                for seconds in (piece.start_seconds, piece.stop_seconds, piece.clip_seconds)
            )
            sound_S = self._clips.read_waveform(piece.clip)[at : at + stop - start]
            waveform_S[start : start + len(sound_S)] = sound_S
        return waveform_S


class OracleSource:
    """Planted videos as told by the truth: which objects sound, and which visible ones show that they sound.

    Every object has a direction of its own; a moment is the sum of the directions of its objects, each as
    long as the object is loud in the window. A metric that works must come out right with these vectors.
    """

    name = "oracle"

    def __init__(
        self, truth: StageTruth, clips: PreparedDataset, *, window_seconds: float, seed: int = 0
    ) -> None:
        """Reads the truth of every clip.

        Raises:
            DatasetError: A clip is not of this stage.
        """
        self._rows = [clips.row(index) for index in range(len(clips))]
        self._window = window_seconds
        self._directions: dict[str, Tensor] = {}
        self._generator = torch.Generator().manual_seed(seed)
        self._tables = [self._table(truth.for_clip(row)) for row in self._rows]

    def clip_tracks(self, clips: Sequence[int]) -> list[Track]:
        """See `Source`."""
        tracks = []
        for clip in clips:
            seconds_T = np.asarray(self._rows[clip].frame_seconds)
            heard_TD = torch.stack([self._at(clip, t, seen=False) for t in seconds_T])
            tracks.append(self._as_track(seconds_T, heard_TD, [clip] * len(seconds_T), seconds_T))
        return tracks

    def track(self, video: PlantedVideo) -> Track:
        """See `Source`."""
        local = [np.asarray(self._rows[clip].frame_seconds) for clip in video.clips]
        seconds_T = joined_seconds(video, local)
        heard_TD = torch.stack([self._heard(video, seconds) for seconds in seconds_T])
        shown = [clip for clip, times in zip(video.clips, local, strict=True) for _ in times]
        return self._as_track(even_steps(seconds_T), heard_TD, shown, np.concatenate(local))

    def _heard(self, video: PlantedVideo, seconds: float) -> Tensor:
        for piece in video.pieces:
            if piece.start_seconds <= seconds < piece.stop_seconds and piece.clip is not None:
                return self._at(piece.clip, piece.clip_seconds + seconds - piece.start_seconds, seen=False)
        return torch.zeros(_ORACLE_WIDTH)

    def _as_track(
        self,
        seconds_T: NDArray[np.float64],
        heard_TD: Tensor,
        clips: Sequence[int],
        at_T: NDArray[np.float64],
    ) -> Track:
        seen_TD = torch.stack([self._at(clip, t, seen=True) for clip, t in zip(clips, at_T, strict=True)])
        # Digital silence has no direction and no loudness; any direction will do for it.
        is_silence_T = (heard_TD == 0).all(dim=1).numpy()
        heard_TD[torch.from_numpy(is_silence_T)] = self._direction("nothing")
        return Track(
            seconds_T=seconds_T,
            audio_TD=F.normalize(heard_TD, dim=1),
            visual_TD=F.normalize(seen_TD, dim=1),
            loudness_T=np.where(is_silence_T, SILENCE_DBFS, -20.0).astype(np.float32),
            is_still_T=np.zeros(len(seconds_T), dtype=np.bool_),
            window_seconds=self._window,
        )

    def _at(self, clip: int, seconds: float, *, seen: bool) -> Tensor:
        frame_seconds_T, heard_TD, seen_TD = self._tables[clip]
        apart_T = np.abs(frame_seconds_T - (seconds + self._rows[clip].start_seconds))
        around_T = apart_T <= self._window / 2
        if not around_T.any():
            around_T[apart_T.argmin()] = True
        return (seen_TD if seen else heard_TD)[torch.from_numpy(around_T)].mean(dim=0)

    def _table(self, truth: ClipTruth) -> tuple[NDArray[np.float64], Tensor, Tensor]:
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


def joined_seconds(video: PlantedVideo, local: Sequence[NDArray[np.float64]]) -> NDArray[np.float64]:
    """Times of the moments of a planted video, from those of its clips."""
    return np.concatenate([times + n * video.clip_seconds for n, times in enumerate(local)])


def even_steps(seconds_T: NDArray[np.float64]) -> NDArray[np.float64]:
    """Times in equal steps from the first to the last: the frames of joined clips are nearly so."""
    return np.linspace(seconds_T[0], seconds_T[-1], len(seconds_T))


def truth_of_moments(
    video: PlantedVideo, seconds_T: NDArray[np.float64], *, margin_seconds: float
) -> Mapping[str, NDArray[np.bool_]]:
    """Which moments are which: `own`, `foreign`, `silent`. Those near an end of the span are none of them."""
    everywhere_T = np.ones(len(seconds_T), dtype=np.bool_)
    nowhere_T = ~everywhere_T
    if video.span is None:
        is_foreign = video.fault == "foreign throughout"
        return {
            "own": nowhere_T if is_foreign or video.fault == "shifted" else everywhere_T,
            "foreign": everywhere_T if is_foreign else nowhere_T,
            "silent": nowhere_T,
        }
    start, stop = video.span
    inside_T = (seconds_T >= start + margin_seconds) & (seconds_T <= stop - margin_seconds)
    outside_T = (seconds_T <= start - margin_seconds) | (seconds_T >= stop + margin_seconds)
    is_silence = video.fault == "silent span"
    return {
        "own": outside_T,
        "foreign": nowhere_T if is_silence else inside_T,
        "silent": inside_T if is_silence else nowhere_T,
    }
