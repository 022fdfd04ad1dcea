"""Agreement on planted faults: are foreign sound, silence and shifts found, and how often wrongly?

    clips -> reference (some) and videos joined of the others, each with every fault -> judgements -> report

Letters: T moments, V videos.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, Literal

import numpy as np
from numpy.typing import NDArray

from cavmae_sync.data import PreparedDataset
from cavmae_sync.embedding import Embedder
from cavmae_sync.embedding.embedder import OnProgress
from cavmae_sync.metrics.detection import (
    area_under_roc,
    count_found,
    f1_score,
    interval_over_units,
    rate,
)
from cavmae_sync.stage import StageTruth
from cavmae_sync.tasks.agreement.judge import Agreement, AgreementConfig, Judge
from cavmae_sync.tasks.agreement.planted_plan import PlantedSize, PlantedTest, plan_test
from cavmae_sync.tasks.agreement.planted_videos import (
    FAULTS,
    Fault,
    ModelSource,
    OracleSource,
    PlantedVideo,
    Source,
    truth_of_moments,
)
from cavmae_sync.tasks.agreement.reference import Reference, full_clips
from cavmae_sync.tasks.agreement.track import window_seconds
from cavmae_sync.tasks.controls import untrained
from cavmae_sync.tasks.report import Report, Unit, Value
from cavmae_sync.weights import weights_fingerprint

Mode = Literal["reference", "within"]
MODES: Final[tuple[Mode, ...]] = ("reference", "within")
#: An offset off by no more than this is right.
RIGHT_WITHIN_SECONDS: Final = 0.5


@dataclass(frozen=True, kw_only=True, slots=True)
class Judged:
    """A planted video and what was said of it."""

    video: PlantedVideo
    agreement: Agreement


@dataclass(frozen=True, kw_only=True, eq=False)
class AgreementReport(Report):
    """A report, and the judgements it was computed from.

    Attributes:
        config: How agreement was judged.
        judged: By mode, for each row of clips the judgements of all faults.
    """

    config: AgreementConfig
    judged: Mapping[Mode, Sequence[Sequence[Judged]]]


def judge_all(
    source: Source,
    test: PlantedTest,
    *,
    config: AgreementConfig,
    weights: str,
    on_progress: OnProgress | None = None,
) -> dict[Mode, list[list[Judged]]]:
    """Judgements of all videos, with a reference and without one."""
    reference = Reference(
        tracks=tuple(source.clip_tracks(test.reference_clips)),
        name="clips of the same dataset",
        clip_list=test.clip_list,
        weights=weights,
    )
    judges = {"reference": Judge(reference=reference, config=config), "within": Judge(config=config)}
    judged: dict[Mode, list[list[Judged]]] = {mode: [] for mode in MODES}
    for done, row in enumerate(test.videos, start=1):
        tracks = [source.track(video) for video in row]
        for mode in MODES:
            judged[mode].append(
                [
                    Judged(video=video, agreement=judges[mode].of(track))
                    for video, track in zip(row, tracks, strict=True)
                ]
            )
        if on_progress is not None:
            on_progress(done, len(test.videos))
    return judged


def agreement_report(
    judged: Mapping[Mode, Sequence[Sequence[Judged]]],
    test: PlantedTest,
    *,
    name: str,
    config: AgreementConfig,
    weights: str,
    made_with: Mapping[str, Any] | None = None,
    num_bootstrap: int = 500,
    seed: int = 0,
) -> AgreementReport:
    """Rates, areas and errors, with 95 % intervals over videos.

    Args:
        judged: Of `judge_all`.
        test: What was planted.
        name: Whose judgements these are.
        config: How was judged; its `error_rate` is the operating point.
        weights: Fingerprint of the weights.
        made_with: What else was chosen.
        num_bootstrap: Resamples of the videos; 0 gives no intervals.
        seed: Of the resamples.
    """
    metrics: dict[str, Value] = {}
    for mode in MODES:
        for metric, (statistic, unit, chance) in _statistics(judged[mode], config).items():
            value = _value(statistic, len(judged[mode]), unit, chance, num_bootstrap=num_bootstrap, seed=seed)
            if value is not None:
                metrics[f"{mode}/{metric}"] = value
    return AgreementReport(
        name=name,
        metrics=metrics,
        counts={
            "videos": len(test.videos),
            "faults": len(FAULTS),
            "reference_clips": len(test.reference_clips),
        },
        config=config,
        made_with=made_with or {},
        weights=weights,
        clip_list=test.clip_list,
        judged=judged,
    )


Statistic = Callable[[NDArray[np.intp]], float | None]


def _statistics(
    rows: Sequence[Sequence[Judged]], config: AgreementConfig
) -> dict[str, tuple[Statistic, Unit, float | None]]:
    counts = [_counts(row, config) for row in rows]
    table = {key: np.array([count[key] for count in counts]) for key in counts[0]}
    scores = [_scores(row, config) for row in rows]
    errors, found = _offset_errors(rows)

    def share(hits: str, trials: str) -> Statistic:
        return lambda units: rate(table[hits][units], table[trials][units])

    def area(units: NDArray[np.intp]) -> float | None:
        return area_under_roc(*(np.concatenate([scores[u][kind] for u in units]) for kind in (0, 1)))

    def f1(units: NDArray[np.intp]) -> float | None:
        return f1_score(*(int(table[key][units].sum()) for key in ("found", "missed", "false")))

    def middle(units: NDArray[np.intp]) -> float | None:
        known = errors[units][np.isfinite(errors[units])]
        return float(np.median(known)) if len(known) else None

    return {
        "auc_own_against_foreign": (area, "fraction", 0.5),
        "foreign_throughout/called_foreign": (share("foreign_flagged", "foreign"), "fraction", None),
        "foreign_throughout/called_fitting": (
            share("foreign_fits", "foreign"),
            "fraction",
            config.error_rate,
        ),
        "fitting/called_fitting": (share("own_fits", "own"), "fraction", config.error_rate),
        "fitting/called_foreign": (share("own_flagged", "own"), "fraction", config.error_rate),
        "foreign_span/seconds_called_foreign": (share("span_flagged", "span"), "fraction", None),
        "foreign_span/spans_f1": (f1, "fraction", None),
        "silent_span/seconds_called_silent": (share("silent_silent", "silent"), "fraction", None),
        "silent_span/seconds_called_foreign": (share("silent_flagged", "silent"), "fraction", None),
        "offset/median_error": (middle, "seconds", None),
        "offset/found": (lambda units: float(found[units].mean()), "fraction", None),
        "offset/right_within_half_a_second": (
            lambda units: float((errors[units] <= RIGHT_WITHIN_SECONDS).mean()),
            "fraction",
            None,
        ),
        "offset/found_in_foreign_sound": (share("foreign_offset", "one"), "fraction", config.error_rate),
    }


def _value(
    statistic: Statistic, num_units: int, unit: Unit, chance: float | None, *, num_bootstrap: int, seed: int
) -> Value | None:
    value = statistic(np.arange(num_units))
    if value is None:
        return None
    ends = interval_over_units(
        statistic,
        num_units=num_units,
        num_resamples=num_bootstrap,
        generator=np.random.default_rng(seed),
    )
    return Value(
        value=value,
        low=None if ends is None else ends.low,
        high=None if ends is None else ends.high,
        chance=chance,
        unit=unit,
    )


def _counts(row: Sequence[Judged], config: AgreementConfig) -> dict[str, int]:
    """Moments of each kind in the videos of a row, and in which state they were said to be."""
    by_fault = {judged.video.fault: judged for judged in row}
    span = by_fault["foreign span"]
    planted = [span.video.span] if span.video.span is not None else []
    reported = [
        (part.start_seconds, part.stop_seconds)
        for part in span.agreement.stretches
        if part.state == "does not fit"
    ]
    found, missed, false = count_found(reported, planted)
    counts = {"found": found, "missed": missed, "false": false, "one": 1}
    kinds: tuple[tuple[str, Fault, str], ...] = (
        ("own", "none", "own"),
        ("foreign", "foreign throughout", "foreign"),
        ("span", "foreign span", "foreign"),
        ("silent", "silent span", "silent"),
    )
    for key, fault, truth in kinds:
        is_kind_T = _moments(by_fault[fault], config)[truth]
        states_T = np.array(by_fault[fault].agreement.states)[is_kind_T]
        counts[key] = int(is_kind_T.sum())
        counts[f"{key}_fits"] = int((states_T == "fits").sum())
        counts[f"{key}_flagged"] = int((states_T == "does not fit").sum())
        counts[f"{key}_silent"] = int((states_T == "silent").sum())
    counts["foreign_offset"] = int(by_fault["foreign throughout"].agreement.offset.seconds is not None)
    return counts


def _moments(judged: Judged, config: AgreementConfig) -> Mapping[str, NDArray[np.bool_]]:
    return truth_of_moments(
        judged.video, judged.agreement.seconds_T, margin_seconds=config.smooth_seconds / 2
    )


def _scores(
    row: Sequence[Judged], config: AgreementConfig
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Scores of smoothed moments: own sound of the clean video, and foreign sound of a span or throughout.

    Within a video, foreign sound throughout is not below its own chance, so there the span is what counts.
    """
    own: list[NDArray[np.float64]] = [np.empty(0)]
    foreign: list[NDArray[np.float64]] = [np.empty(0)]
    for judged in row:
        place = judged.agreement.standing
        if place is None or judged.video.fault not in {"none", "foreign span"}:
            continue
        truth = _moments(judged, config)
        for kind, scores in (("own", own), ("foreign", foreign)):
            values = place.score_T[truth[kind]]
            scores.append(values[np.isfinite(values)])
    return np.concatenate(own), np.concatenate(foreign)


