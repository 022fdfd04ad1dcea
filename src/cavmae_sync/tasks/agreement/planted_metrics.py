"""Metrics of a test with planted faults: are they found, and is nothing found where there is none?

    judged videos -> moments of each kind counted by their state, scores, offsets -> metrics with intervals

Letters: V videos, S scores.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Final

import numpy as np
from numpy.typing import NDArray

from cavmae_sync.metrics.detection import (
    area_under_roc,
    count_found,
    f1_score,
    interval_over_units,
    rate,
)
from cavmae_sync.tasks.agreement.config import AgreementConfig
from cavmae_sync.tasks.agreement.planted_videos import MomentKind, PlantedFault, PlantedVideo, moment_kinds
from cavmae_sync.tasks.agreement.result import Agreement
from cavmae_sync.tasks.report import Unit, Value

#: An offset off by no more than this is right.
RIGHT_WITHIN_SECONDS: Final = 0.5


@dataclass(frozen=True, kw_only=True, slots=True)
class JudgedVideo:
    """A planted video and its judgement."""

    video: PlantedVideo
    agreement: Agreement


#: One row of clips, judged with each fault.
JudgedRow = Sequence[JudgedVideo]


@dataclass(frozen=True, slots=True)
class PlantedMetric:
    """Definition of a metric.

    Attributes:
        name: Its name in the report.
        statistic: From the indices of some rows of clips, with repeats, to a number; None where not defined.
        unit: What it is measured in.
        chance: What guessing gives, or the configured rate of error; None where there is none.
    """

    name: str
    statistic: Callable[[NDArray[np.intp]], float | None]
    unit: Unit = "fraction"
    chance: float | None = None

    def value(self, num_rows: int, *, num_bootstrap: int) -> Value | None:
        """Value over all rows, with its 95 % interval; None where it is not defined."""
        value = self.statistic(np.arange(num_rows))
        if value is None:
            return None
        ends = interval_over_units(
            self.statistic,
            num_units=num_rows,
            num_resamples=num_bootstrap,
            generator=np.random.default_rng(0),
        )
        return Value(
            value=value,
            low=None if ends is None else ends.low,
            high=None if ends is None else ends.high,
            chance=self.chance,
            unit=self.unit,
        )


def planted_metrics(rows: Sequence[JudgedRow], config: AgreementConfig) -> list[PlantedMetric]:
    """Metrics of the judgements of one judge.

    Args:
        rows: Rows of clips, each judged with every fault.
        config: How was judged; its `error_rate` is the rate that some metrics should keep to.
    """
    found = _Outcomes(rows, config)
    asked = config.error_rate  # what these rates should keep to

    def share(hits: str, trials: str) -> Callable[[NDArray[np.intp]], float | None]:
        return partial(found.share, hits=hits, trials=trials)

    return [
        PlantedMetric("auc_own_against_foreign", found.area, chance=0.5),
        PlantedMetric("foreign_throughout/called_foreign", share("foreign_flagged", "foreign")),
        PlantedMetric("foreign_throughout/called_fitting", share("foreign_fits", "foreign"), chance=asked),
        PlantedMetric("fitting/called_fitting", share("own_fits", "own"), chance=asked),
        PlantedMetric("fitting/called_foreign", share("own_flagged", "own"), chance=asked),
        PlantedMetric("foreign_span/seconds_called_foreign", share("span_flagged", "span")),
        PlantedMetric("foreign_span/spans_f1", found.spans_f1),
        PlantedMetric("silent_span/seconds_called_silent", share("silent_silent", "silent")),
        PlantedMetric("silent_span/seconds_called_foreign", share("silent_flagged", "silent")),
        PlantedMetric("offset/median_error", found.median_offset_error, unit="seconds"),
        PlantedMetric("offset/found", found.share_of_offsets_found),
        PlantedMetric("offset/right_within_half_a_second", found.share_of_offsets_right),
        PlantedMetric("offset/found_in_foreign_sound", share("foreign_offset", "one"), chance=asked),
    ]


class _Outcomes:
    """Outcomes for each row of clips, and statistics of some rows V."""

    def __init__(self, rows: Sequence[JudgedRow], config: AgreementConfig) -> None:
        counts = [_counts(row, config) for row in rows]
        self._counts = {key: np.array([count[key] for count in counts]) for key in counts[0]}
        self._scores = [_scores(row, config) for row in rows]
        self._offset_errors = np.array([_offset_error(row) for row in rows])

    def share(self, rows_V: NDArray[np.intp], *, hits: str, trials: str) -> float | None:
        return rate(self._counts[hits][rows_V], self._counts[trials][rows_V])

    def area(self, rows_V: NDArray[np.intp]) -> float | None:
        own, foreign = (np.concatenate([self._scores[row][kind] for row in rows_V]) for kind in (0, 1))
        return area_under_roc(own, foreign)

    def spans_f1(self, rows_V: NDArray[np.intp]) -> float | None:
        return f1_score(*(int(self._counts[key][rows_V].sum()) for key in ("found", "missed", "false")))

    def median_offset_error(self, rows_V: NDArray[np.intp]) -> float | None:
        errors = self._offset_errors[rows_V]
        known = errors[np.isfinite(errors)]
        return float(np.median(known)) if len(known) else None

    def share_of_offsets_found(self, rows_V: NDArray[np.intp]) -> float:
        return float(np.isfinite(self._offset_errors[rows_V]).mean())

    def share_of_offsets_right(self, rows_V: NDArray[np.intp]) -> float:
        return float((self._offset_errors[rows_V] <= RIGHT_WITHIN_SECONDS).mean())


def _counts(row: JudgedRow, config: AgreementConfig) -> dict[str, int]:
    """Numbers of moments of each kind in the videos of a row, by the state they were judged to be in."""
    by_fault = {judged.video.fault: judged for judged in row}
    with_span = by_fault["foreign span"]
    planted = [] if with_span.video.fault_span is None else [with_span.video.fault_span]
    reported = [
        (span.start_seconds, span.stop_seconds)
        for span in with_span.agreement.spans
        if span.state == "does not fit"
    ]
    found, missed, false = count_found(reported, planted)
    counts = {"found": found, "missed": missed, "false": false, "one": 1}
    measured: tuple[tuple[str, PlantedFault, MomentKind], ...] = (
        ("own", "none", "own"),
        ("foreign", "foreign throughout", "foreign"),
        ("span", "foreign span", "foreign"),
        ("silent", "silent span", "silent"),
    )
    for key, fault, kind in measured:
        is_kind_T = _kinds(by_fault[fault], config)[kind]
        states_T = np.array(by_fault[fault].agreement.states)[is_kind_T]
        counts[key] = int(is_kind_T.sum())
        counts[f"{key}_fits"] = int((states_T == "fits").sum())
        counts[f"{key}_flagged"] = int((states_T == "does not fit").sum())
        counts[f"{key}_silent"] = int((states_T == "silent").sum())
    counts["foreign_offset"] = int(by_fault["foreign throughout"].agreement.offset.seconds is not None)
    return counts


def _kinds(judged: JudgedVideo, config: AgreementConfig) -> Mapping[MomentKind, NDArray[np.bool_]]:
    # Half a running mean beside an end of the fault, a moment is partly fault and partly not.
    return moment_kinds(judged.video, judged.agreement.seconds_T, margin_seconds=config.smooth_seconds / 2)


def _scores(row: JudgedRow, config: AgreementConfig) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Scores of smoothed moments: own sound of the clean video, and foreign sound of a span or throughout.

    Within a video, foreign sound throughout is not below its own chance, so there the span is what counts.
    """
    own: list[NDArray[np.float64]] = [np.empty(0)]
    foreign: list[NDArray[np.float64]] = [np.empty(0)]
    for judged in row:
        percentiles = judged.agreement.null_percentiles
        if percentiles is None or judged.video.fault not in {"none", "foreign span"}:
            continue
        kinds = _kinds(judged, config)
        own.append(_finite(percentiles.score_T[kinds["own"]]))
        foreign.append(_finite(percentiles.score_T[kinds["foreign"]]))
    return np.concatenate(own), np.concatenate(foreign)


def _finite(values: NDArray[np.float64]) -> NDArray[np.float64]:
    return values[np.isfinite(values)]


def _offset_error(row: JudgedRow) -> float:
    """Error of the offset of the row's shifted video in seconds; infinite where none was found."""
    shifted = next(judged for judged in row if judged.video.fault == "shifted")
    seconds = shifted.agreement.offset.seconds
    return np.inf if seconds is None else abs(seconds - shifted.video.shift_seconds)
