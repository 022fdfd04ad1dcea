"""States of moments, and spans of moments of one state.

Two questions are asked of a moment, each with its own rate of error:
    above chance?     more than 95 % of foreign sounds agree less with the same frame
    below its own?    sound that belongs is as low as this only 5 % of the time
Above chance and not low: it fits. Low and not above chance: it does not fit. Otherwise it cannot be told.

Letters: T moments.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from cavmae_sync.metrics.runs import run_edges
from cavmae_sync.tasks.agreement.chance import NullPercentiles
from cavmae_sync.tasks.agreement.moments import EmbeddedMoments

AgreementState = Literal["fits", "does not fit", "silent", "still", "cannot tell"]


@dataclass(frozen=True, kw_only=True, slots=True)
class AgreementSpan:
    """Span of time in which all moments are of one state.

    Attributes:
        start_seconds: On the file's timeline.
        stop_seconds: Its end.
        state: State of its moments.
        agreement: Mean smoothed cosine; None where there is none.
        percentile: Mean share of foreign sounds that agree less; None where there is none.
    """

    start_seconds: float
    stop_seconds: float
    state: AgreementState
    agreement: float | None
    percentile: float | None

    @property
    def duration_seconds(self) -> float:
        """Length of the span."""
        return self.stop_seconds - self.start_seconds


def moment_states(
    percentiles: NullPercentiles | None,
    heard_T: NDArray[np.bool_],
    still_T: NDArray[np.bool_],
    *,
    lowest: float | None,
    error_rate: float,
) -> list[AgreementState]:
    """State of each moment.

    Args:
        percentiles: Its place among foreign sounds; None where nothing could be compared.
        heard_T: Whether it has sound.
        still_T: Whether the picture stands still around it, so that no sound can be foreign to a change.
        lowest: Scores below this are low for sound that belongs; None where that is not known.
        error_rate: Share of foreign sounds that count as above chance.
    """
    if percentiles is None or lowest is None:
        return [
            "silent" if not heard else "still" if still else "cannot tell"
            for heard, still in zip(heard_T, still_T, strict=True)
        ]
    # Comparisons with NaN are false: a moment without a score is neither above chance nor low.
    above_T = percentiles.percentile_T >= 1 - error_rate
    low_T = percentiles.score_T < lowest
    fits_T = above_T & ~low_T
    foreign_T = low_T & ~above_T
    states: list[AgreementState] = []
    for heard, still, fits, foreign in zip(heard_T, still_T, fits_T, foreign_T, strict=True):
        if not heard:
            states.append("silent")
        elif fits:
            states.append("fits")
        elif still:
            states.append("still")
        else:
            states.append("does not fit" if foreign else "cannot tell")
    return states


def without_short_spans(
    states: Sequence[AgreementState], *, step_seconds: float, min_seconds: float
) -> tuple[AgreementState, ...]:
    """Short mismatches become unknown; then a short unknown span between two of one state joins them."""
    cleaned: list[AgreementState] = list(states)
    for first, stop in _runs(states):
        if states[first] == "does not fit" and (stop - first) * step_seconds < min_seconds:
            cleaned[first:stop] = _repeated("cannot tell", stop - first)
    runs = list(_runs(cleaned))
    for (before, _), (first, stop), (after, _) in zip(runs, runs[1:], runs[2:], strict=False):
        is_short = (stop - first) * step_seconds < min_seconds
        joins = cleaned[before] == cleaned[after] and cleaned[before] in {"fits", "does not fit"}
        if cleaned[first] == "cannot tell" and is_short and joins:
            cleaned[first:stop] = _repeated(cleaned[before], stop - first)
    return tuple(cleaned)


def spans_of_states(
    states: Sequence[AgreementState], moments: EmbeddedMoments, percentiles: NullPercentiles | None
) -> Iterator[AgreementSpan]:
    """Spans of equal neighbouring states, in order; they cover the video."""
    step = moments.step_seconds
    for first, stop in _runs(states):
        yield AgreementSpan(
            start_seconds=float(moments.seconds_T[first]) - step / 2,
            stop_seconds=float(moments.seconds_T[stop - 1]) + step / 2,
            state=states[first],
            agreement=None if percentiles is None else _mean(percentiles.agreement_T[first:stop]),
            percentile=None if percentiles is None else _mean(percentiles.percentile_T[first:stop]),
        )


def _runs(states: Sequence[AgreementState]) -> Iterator[tuple[int, int]]:
    return pairwise(run_edges(np.array(states)).tolist())


def _repeated(state: AgreementState, count: int) -> list[AgreementState]:
    return [state] * count


def _mean(values: NDArray[np.float64]) -> float | None:
    values = values[np.isfinite(values)]
    return float(values.mean()) if len(values) else None
