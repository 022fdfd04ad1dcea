"""Evaluation of agreement on planted faults: are foreign sound, silence and shifts found, and how surely?

clips -> reference (some) and videos joined of the others, each with every fault -> judgements -> report
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, Literal

from cavmae_sync.data import PreparedDataset
from cavmae_sync.embedding import Embedder
from cavmae_sync.embedding.embedder import OnProgress
from cavmae_sync.stage import StageTruth
from cavmae_sync.tasks.agreement.config import AgreementConfig, PlantedConfig
from cavmae_sync.tasks.agreement.judge import Judge
from cavmae_sync.tasks.agreement.moments import window_seconds
from cavmae_sync.tasks.agreement.planted_encoders import ModelEncoder, OracleEncoder, PlantedEncoder
from cavmae_sync.tasks.agreement.planted_metrics import JudgedRow, JudgedVideo, planted_metrics
from cavmae_sync.tasks.agreement.planted_plan import PlantedTest, plan_test
from cavmae_sync.tasks.agreement.planted_videos import PLANTED_FAULTS
from cavmae_sync.tasks.agreement.reference import Reference, full_clips
from cavmae_sync.tasks.controls import untrained
from cavmae_sync.tasks.report import Report, Value
from cavmae_sync.weights import weights_fingerprint

#: With other clips as reference, or each video by itself.
JudgeName = Literal["reference", "within"]
_ORACLE_WEIGHTS: Final = "none: the truth"


@dataclass(frozen=True, kw_only=True, eq=False)
class AgreementReport(Report):
    """Report, and the judgements that it was computed from.

    Attributes:
        config: How videos were judged.
        judged: By judge, for each row of clips the judgements with all faults.
    """

    config: AgreementConfig
    judged: Mapping[JudgeName, Sequence[JudgedRow]]


def evaluate_agreement(
    embedder: Embedder,
    clips: PreparedDataset,
    *,
    stage: StageTruth | None = None,
    with_controls: bool = False,
    planted: PlantedConfig | None = None,
    config: AgreementConfig | None = None,
    on_progress: OnProgress | None = None,
) -> dict[str, AgreementReport]:
    """Plant faults in videos joined of prepared clips, and count what is found.

    Args:
        embedder: The model and how it computes.
        clips: Prepared clips in which sound and picture belong together; only full ones are used, see
            `full_clips`.
        stage: Truth of the clips, for the oracle.
        with_controls: Also report an untrained model and, with a stage, an oracle that knows what sounds.
        planted: How many videos, and of how many clips.
        config: How videos are judged; its seed is that of `planted` unless given.
        on_progress: Called with steps done and steps in all.

    Returns:
        Reports by name: `model`, and with controls `untrained` and `oracle`.
    """
    planted = planted or PlantedConfig()
    config = config or AgreementConfig(seed=planted.seed)
    full = full_clips(clips)
    num_left_out, clips = len(clips) - len(full), clips.subset(full)
    test = plan_test(clips, planted)
    made_with = {
        "clips_per_video": planted.clips_per_video,
        "clip_seconds": clips.config.clip_seconds,
        "clips_left_out": num_left_out,
    }
    judged_of: dict[str, Embedder | StageTruth] = {"model": embedder}
    if with_controls:
        judged_of["untrained"] = untrained(embedder, seed=planted.seed)
    if with_controls and stage is not None:
        judged_of["oracle"] = stage
    steps_of_one = len(clips) + len(test.videos)
    reports = {}
    for number, (name, source) in enumerate(judged_of.items()):
        first, total = number * steps_of_one, len(judged_of) * steps_of_one
        encoder: PlantedEncoder
        if isinstance(source, Embedder):
            weights = weights_fingerprint(source.model)
            encoder = ModelEncoder(source, clips, on_progress=_later(on_progress, first=first, total=total))
        else:
            weights = _ORACLE_WEIGHTS
            encoder = OracleEncoder(
                source, clips, window_seconds=window_seconds(embedder.model.config.inputs)
            )
        judged = judge_planted(
            encoder,
            test,
            config=config,
            weights=weights,
            on_progress=_later(on_progress, first=first + len(clips), total=total),
        )
        reports[name] = agreement_report(
            judged,
            test,
            name=f"agreement, {name}",
            config=config,
            weights=weights,
            made_with=made_with,
            num_bootstrap=planted.num_bootstrap,
        )
    return reports


def judge_planted(
    encoder: PlantedEncoder,
    test: PlantedTest,
    *,
    config: AgreementConfig,
    weights: str,
    on_progress: OnProgress | None = None,
) -> dict[JudgeName, list[JudgedRow]]:
    """Judgements of all videos, with a reference and without one.

    Args:
        encoder: What turns videos into vectors.
        test: Clips of the reference, and videos.
        config: How videos are judged.
        weights: Fingerprint of the weights.
        on_progress: Called with rows of clips done and rows in all.
    """
    reference = Reference(
        clips=encoder.clips(test.reference_clips),
        name="clips of the same dataset",
        clip_list=test.clip_list,
        weights=weights,
    )
    judges: dict[JudgeName, Judge] = {
        "reference": Judge(reference=reference, config=config),
        "within": Judge(config=config),
    }
    judged: dict[JudgeName, list[JudgedRow]] = {name: [] for name in judges}
    for done, row in enumerate(test.videos, start=1):
        embedded = [encoder.video(video) for video in row]
        for name, judge in judges.items():
            judged[name].append(
                [
                    JudgedVideo(video=video, agreement=judge.judge(moments))
                    for video, moments in zip(row, embedded, strict=True)
                ]
            )
        if on_progress is not None:
            on_progress(done, len(test.videos))
    return judged


def agreement_report(
    judged: Mapping[JudgeName, Sequence[JudgedRow]],
    test: PlantedTest,
    *,
    name: str,
    config: AgreementConfig,
    weights: str,
    made_with: Mapping[str, Any] | None = None,
    num_bootstrap: int = 500,
) -> AgreementReport:
    """Rates, areas and errors, with 95 % intervals over rows of clips.

    Args:
        judged: From `judge_planted`.
        test: What was planted.
        name: Name of the report.
        config: How was judged; its `error_rate` is the operating point.
        weights: Fingerprint of the weights.
        made_with: What else was chosen.
        num_bootstrap: Resamples of the rows; 0 gives no intervals.
    """
    metrics: dict[str, Value] = {}
    for judge_name, rows in judged.items():
        for metric in planted_metrics(rows, config):
            value = metric.value(len(rows), num_bootstrap=num_bootstrap)
            if value is not None:
                metrics[f"{judge_name}/{metric.name}"] = value
    return AgreementReport(
        name=name,
        metrics=metrics,
        counts={
            "videos": len(test.videos),
            "faults": len(PLANTED_FAULTS),
            "reference_clips": len(test.reference_clips),
        },
        config=config,
        made_with=made_with or {},
        weights=weights,
        clip_list=test.clip_list,
        judged=judged,
    )


def _later(on_progress: OnProgress | None, *, first: int, total: int) -> OnProgress | None:
    """OnProgress of a part that begins when `first` of `total` steps are done."""
    if on_progress is None:
        return None
    return lambda done, _: on_progress(first + done, total)
