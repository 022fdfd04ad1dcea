"""A constant offset between sound and picture: the lag at which they agree best over the whole video.

The means of both senses are taken out first, which is the same as removing the mean of every row and column
of the matrix of all sounds with all pictures: moments that agree with everything then count for nothing.

Letters: T moments, D width, K lags, B stretches, X resamples.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from cavmae_sync.tasks.agreement.chance import Draw
from cavmae_sync.tasks.agreement.reference import Reference
from cavmae_sync.tasks.agreement.track import Track

#: Length of the stretches that are drawn again for the interval, and moved about for chance.
STRETCH_SECONDS: Final = 5.0
#: Fewer stretches cannot be moved about in enough ways.
MIN_STRETCHES: Final = 6
_TRIES: Final = 20_000


@dataclass(frozen=True, kw_only=True, slots=True)
class Offset:
    """How much later than the picture the sound is.

    Attributes:
        seconds: Positive when the sound is late; None when no peak stands out.
        low: Lower end of its 95 % interval, from stretches of the video drawn again; None as `seconds`.
        high: Upper end.
        p_value: Share of foreign sounds whose curve has a peak as high; None when that cannot be told.
        lags_K: float64, seconds by which the sound is taken from later.
        curve_K: float64, mean centred agreement at each lag.
        chance_high: Height that 1 in 20 foreign sounds reaches somewhere; None when that cannot be told.
        corrected_seconds: What was taken off: the lag that the model itself shows on the reference.
    """

    seconds: float | None
    low: float | None
    high: float | None
    p_value: float | None
    lags_K: NDArray[np.float64]
    curve_K: NDArray[np.float64]
    chance_high: float | None
    corrected_seconds: float = 0.0

    @property
    def excludes_step(self) -> bool:
        """Whether an offset was found and its interval does not hold 0: sound and picture are out of step."""
        return self.low is not None and self.high is not None and (self.low > 0 or self.high < 0)


def offset_of(
    track: Track,
    *,
    heard_T: NDArray[np.bool_],
    draws: Iterable[Draw],
    max_lag_seconds: float,
    error_rate: float,
    corrected_seconds: float = 0.0,
    generator: np.random.Generator,
) -> Offset:
    """The lag with the highest mean agreement, if chance does not reach it.

    Args:
        track: The video.
        heard_T: Where it has sound.
        draws: Foreign sound tracks; with none, nothing is found.
        max_lag_seconds: Largest lag tried, either way.
        error_rate: Largest p-value at which an offset is reported.
        corrected_seconds: Lag of the model itself, taken off the result.
        generator: Of the resamples.
    """
    max_lag = min(round(max_lag_seconds / track.step_seconds), max(len(track.seconds_T) // 2, 1))
    products_KT = lag_products(track.audio_TD, heard_T, track.visual_TD, max_lag=max_lag)
    curve_K = lag_curve(products_KT)
    lags_K = _lags(max_lag, track.step_seconds)
    heights = np.array(
        [_mean_curve(audio_TD, sounding_T, track.visual_TD, max_lag).max() for audio_TD, sounding_T in draws]
    )
    p_value = float((1 + (heights >= curve_K.max()).sum()) / (1 + len(heights))) if len(heights) else None
    found = p_value is not None and p_value <= error_rate
    ends = _interval(products_KT, lags_K, track.step_seconds, generator) if found else (None, None)
    return Offset(
        seconds=peak_seconds(curve_K, lags_K) - corrected_seconds if found else None,
        low=None if ends[0] is None else ends[0] - corrected_seconds,
        high=None if ends[1] is None else ends[1] - corrected_seconds,
        p_value=p_value,
        lags_K=lags_K,
        curve_K=curve_K,
        chance_high=float(np.quantile(heights, 1 - error_rate)) if len(heights) else None,
        corrected_seconds=corrected_seconds,
    )


def _lags(max_lag: int, step_seconds: float) -> NDArray[np.float64]:
    return (np.arange(-max_lag, max_lag + 1) * step_seconds).astype(np.float64)


def _mean_curve(
    audio_TD: Tensor, heard_T: NDArray[np.bool_], visual_TD: Tensor, max_lag: int
) -> NDArray[np.float64]:
    """`lag_curve` of `lag_products` without the single moments: one product of long vectors for each lag."""
    heard = torch.from_numpy(heard_T)
    mean_D = audio_TD[heard].mean(dim=0) if heard_T.any() else audio_TD.mean(dim=0)
    audio_TD = (audio_TD - mean_D) * heard[:, None]
    visual_TD = visual_TD - visual_TD.mean(dim=0)
    num_moments = len(visual_TD)
    curve: list[float] = []
    for lag in range(-max_lag, max_lag + 1):
        sounds = slice(max(lag, 0), num_moments - max(-lag, 0))
        pictures = slice(max(-lag, 0), num_moments - max(lag, 0))
        total = torch.dot(audio_TD[sounds].flatten(), visual_TD[pictures].flatten())
        curve.append(float(total) / max(int(heard_T[sounds].sum()), 1))
    return np.array(curve)


def lag_products(
    audio_TD: Tensor, heard_T: NDArray[np.bool_], visual_TD: Tensor, *, max_lag: int
) -> NDArray[np.float64]:
    """Centred agreement of each picture with the sound at each lag, [2 max_lag + 1, T]; NaN where none is.

    Args:
        audio_TD: Unit rows.
        heard_T: Which of them are sound; the others count nowhere.
        visual_TD: Unit rows.
        max_lag: In moments. Row k is the lag k - max_lag: the sound that many moments after the picture.
    """
    num_moments = len(visual_TD)
    heard = torch.from_numpy(heard_T)
    mean_D = audio_TD[heard].mean(dim=0) if heard_T.any() else audio_TD.mean(dim=0)
    audio_TD, visual_TD = audio_TD - mean_D, visual_TD - visual_TD.mean(dim=0)
    products_KT = np.full((2 * max_lag + 1, num_moments), np.nan)
    for k, lag in enumerate(range(-max_lag, max_lag + 1)):
        pictures = slice(max(-lag, 0), num_moments - max(lag, 0))
        sounds = slice(max(lag, 0), num_moments - max(-lag, 0))
        values = (audio_TD[sounds] * visual_TD[pictures]).sum(dim=1).double().numpy()
        products_KT[k, pictures] = np.where(heard_T[sounds], values, np.nan)
    return products_KT


def lag_curve(products_KT: NDArray[np.float64]) -> NDArray[np.float64]:
    """Mean over time at each lag; 0 where no moment has one."""
    counts_K = np.isfinite(products_KT).sum(axis=1)
    return np.nansum(products_KT, axis=1) / np.maximum(counts_K, 1)


def peak_seconds(curve_K: NDArray[np.float64], lags_K: NDArray[np.float64]) -> float:
    """Place of the highest value, between the lags by a parabola through it and its neighbours."""
    top = int(curve_K.argmax())
    if not 0 < top < len(curve_K) - 1:
        return float(lags_K[top])
    left, middle, right = curve_K[top - 1 : top + 2]
    bend = left - 2 * middle + right
    between = 0.5 * (left - right) / bend if bend < 0 else 0.0
    return float(lags_K[top] + between * (lags_K[top] - lags_K[top - 1]))


def displaced_stretches(
    track: Track,
    *,
    heard_T: NDArray[np.bool_],
    max_lag_seconds: float,
    num_draws: int,
    generator: np.random.Generator,
) -> Iterable[Draw]:
    """The video's own sound, cut into stretches and put together in other orders, as chance for an offset.

    A stretch is as long as the largest lag (5 s at least), and none lies where a lag could bring it home.
    Nothing is drawn where the video has fewer than 6 stretches.
    """
    length = max(round(max(max_lag_seconds, STRETCH_SECONDS) / track.step_seconds), 1)
    num_stretches = len(track.seconds_T) // length
    if num_stretches < MIN_STRETCHES:
        return
    home_B = np.arange(num_stretches)
    rest = np.arange(num_stretches * length, len(track.seconds_T))
    num_drawn = 0
    for _ in range(_TRIES):
        if num_drawn == num_draws:
            return
        order_B = generator.permutation(num_stretches)
        if (np.abs(order_B - home_B) < 2).any():
            continue
        num_drawn += 1
        places = (order_B[:, None] * length + np.arange(length)).ravel()
        silent = np.zeros(len(rest), dtype=np.bool_)  # what is left over has no place to go
        index_T = np.concatenate([places, rest])
        yield track.audio_TD[torch.from_numpy(index_T)], np.concatenate([heard_T[places], silent])


def _interval(
    products_KT: NDArray[np.float64],
    lags_K: NDArray[np.float64],
    step_seconds: float,
    generator: np.random.Generator,
    num_resamples: int = 200,
) -> tuple[float, float]:
    """95 % interval of the peak, over stretches drawn again with replacement."""
    num_moments = products_KT.shape[1]
    length = max(round(STRETCH_SECONDS / step_seconds), 1)
    starts = np.arange(0, num_moments, length)
    sums_KB = np.add.reduceat(np.nan_to_num(products_KT), starts, axis=1)
    counts_KB = np.add.reduceat(np.isfinite(products_KT).astype(np.float64), starts, axis=1)
    draws_XB = generator.integers(len(starts), size=(num_resamples, len(starts)))
    peaks = [
        peak_seconds(sums_KB[:, draw].sum(axis=1) / np.maximum(counts_KB[:, draw].sum(axis=1), 1), lags_K)
        for draw in draws_XB
    ]
    low, high = np.quantile(peaks, (0.025, 0.975))
    return float(low), float(high)


def reference_lag(reference: Reference, *, silent_below_dbfs: float, max_lag_seconds: float) -> float:
    """The lag that a model shows where there is none: at which all clips of a reference agree best.

    A model learns the mean lag of its training pairs. The published pairs have one: frames are spread over
    the whole clip and segments over 15/16 of it, so that sound comes 0.2 to 0.3 s before its frame.
    """
    step = reference.tracks[0].step_seconds
    max_lag = min(round(max_lag_seconds / step), len(reference.tracks[0].seconds_T) // 2)
    products = [
        lag_products(track.audio_TD, track.loudness_T >= silent_below_dbfs, track.visual_TD, max_lag=max_lag)
        for track in reference.tracks
    ]
    return peak_seconds(lag_curve(np.concatenate(products, axis=1)), _lags(max_lag, step))
