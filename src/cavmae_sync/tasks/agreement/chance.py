"""What chance gives: the pictures of a video with sounds that do not belong to them.

A draw of chance is a whole foreign sound track for the video. It comes from one of two places:

within the video   its own sound, moved round by so much that no window overlaps the one it came from. Moving
                   the track as a whole keeps how slowly sounds change; else a smoothed band is too narrow.
from a reference   sounds of other videos, one after the other.

Only a reference shows sound that is foreign from beginning to end, or a video that never changes.

Letters: T moments, D width, R draws.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from cavmae_sync.tasks.agreement.track import (
    Track,
)

#: One foreign sound track: vectors [T, D], and where they are sound and not silence [T].
Draw = tuple[Tensor, NDArray[np.bool_]]


@dataclass(frozen=True, kw_only=True, slots=True)
class NullPercentiles:
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


def null_percentiles(
    track: Track, *, heard_T: NDArray[np.bool_], draws: Iterable[Draw], width: int
) -> NullPercentiles:
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
    return NullPercentiles(
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
