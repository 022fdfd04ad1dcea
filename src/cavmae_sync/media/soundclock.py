"""Where decoded sound was heard: a continuous run of samples against the stamps that came with it.

Sound has no holes: one chunk begins where the one before ended. Stamps say so only roughly. They are rounded,
they jitter by the load of the machine that recorded, they drift where the sound card's clock is not the
computer's, and they leap where sound is really missing. So the samples are counted, and the stamps are only
asked how far the count is off. That lag is smoothed over seconds and then followed. A new run begins only
where the lag changes at once and for good.

Every answer depends on the stamps near it alone, so that it is the same from wherever a file was read.

Shapes: N chunks, M chunks with a stamp, K knots, S samples.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Final

import numpy as np
from numpy.typing import NDArray

#: How far around a moment stamps are looked at: to smooth the lag, and to see whether a change of it lasts.
SMOOTHING_SECONDS: Final = 10.0
LASTING_SECONDS: Final = 2.0
_KNOT_SECONDS: Final = 5.0

#: Until when, and from when on no longer, a track stands where its first stamp says.
HELD_SECONDS: Final = (20.0, 30.0)

# A change for good: almost all lags after it are above (or below) almost all before it, by this much.
_CHANGE_SECONDS: Final = 0.005
_ALMOST_ALL: Final = 0.9

# A slope of the lag is a drift if it is this many standard errors off zero; no clock is wrong by more.
_CLEAR_SLOPE: Final = 6.0
_MAX_SLOPE: Final = 0.05
_MIN_FITTED: Final = 8
_MIN_SPAN_SECONDS: Final = 4.0
# How far beyond almost all of the others a lag is no longer believed.
_OUTLIER_SECONDS: Final = 0.005

# Lags that differ by less are one lag: stamps rounded to a millisecond leave this much after smoothing.
_INAUDIBLE_SECONDS: Final = 1e-4
_TICK_SECONDS: Final = 1e-3
_ROUNDING_SECONDS: Final = 1e-9


@dataclass(frozen=True, kw_only=True, slots=True)
class Run:
    """Sound without a hole.

    Attributes:
        first: Its first chunk.
        stop: One past its last chunk.
        counts_K: Seconds of sound counted from its first sample, rising; from before it to after its end.
        seconds_K: When each of these was heard, on the file's timeline.
    """

    first: int
    stop: int
    counts_K: NDArray[np.float64]
    seconds_K: NDArray[np.float64]

    @property
    def is_steady(self) -> bool:
        """Whether its clock is that of the file."""
        return float(np.ptp(self.seconds_K - self.counts_K)) < _ROUNDING_SECONDS

    def seconds_of(self, count: float) -> float:
        """When a place in it was heard."""
        return float(np.interp(count, self.counts_K, self.seconds_K))

    def counts_of(self, seconds_S: NDArray[np.float64]) -> NDArray[np.float64]:
        """Which places were heard at some times; before its start below 0."""
        return np.interp(seconds_S, self.seconds_K, self.counts_K, left=-np.inf, right=np.inf)


def runs_of(stamps: Sequence[float | None], lengths_N: NDArray[np.float64], *, from_start: bool) -> list[Run]:
    """Runs of sound and when each of their moments was heard.

    Args:
        stamps: When each chunk begins by its stamp, seconds; None without one.
        lengths_N: Length of each chunk, seconds.
        from_start: The first chunk is the first one of its track. Jitter leaves open where a track begins;
            players take its first stamp, and for a while so does this. It is given up from
            `HELD_SECONDS[0]` to `HELD_SECONDS[1]` on the file's timeline, where nobody remembers it.

    Returns:
        Runs in order, every chunk in one of them; none where no chunk has a stamp.
    """
    has_N = np.array([stamp is not None for stamp in stamps], bool)
    if not has_N.any():
        return []
    counted_N = np.concatenate([[0.0], np.cumsum(lengths_N)[:-1]])
    lags_N = np.array([np.nan if stamp is None else stamp for stamp in stamps]) - counted_N
    starts = [0, *_changes(counted_N, lags_N), len(stamps)]
    runs = [_run(first, stop, counted_N, lags_N, lengths_N) for first, stop in pairwise(starts)]
    if from_start and has_N[0]:
        runs[0] = _begun_at(float(lags_N[0]), runs[0])
    return runs


def _changes(counted_N: NDArray[np.float64], lags_N: NDArray[np.float64]) -> list[int]:
    """Chunks at which the lag changes at once and for good."""
    known = np.flatnonzero(np.isfinite(lags_N))
    found: list[int] = []
    for index in known[1:][np.abs(np.diff(lags_N[known])) > _CHANGE_SECONDS]:
        begin = found[-1] if found else 0
        if _is_for_good(counted_N, lags_N, int(index), begin=begin):
            found.append(int(index))
    return found


def _is_for_good(
    counted_N: NDArray[np.float64], lags_N: NDArray[np.float64], index: int, *, begin: int
) -> bool:
    now = counted_N[index]
    low = max(begin, int(np.searchsorted(counted_N, now - LASTING_SECONDS)))
    high = int(np.searchsorted(counted_N, now + LASTING_SECONDS))
    before, after = lags_N[low:index], lags_N[index : max(high, index + 1)]
    before, after = before[np.isfinite(before)], after[np.isfinite(after)]
    if not before.size:
        return False
    rise = np.quantile(after, 1 - _ALMOST_ALL) - np.quantile(before, _ALMOST_ALL)
    fall = np.quantile(before, 1 - _ALMOST_ALL) - np.quantile(after, _ALMOST_ALL)
    return bool(max(rise, fall) > _CHANGE_SECONDS)


def _run(
    first: int,
    stop: int,
    counted_N: NDArray[np.float64],
    lags_N: NDArray[np.float64],
    lengths_N: NDArray[np.float64],
) -> Run:
    counted = counted_N[first:stop] - counted_N[first]
    lags = lags_N[first:stop] + counted_N[first]
    is_known = np.isfinite(lags)
    counted_M, lags_M = counted[is_known], lags[is_known]
    middle = float(np.median(lags_M))
    end = float(counted[-1] + lengths_N[stop - 1]) + middle
    # The same moments whatever part of a file is looked at.
    first_knot, last_knot = np.floor(middle / _KNOT_SECONDS) - 1, np.ceil(end / _KNOT_SECONDS) + 1
    moments_K = _KNOT_SECONDS * np.arange(first_knot, last_knot + 1, dtype=np.float64)
    fitted = [_lag_at(moment, counted_M, lags_M) for moment in moments_K]
    counts_K = np.array([count for count, _ in fitted])
    lags_K = np.array([lag for _, lag in fitted])
    if np.ptp(lags_K) <= _INAUDIBLE_SECONDS:
        lags_K[:] = lags_K.mean()
    return Run(first=first, stop=stop, counts_K=counts_K, seconds_K=counts_K + lags_K)


def _begun_at(lag: float, run: Run) -> Run:
    """The run, held at its first stamp as long as its lag does not change."""
    lags_K = run.seconds_K - run.counts_K
    held_K = np.clip((HELD_SECONDS[1] - run.seconds_K) / (HELD_SECONDS[1] - HELD_SECONDS[0]), 0, 1)
    early_K = lags_K[held_K == 1]
    late = lag - run.seconds_of(0.0)
    if not early_K.size or abs(late) <= _TICK_SECONDS:
        return run
    changes = float(np.abs(early_K - early_K.mean()).max()) > _CHANGE_SECONDS
    begun_K = lags_K + late if changes else np.full_like(lags_K, lag)
    lags_K += held_K * (begun_K - lags_K)
    return replace(run, seconds_K=run.counts_K + lags_K)


def _lag_at(
    moment: float, counted_M: NDArray[np.float64], lags_M: NDArray[np.float64]
) -> tuple[float, float]:
    """The count of a moment, and the lag there, by the stamps around it."""
    stamps_M = counted_M + lags_M
    middle = float(np.clip(moment, stamps_M[0], stamps_M[-1]))  # a moment outside is judged by the nearer end
    is_near = np.abs(stamps_M - middle) <= SMOOTHING_SECONDS
    if not is_near.any():
        is_near[np.abs(stamps_M - middle).argmin()] = True
    x, y = counted_M[is_near], lags_M[is_near]
    low, high = np.quantile(y, [1 - _ALMOST_ALL, _ALMOST_ALL])
    away = _OUTLIER_SECONDS + (high - low) / 2
    is_plain = (y >= low - away) & (y <= high + away)
    x, y = x[is_plain], y[is_plain]
    count = moment - float(np.median(y))
    return count, float(y.mean()) + _drift(x, y) * (count - float(x.mean()))


def _drift(x: NDArray[np.float64], y: NDArray[np.float64]) -> float:
    """Slope of the lag; 0 unless it is clear."""
    if x.size < _MIN_FITTED or np.ptp(x) < _MIN_SPAN_SECONDS:
        return 0.0
    centred = x - x.mean()
    sum_squares = float(centred @ centred)
    slope = float(centred @ y) / sum_squares
    rest = y - y.mean() - slope * centred
    error = float(np.sqrt(rest @ rest / (x.size - 2) / sum_squares))
    is_clear = abs(slope) > _CLEAR_SLOPE * error and abs(slope) <= _MAX_SLOPE
    return slope if is_clear else 0.0
