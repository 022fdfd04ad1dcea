"""Chance: how well the frames of a video agree with sounds that do not belong to them.

A draw of chance is a whole foreign sound track for the video. It comes from one of two places:

within the video   its own sound, moved round by so much that no window overlaps the one it came from. Moving
                   the track as a whole keeps how slowly sounds change; else a smoothed band is too narrow.
from a reference   sounds of other videos, one after the other (`Reference.foreign_sounds`).

Only a reference shows sound that is foreign from beginning to end, or a video that never changes.

Letters: T moments, D width, R foreign sounds.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from cavmae_sync.tasks.agreement.moments import EmbeddedMoments


class ForeignSound(NamedTuple):
    """A sound track that does not belong to the frames of a video.

    Attributes:
        audio_TD: float32, unit rows.
        heard_T: Which of them are sound and not silence.
    """

    audio_TD: Tensor
    heard_T: NDArray[np.bool_]


@dataclass(frozen=True, kw_only=True, slots=True)
class NullPercentiles:
    """Smoothed agreement of a video, and its percentile among foreign sounds with the same frames.

    NaN where less than half of the running mean has sound.

    Attributes:
        agreement_T: Mean cosine.
        low_T: 5 % quantile of chance.
        mid_T: Median of chance.
        high_T: 95 % quantile of chance.
        percentile_T: Share of foreign sounds that agree less, in [0, 1].
        score_T: (agreement - mean of chance) / standard deviation of chance.
        p_value: Of the mean over the whole video: share of foreign sounds that agree as much or more.
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
        values_RT: Smoothed along the last axis.
        valid_RT: Which values count.
        width: Moments, odd.
    """
    half = width // 2
    num_moments = values_RT.shape[-1]
    first_T = np.clip(np.arange(num_moments) - half, 0, None)
    stop_T = np.clip(np.arange(num_moments) + half + 1, None, num_moments)

    def sums(rows: NDArray[np.floating]) -> NDArray[np.float64]:
        padded = np.concatenate([np.zeros((*rows.shape[:-1], 1)), np.cumsum(rows, axis=-1)], axis=-1)
        return padded[..., stop_T] - padded[..., first_T]

    counts = sums(valid_RT.astype(np.float64))
    enough = 2 * counts >= stop_T - first_T
    return np.where(enough, sums(np.where(valid_RT, values_RT, 0.0)) / np.maximum(counts, 1), np.nan)


def null_percentiles(
    moments: EmbeddedMoments, *, heard_T: NDArray[np.bool_], foreign: Iterable[ForeignSound], width: int
) -> NullPercentiles:
    """Percentile of the agreement of every moment among that of foreign sounds.

    Args:
        moments: The video.
        heard_T: Where it has sound.
        foreign: Foreign sounds of its length.
        width: Moments of the running mean, odd.
    """
    own_T = cosines(moments.audio_TD, moments.visual_TD)
    agreement_T = smoothed(own_T, heard_T, width=width)
    pairs = [(cosines(audio_TD, moments.visual_TD), sounding_T) for audio_TD, sounding_T in foreign]
    foreign_RT, sounding_RT = (np.stack(part) for part in zip(*pairs, strict=True))
    chance_RT = smoothed(foreign_RT, sounding_RT, width=width)
    chance_RT[:, np.isnan(agreement_T)] = np.nan
    usable_T = np.isfinite(chance_RT).mean(axis=0) >= 0.5
    chance_RT[:, ~usable_T] = 0.0  # so that quantiles are defined; these become NaN again below
    low_T, mid_T, high_T = np.nanquantile(chance_RT, (0.05, 0.5, 0.95), axis=0)
    below_T = (chance_RT < agreement_T).sum(axis=0) + 0.5 * (chance_RT == agreement_T).sum(axis=0)
    deviation_T = np.maximum(np.nanstd(chance_RT, axis=0), 1e-9)  # 0 where all foreign sounds are alike
    values = {
        "agreement_T": agreement_T,
        "low_T": low_T,
        "mid_T": mid_T,
        "high_T": high_T,
        "percentile_T": below_T / np.isfinite(chance_RT).sum(axis=0),
        "score_T": (agreement_T - np.nanmean(chance_RT, axis=0)) / deviation_T,
    }
    return NullPercentiles(
        **{name: np.where(usable_T, values_T, np.nan) for name, values_T in values.items()},
        p_value=_p_of_mean(own_T, heard_T, foreign_RT, sounding_RT),
    )


def cosines(audio_TD: Tensor, visual_TD: Tensor) -> NDArray[np.float64]:
    """Cosine of the audio and the visual vector of each moment, from unit rows."""
    return (audio_TD * visual_TD).sum(dim=1).double().numpy()


def sounds_moved_within(
    moments: EmbeddedMoments, *, heard_T: NDArray[np.bool_], gap_seconds: float, max_sounds: int
) -> Iterator[ForeignSound]:
    """The video's own sound, moved round by every length that leaves `gap_seconds`, or by some of them.

    Args:
        moments: The video.
        heard_T: Where it has sound.
        gap_seconds: Least distance between a frame and a foreign sound of the same video; a window's length
            where that is more, so that no sound is heard by both.
        max_sounds: At most so many, evenly spread.
    """
    num_moments = len(moments.seconds_T)
    gap = int(np.ceil(max(gap_seconds, moments.window_seconds) / moments.step_seconds - 1e-9))
    turns = np.arange(gap, num_moments - gap + 1)
    if len(turns) > max_sounds:
        turns = np.unique(np.linspace(turns[0], turns[-1], max_sounds).round().astype(int))
    for turn in turns.tolist():
        yield ForeignSound(torch.roll(moments.audio_TD, -turn, 0), np.roll(heard_T, -turn))


@dataclass(frozen=True, kw_only=True, slots=True)
class ShortVideoAgreement:
    """Agreement of a video too short to be judged, beside that of its own sound in other places.

    Attributes:
        agreement: Mean cosine of sound and frame of one moment.
        lowest: Lowest mean cosine with the sound moved within the video.
        highest: Highest mean cosine with the sound moved within the video.
        num_ways: Ways to move it so far that no sound is heard by both.
        num_as_good: Ways that agree as much as the sound in its own place, or more.
    """

    agreement: float
    lowest: float
    highest: float
    num_ways: int
    num_as_good: int


def short_video_agreement(
    moments: EmbeddedMoments, *, heard_T: NDArray[np.bool_], foreign: Iterable[ForeignSound]
) -> ShortVideoAgreement | None:
    """Mean agreement of a video beside that of its own sound in other places; None where there is none.

    Args:
        moments: The video.
        heard_T: Where it has sound.
        foreign: From `sounds_moved_within`.
    """
    if not heard_T.any():
        return None
    own = float(cosines(moments.audio_TD, moments.visual_TD)[heard_T].mean())
    moved = [float(cosines(audio_TD, moments.visual_TD)[heard].mean()) for audio_TD, heard in foreign]
    if not moved:
        return None
    return ShortVideoAgreement(
        agreement=own,
        lowest=min(moved),
        highest=max(moved),
        num_ways=len(moved),
        num_as_good=sum(value >= own for value in moved),
    )


def _p_of_mean(
    own_T: NDArray[np.float64],
    heard_T: NDArray[np.bool_],
    foreign_RT: NDArray[np.float64],
    sounding_RT: NDArray[np.bool_],
) -> float:
    """Share of foreign sounds with as high a mean agreement, the own sound counted among them."""
    if not heard_T.any():
        return 1.0
    own = own_T[heard_T].mean()
    means_R = np.where(sounding_RT, foreign_RT, 0).sum(axis=1) / np.maximum(sounding_RT.sum(axis=1), 1)
    return float((1 + (means_R >= own).sum()) / (1 + len(means_R)))