def _offset_errors(rows: Sequence[Sequence[Judged]]) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
    """Error of the offset of each row's shifted video; infinite where none was found."""
    errors: list[float] = []
    found: list[bool] = []
    for row in rows:
        shifted = next(judged for judged in row if judged.video.fault == "shifted")
        seconds = shifted.agreement.offset.seconds
        found.append(seconds is not None)
        errors.append(np.inf if seconds is None else abs(seconds - shifted.video.shift_seconds))
    return np.array(errors), np.array(found)


def evaluate_agreement(
    embedder: Embedder,
    clips: PreparedDataset,
    *,
    stage: StageTruth | None = None,
    with_controls: bool = False,
    size: PlantedSize | None = None,
    config: AgreementConfig | None = None,
    seed: int = 0,
    on_progress: OnProgress | None = None,
) -> dict[str, AgreementReport]:
    """Plant faults in videos joined of prepared clips, and count what is found.

    Args:
        embedder: The model and how it computes.
        clips: Prepared clips in which sound and picture belong together; only full ones are used, see
            `full_clips`.
        stage: Truth of the clips, for the oracle.
        with_controls: Also report an untrained model and, with a stage, an oracle that knows what sounds.
        size: How many videos, and of how many clips.
        config: How videos are judged.
        seed: Of the plan and of the untrained weights.
        on_progress: Called with steps done and steps in all.

    Returns:
        Reports by name: `model`, and with controls `untrained` and `oracle`.
    """
    config = config or AgreementConfig(seed=seed)
    size = size or PlantedSize()
    full = full_clips(clips)
    num_left_out, clips = len(clips) - len(full), clips.subset(full)
    test = plan_test(clips, size=size, seed=seed)
    made_with = {
        "clips_per_video": size.clips_per_video,
        "clip_seconds": clips.config.clip_seconds,
        "clips_left_out": num_left_out,
    }
    makers: dict[str, tuple[Callable[[OnProgress], Source], str]] = {}
    models = {"model": embedder, **({"untrained": untrained(embedder, seed=seed)} if with_controls else {})}
    for name, model in models.items():
        makers[name] = (_model_source(model, clips, name), weights_fingerprint(model.model))
    if with_controls and stage is not None:
        length = window_seconds(embedder.model.config.inputs)
        makers["oracle"] = (lambda _: OracleSource(stage, clips, window_seconds=length), "none: the truth")
    steps = len(clips) + len(test.videos)
    reports = {}
    for number, (name, (make, weights)) in enumerate(makers.items()):

        def report_step(done: int, _: int, first: int = number * steps) -> None:
            if on_progress is not None:
                on_progress(first + done, len(makers) * steps)

        source = make(report_step)
        judged = judge_all(
            source,
            test,
            config=config,
            weights=weights,
            on_progress=lambda done, all_, step=report_step: step(len(clips) + done, all_),
        )
        reports[name] = agreement_report(
            judged, test, name=f"agreement, {name}", config=config, weights=weights, made_with=made_with
        )
    return reports


def _model_source(model: Embedder, clips: PreparedDataset, name: str) -> Callable[[OnProgress], Source]:
    return lambda on_progress: ModelSource(model, clips, name=name, on_progress=on_progress)
