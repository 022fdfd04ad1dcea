"""Times at which decoded sound was heard, from a count of samples and the time stamps that came with them.

Sound has no holes: one chunk begins where the one before ended. Stamps say so only roughly. They are rounded,
they jitter with the load of the machine that recorded, they drift where the clock of the sound card is not
the computer's, and they leap where sound is really missing. Placing each chunk at its stamp turns all of this
into holes and overlaps: found/jitter15_opus60.webm had 6 % silence in 12 holes. So the samples are counted,
and the stamps only tell how far the count is off. This lag is smoothed over seconds and then followed. A new
run of sound begins only where the lag changes at once and for good.

Every time depends only on the stamps near it, so a clip is the same, to the last bit, from wherever its file
was read.

Shapes: N chunks, M chunks with a stamp, K knots, S samples.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Final

import numpy as np
from numpy.typing import NDArray

#: Seconds around a moment whose stamps count: to smooth the lag, and to see whether a change of it lasts.
SMOOTHING_SECONDS: Final = 10.0
LASTING_SECONDS: Final = 2.0
_KNOT_SECONDS: Final = 5.0

#: A track begins at its first stamp, as players have it. The mean of all stamps is the better guess of where
#: a track with jitter lies, so it moves there, slowly enough not to be heard, between these two times.
HELD_SECONDS: Final = (20.0, 30.0)

# A change is for good where almost all lags after it are above (or below) almost all before it, by this much.
# A busy machine gives its sound late and catches up: that is no change.
_CHANGE_SECONDS: Final = 0.005
_ALMOST_ALL: Final = 0.9

# A slope of the lag is a drift if it is this many standard errors off zero. No clock is 5 % wrong.
_CLEAR_SLOPE: Final = 6.0
_MAX_SLOPE: Final = 0.05
_MIN_FITTED: Final = 8
_MIN_SPAN_SECONDS: Final = 4.0
# A lag this far beyond almost all others is left out. The distance grows with their spread: a fixed one threw
# away half of a jitter that has two levels, and the sound stood 15 ms off.
_OUTLIER_SECONDS: Final = 0.005

# Lags that differ by less are one lag: stamps rounded to a millisecond leave this much after smoothing. A run
# with one lag is laid sample by sample; only a drifting one has to be interpolated.
_INAUDIBLE_SECONDS: Final = 1e-4
_TICK_SECONDS: Final = 1e-3
_ROUNDING_SECONDS: Final = 1e-9


@dataclass(frozen=True, kw_only=True, slots=True)
class SoundRun:
    """A run of sound without a hole.

    Attributes:
        first: Index of its first chunk.
        stop: One past its last chunk.
        counts_K: Seconds of sound counted from its first sample, rising, from before its start to after its
            end.
        seconds_K: When each of these was heard, on the file's timeline.
    """

    first: int
    stop: int
    counts_K: NDArray[np.float64]
    seconds_K: NDArray[np.float64]

    @property
    def is_steady(self) -> bool:
        """Whether its clock runs as fast as the file's."""
        return float(np.ptp(self.seconds_K - self.counts_K)) < _ROUNDING_SECONDS

    def seconds_of(self, count: float) -> float:
        """Time at which a place in the run was heard."""
        return float(np.interp(count, self.counts_K, self.seconds_K))

    def counts_of(self, seconds_S: NDArray[np.float64]) -> NDArray[np.float64]:
        """Places in the run that were heard at some times; infinite outside."""
        return np.interp(seconds_S, self.seconds_K, self.counts_K, left=-np.inf, right=np.inf)


def sound_runs(
    stamps: Sequence[float | None], lengths_N: NDArray[np.float64], *, from_start: bool
) -> list[SoundRun]:
    """Divide chunks into runs without a hole, and find when each moment of a run was heard.

    Args:
        stamps: Start of each chunk by its stamp, seconds; None without one.
        lengths_N: Length of each chunk, seconds.
        from_start: The first chunk is the first one of its track, so the track begins at its first stamp; see
            `HELD_SECONDS`.

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
    """Indices of chunks at which the lag changes at once and for good."""
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
) -> SoundRun:
    counted = counted_N[first:stop] - counted_N[first]
    lags = lags_N[first:stop] + counted_N[first]
    is_known = np.isfinite(lags)
    counted_M, lags_M = counted[is_known], lags[is_known]
    middle = float(np.median(lags_M))
    end = float(counted[-1] + lengths_N[stop - 1]) + middle
    # Knots on one grid for the whole file: a clip must not depend on how much of the file was read.
    first_knot, last_knot = np.floor(middle / _KNOT_SECONDS) - 1, np.ceil(end / _KNOT_SECONDS) + 1
    moments_K = _KNOT_SECONDS * np.arange(first_knot, last_knot + 1, dtype=np.float64)
    fitted = [_lag_at(moment, counted_M, lags_M) for moment in moments_K]
    counts_K = np.array([count for count, _ in fitted])
    lags_K = np.array([lag for _, lag in fitted])
    if np.ptp(lags_K) <= _INAUDIBLE_SECONDS:
        lags_K[:] = lags_K.mean()
    return SoundRun(first=first, stop=stop, counts_K=counts_K, seconds_K=counts_K + lags_K)


def _begun_at(lag: float, run: SoundRun) -> SoundRun:
    """The run moved to begin at its first stamp, up to `HELD_SECONDS`.

    Where its lag is constant, it is held at the first stamp; where it drifts, the drift is kept and moved.
    """
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
    """Count of samples at a moment, in seconds, and the lag there, by the stamps around it."""
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
    """Slope of the lag; 0 unless it stands out from the noise."""
    if x.size < _MIN_FITTED or np.ptp(x) < _MIN_SPAN_SECONDS:
        return 0.0
    centred = x - x.mean()
    sum_squares = float(centred @ centred)
    slope = float(centred @ y) / sum_squares
    rest = y - y.mean() - slope * centred
    error = float(np.sqrt(rest @ rest / (x.size - 2) / sum_squares))
    is_clear = abs(slope) > _CLEAR_SLOPE * error and abs(slope) <= _MAX_SLOPE
    return slope if is_clear else 0.0
