"""What chance gives: the pictures of a video with sounds that do not belong to them.

A draw of chance is a whole foreign sound track for the video. It comes from one of two places:

within the video   its own sound, moved round by so much that no window overlaps the one it came from. Moving
                   the track as a whole keeps how slowly sounds change; else a smoothed band is too narrow.
from a reference   sounds of other videos, one after the other.

Only a reference shows sound that is foreign from beginning to end, or a video that never changes.

Letters: T moments, D width, R draws, N clips of a reference, K moments of such a clip.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Final

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from cavmae_sync.audit.overlap import without_file
from cavmae_sync.data import PreparedDataset
from cavmae_sync.embedding.embedder import Embedder, Progress
from cavmae_sync.errors import DatasetError
from cavmae_sync.inputs import resize_and_crop
from cavmae_sync.tasks.agreement.track import (
    Track,
    embed_moments,
    sound_windows,
    still_moments,
    window_seconds,
)
from cavmae_sync.weights import weights_fingerprint

#: One foreign sound track: vectors [T, D], and where they are sound and not silence [T].
Draw = tuple[Tensor, NDArray[np.bool_]]
#: Fewer clips say little about the ends of what chance gives.
MIN_REFERENCE_CLIPS: Final = 20


@dataclass(frozen=True, kw_only=True, slots=True)
class Standing:
    """A smoothed agreement, and where it stands among those of foreign sounds at the same pictures.

    NaN where less than half of the smoothed stretch has sound.

    Attributes:
        agreement_T: Mean cosine.
        low_T: 5 % quantile of chance.
        mid_T: Median of chance.
        high_T: 95 % quantile of chance.
        percentile_T: Share of foreign sounds that agree less, in [0, 1].
        score_T: (agreement - mean of chance) / standard deviation of chance.
        p_value: Of the mean over the whole video: share of foreign tracks that agree as much or more.
    """

    agreement_T: NDArray[np.float64]
    low_T: NDArray[np.float64]
    mid_T: NDArray[np.float64]
    high_T: NDArray[np.float64]
    percentile_T: NDArray[np.float64]
    score_T: NDArray[np.float64]
    p_value: float


def smoothed(
    values_RT: NDArray[np.floating], valid_RT: NDArray[np.bool_], *, width: int
) -> NDArray[np.float64]:
    """Mean of the valid values among the `width` nearest; NaN where fewer than half are valid.

    Args:
        values_RT: Along the last axis.
        valid_RT: Which of them count.
        width: Moments, odd.
    """
    half = width // 2
    num_moments = values_RT.shape[-1]
    before = np.clip(np.arange(num_moments) - half, 0, None)
    behind = np.clip(np.arange(num_moments) + half + 1, None, num_moments)

    def sums(rows: NDArray[np.floating]) -> NDArray[np.float64]:
        padded = np.concatenate([np.zeros((*rows.shape[:-1], 1)), np.cumsum(rows, axis=-1)], axis=-1)
        return padded[..., behind] - padded[..., before]

    counts = sums(valid_RT.astype(np.float64))
    enough = 2 * counts >= behind - before
    return np.where(enough, sums(np.where(valid_RT, values_RT, 0.0)) / np.maximum(counts, 1), np.nan)


def standing(track: Track, *, heard_T: NDArray[np.bool_], draws: Iterable[Draw], width: int) -> Standing:
    """Where the agreement of every moment stands among that of foreign sounds.

    Args:
        track: The video.
        heard_T: Where it has sound.
        draws: Foreign sound tracks of its length.
        width: Moments of the running mean, odd.
    """
    own_T = _cosines(track.audio_TD, track.visual_TD)
    agreement_T = smoothed(own_T, heard_T, width=width)
    pairs = [(_cosines(audio_TD, track.visual_TD), sounding_T) for audio_TD, sounding_T in draws]
    foreign_RT, sounding_RT = (np.stack(part) for part in zip(*pairs, strict=True))
    chance_RT = smoothed(foreign_RT, sounding_RT, width=width)
    chance_RT[:, np.isnan(agreement_T)] = np.nan
    usable_T = np.isfinite(chance_RT).mean(axis=0) >= 0.5
    chance_RT[:, ~usable_T] = 0.0  # so that quantiles are defined; taken out again below
    low_T, mid_T, high_T = np.nanquantile(chance_RT, (0.05, 0.5, 0.95), axis=0)
    below_T = (chance_RT < agreement_T).sum(axis=0) + 0.5 * (chance_RT == agreement_T).sum(axis=0)
    deviation_T = np.maximum(np.nanstd(chance_RT, axis=0), 1e-9)
    score_T = (agreement_T - np.nanmean(chance_RT, axis=0)) / deviation_T
    percentile_T = below_T / np.isfinite(chance_RT).sum(axis=0)
    parts = [
        np.where(usable_T, part, np.nan)
        for part in (agreement_T, low_T, mid_T, high_T, percentile_T, score_T)
    ]
    agreement_T, low_T, mid_T, high_T, percentile_T, score_T = parts
    return Standing(
        agreement_T=agreement_T,
        low_T=low_T,
        mid_T=mid_T,
        high_T=high_T,
        percentile_T=percentile_T,
        score_T=score_T,
        p_value=_p_of_mean(own_T, heard_T, foreign_RT, sounding_RT),
    )


def _p_of_mean(
    own_T: NDArray[np.float64],
    heard_T: NDArray[np.bool_],
    foreign_RT: NDArray[np.float64],
    sounding_RT: NDArray[np.bool_],
) -> float:
    if not heard_T.any():
        return 1.0
    own = own_T[heard_T].mean()
    means_R = np.where(sounding_RT, foreign_RT, 0).sum(axis=1) / np.maximum(sounding_RT.sum(axis=1), 1)
    return float((1 + (means_R >= own).sum()) / (1 + len(means_R)))


def _cosines(audio_TD: Tensor, visual_TD: Tensor) -> NDArray[np.float64]:
    return (audio_TD * visual_TD).sum(dim=1).double().numpy()


@dataclass(frozen=True, kw_only=True, slots=True)
class Glance:
    """What a video too short to be judged shows all the same.

    Attributes:
        agreement: Mean cosine of sound and picture of one moment.
        lowest: The same with the sound moved elsewhere within the video: the least of all ways.
        highest: The largest.
        num_ways: Ways to move it so far that no sound is heard by both.
        num_as_good: Ways that agree as much as the sound in its own place, or more.
    """

    agreement: float
    lowest: float
    highest: float
    num_ways: int
    num_as_good: int


def glance(track: Track, *, heard_T: NDArray[np.bool_], draws: Iterable[Draw]) -> Glance | None:
    """The mean agreement of a video among those of its own sound in other places; None where there is none.

    Args:
        track: The video.
        heard_T: Where it has sound.
        draws: From `draws_within`.
    """
    if not heard_T.any():
        return None
    own = float(_cosines(track.audio_TD, track.visual_TD)[heard_T].mean())
    moved = [float(_cosines(audio_TD, track.visual_TD)[heard].mean()) for audio_TD, heard in draws]
    if not moved:
        return None
    num_as_good = sum(value >= own for value in moved)
    return Glance(
        agreement=own, lowest=min(moved), highest=max(moved), num_ways=len(moved), num_as_good=num_as_good
    )


def draws_within(
    track: Track, *, heard_T: NDArray[np.bool_], gap_seconds: float, num_draws: int
) -> Iterator[Draw]:
    """The video's own sound, moved round by every length that leaves `gap_seconds`, or by some of them.

    Args:
        track: The video.
        heard_T: Where it has sound.
        gap_seconds: Least distance between a picture and a foreign sound of the same video; a window's length
            where that is more, so that no sound is heard by both.
        num_draws: At most so many, evenly spread.
    """
    num_moments = len(track.seconds_T)
    gap = int(np.ceil(max(gap_seconds, track.window_seconds) / track.step_seconds - 1e-9))
    turns = np.arange(gap, num_moments - gap + 1)
    if len(turns) > num_draws:
        turns = np.unique(np.linspace(turns[0], turns[-1], num_draws).round().astype(int))
    for turn in turns.tolist():
        yield torch.roll(track.audio_TD, -turn, 0), np.roll(heard_T, -turn)


@dataclass(frozen=True, kw_only=True)
class Reference:
    """Clips in which sound and picture belong together, and which sound foreign to any other video.

    Attributes:
        tracks: One for each clip, of equal length.
        name: Where they are from.
        clip_list: Fingerprint of which clips these are.
        weights: Fingerprint of the weights that made the vectors.
        num_left_out: Clips of the very video that is judged, which are left out.
    """

    tracks: tuple[Track, ...]
    name: str
    clip_list: str
    weights: str
    num_left_out: int = 0

    @cached_property
    def _audio_NKD(self) -> Tensor:  # noqa: N802
        return torch.stack([track.audio_TD for track in self.tracks])

    def nearness(
        self, track: Track, *, heard_T: NDArray[np.bool_], without: int | None = None
    ) -> tuple[float, float]:
        """How near a video comes to these clips: the largest cosine of a moment with any of theirs, averaged.

        Args:
            track: The video.
            heard_T: Moments with sound, one at least; the others have no say about sounds.
            without: A clip to leave out: the one that the video is.

        Returns:
            Of its sounds, of its pictures; in [-1, 1].
        """
        others = [other for number, other in enumerate(self.tracks) if number != without]
        heard_TD = track.audio_TD[torch.from_numpy(heard_T)]
        audio_KD = torch.cat([other.audio_TD for other in others])
        visual_KD = torch.cat([other.visual_TD for other in others])
        return (
            float((heard_TD @ audio_KD.T).amax(dim=1).mean()),
            float((track.visual_TD @ visual_KD.T).amax(dim=1).mean()),
        )

    def draws(
        self,
        track: Track,
        *,
        silent_below_dbfs: float,
        num_draws: int,
        generator: np.random.Generator,
        without: int | None = None,
    ) -> Iterator[Draw]:
        """Foreign sound tracks for a video: clips in random order, at their own pace.

        Args:
            track: The video.
            silent_below_dbfs: Quieter sound is none.
            num_draws: How many.
            generator: Of the order.
            without: A clip to leave out: the one that the video is.
        """
        first = self.tracks[0]
        clip_seconds = first.step_seconds * len(first.seconds_T)
        passed_T = track.seconds_T - track.seconds_T[0] + 1e-9
        place_T = (passed_T // clip_seconds).astype(int)
        within_T = (
            (passed_T % clip_seconds / first.step_seconds).astype(int).clip(0, len(first.seconds_T) - 1)
        )
        heard_NK = np.stack([t.loudness_T >= silent_below_dbfs for t in self.tracks])
        others = np.array([n for n in range(len(self.tracks)) if n != without])
        for _ in range(num_draws):
            clip_T = others[generator.integers(len(others), size=place_T[-1] + 1)][place_T]
            yield self._audio_NKD[clip_T, within_T], heard_NK[clip_T, within_T]


def embed_clips(
    embedder: Embedder, clips: PreparedDataset, *, on_progress: Progress | None = None
) -> list[Track]:
    """Each clip of a prepared dataset as a track: its frames, and the sound exactly around each.

    Not as in `Embedder.embed_dataset`, which cuts segments by the published rule.

    Args:
        embedder: The model and how it computes.
        clips: Prepared clips.
        on_progress: Called with clips done and clips in all.

    Raises:
        WeightsError: The model gives vectors that are not finite.
    """
    config = embedder.model.config.inputs
    tracks = []
    for index in range(len(clips)):
        pictures_THWC = np.stack([clips.read_frame(index, frame) for frame in range(clips.num_frames)])
        pictures_THWC = resize_and_crop(pictures_THWC, pixels=config.frame_pixels).numpy()
        seconds_T = np.asarray(clips.row(index).frame_seconds)
        segments_TLM, loudness_T = sound_windows(clips.read_waveform(index), seconds_T, config=config)
        audio_TD, visual_TD = embed_moments(embedder, segments_TLM, pictures_THWC)
        tracks.append(
            Track(
                seconds_T=seconds_T,
                audio_TD=audio_TD,
                visual_TD=visual_TD,
                loudness_T=loudness_T,
                is_still_T=still_moments(pictures_THWC),
                window_seconds=window_seconds(config),
            )
        )
        if on_progress is not None:
            on_progress(index + 1, len(clips))
    return tracks


def full_clips(clips: PreparedDataset) -> list[int]:
    """Rows of the clips that are as long as the others and no copies.

    Left out are short clips, which have fewer moments a second apart, clips of one picture, and duplicates.
    """
    rows = [clips.row(index) for index in range(len(clips))]
    return [
        index
        for index, row in enumerate(rows)
        if not (row.is_short or row.is_duplicate) and (np.diff(row.frame_seconds) > 0).all()
    ]


@dataclass(frozen=True, kw_only=True, slots=True)
class ReferenceClips:
    """Clips that can be a reference, looked at in the table only; nothing is computed yet.

    Attributes:
        clips: The full clips of a prepared dataset, see `full_clips`.
        num_left_out: Clips of the very video that is judged, which are left out.
    """

    clips: PreparedDataset
    num_left_out: int


def choose_reference(clips: PreparedDataset, *, video: Path | None = None) -> ReferenceClips:
    """The clips that a video can be compared with, or the reason why there are too few: before any work.

    Args:
        clips: The dataset.
        video: The video to be judged: clips cut from the same file are left out, since nobody is a judge of
            himself.

    Raises:
        DatasetError: Fewer than 20 clips are of full length, or all of them are silent.
    """
    full = clips.subset(full_clips(clips))
    _check_enough(full)
    rest = full if video is None else without_file(full, video)
    _check_enough(rest, num_left_out=len(full) - len(rest))
    if all(rest.row(row).is_silent for row in range(len(rest))):
        raise DatasetError(
            f"{clips.folder} cannot be a reference: all of its clips are silent. Take clips with sound."
        )
    return ReferenceClips(clips=rest, num_left_out=len(full) - len(rest))


def _check_enough(full: PreparedDataset, *, num_left_out: int = 0) -> None:
    if len(full) < MIN_REFERENCE_CLIPS:
        own = f", {num_left_out} of this very video left out" if num_left_out else ""
        raise DatasetError(
            f"{full.folder} has {len(full)} clips of full length{own}, but a reference needs at least "
            f"{MIN_REFERENCE_CLIPS} to say what chance gives. Prepare more videos like this one, or leave "
            "out --reference to compare the video with itself."
        )


def embed_reference(
    embedder: Embedder, chosen: ReferenceClips, *, on_progress: Progress | None = None
) -> Reference:
    """Clips as a reference.

    Args:
        embedder: The model.
        chosen: From `choose_reference`.
        on_progress: Called with clips done and clips in all.

    Raises:
        WeightsError: The model gives vectors that are not finite.
    """
    return Reference(
        tracks=tuple(embed_clips(embedder, chosen.clips, on_progress=on_progress)),
        name=str(chosen.clips.folder),
        clip_list=chosen.clips.list_sha256,
        weights=weights_fingerprint(embedder.model),
        num_left_out=chosen.num_left_out,
    )
