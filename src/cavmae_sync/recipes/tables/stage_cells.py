"""Cells that need the truth of generated clips: what and when, maps by every rule, states over time.

Beside every map stands the one that another class's sound gives: what both find is not heard. States have
those of equal length and those of loudness beside them.
"""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, Final

import torch

from cavmae_sync.choices import MapRule
from cavmae_sync.data import PreparedDataset
from cavmae_sync.embedding import Embedder
from cavmae_sync.recipes.reporter import OnNamedProgress
from cavmae_sync.stage import StageTruth
from cavmae_sync.tasks.localization.controls import rows_of_other_classes
from cavmae_sync.tasks.localization.evaluate import LocalizationConfig, localization_report
from cavmae_sync.tasks.localization.maps import model_maps, prompt_vectors
from cavmae_sync.tasks.localization.stage_examples import StageExamples
from cavmae_sync.tasks.report import Value
from cavmae_sync.tasks.temporal.config import TemporalTask
from cavmae_sync.tasks.temporal.evaluate import measure_temporal

#: Test clips whose frames are localised, the first ones, and clips of the probe that are divided into states.
NUM_MAP_CLIPS: Final = 100
NUM_STATE_CLIPS: Final = 200

#: Rules of maps. Attention follows the global token, so models without one have no such map.
_MAP_RULES: Final[tuple[MapRule, ...]] = ("cosine", "masking", "attention")

#: Heading of each mean over both directions, and the metric of a retrieval report.
_MEANS: Final[Mapping[str, str]] = MappingProxyType(
    {
        "WHAT R@1": "what/{}/recall_at_1",
        "WHEN R@1": "when/{}/recall_at_1",
        "moment": "moment/{}/accuracy",
    }
)

#: Heading of the median, over pictures, of the share of other clips' sounds that the right one is ahead of.
PERCENTILE_HEADING: Final = "median percentile"

KNOWLEDGE_HEADINGS: Final = ("A>V R@1", PERCENTILE_HEADING, *_MEANS)
MAP_HEADINGS: Final = tuple(
    f"{rule} {metric}" for rule in _MAP_RULES for metric in ("mAP", "mIoU", "mAP, swapped sound")
)
#: Headings of states, the prediction, and the metric of its report.
_STATES: Final[Mapping[str, tuple[str, str]]] = MappingProxyType(
    {
        "states F1": ("model", "boundaries_within_0.5_s/f1"),
        "states F1, equal parts": ("uniform", "boundaries_within_0.5_s/f1"),
        "states F1, loudness": ("loudness", "boundaries_within_0.5_s/f1"),
        "states Rand": ("model", "states/adjusted_rand_index"),
        "states Rand, equal parts": ("uniform", "states/adjusted_rand_index"),
        "states Rand, loudness": ("loudness", "states/adjusted_rand_index"),
    }
)
STATE_HEADINGS: Final = tuple(_STATES)


def knowledge_cells(metrics: Mapping[str, Value], *, num_clips: int) -> dict[str, float]:
    """Recall from sound to picture; median percentile; what, when and moments as means of both directions.

    The median percentile still tells models apart that seldom have the right clip first: 0.5 is chance, 1
    means that half of the pictures have their own sound first. A measurement of one frame has no moments, and
    an aggregation may have no what and when: those are left out.
    """
    median_rank = metrics["visual_to_audio/median_rank"].value
    found = {
        "A>V R@1": metrics["audio_to_visual/recall_at_1"].value,
        PERCENTILE_HEADING: (num_clips - median_rank) / (num_clips - 1),
    }
    for heading, metric in _MEANS.items():
        names = [metric.format(direction) for direction in ("audio_to_visual", "visual_to_audio")]
        if all(name in metrics for name in names):
            found[heading] = sum(metrics[name].value for name in names) / len(names)
    return found


def map_cells(
    embedder: Embedder, clips: PreparedDataset, stage: StageTruth, *, on_progress: OnNamedProgress
) -> tuple[dict[str, float], dict[str, Any]]:
    """Average precision and IoU of the maps of every rule, asked by the own sound and by another class's.

    Returns:
        Cells, and the reports that they come from.
    """
    examples = StageExamples(clips.head(NUM_MAP_CLIPS), stage)
    others = torch.from_numpy(rows_of_other_classes(examples.targets))
    values: dict[str, float] = {}
    reports: dict[str, Any] = {}
    for rule in _MAP_RULES:
        if rule == "attention" and not embedder.model.config.global_token:
            continue
        config = LocalizationConfig(map=rule, num_bootstrap=0)
        vectors_RD = prompt_vectors(embedder, examples, config)
        for name, asked_RD in (("own", vectors_RD), ("swapped", vectors_RD[others])):
            maps = model_maps(
                embedder,
                examples,
                asked_RD,
                config,
                name=name,
                on_progress=lambda done, total: on_progress("segmenting frames", done, total),
            )
            report = localization_report(maps, examples, config)
            reports[f"{rule}, {name} sound"] = report.to_dict()
            precision = report.metrics["mean_average_precision"].value
            if name == "own":
                values[f"{rule} mAP"] = precision
                values[f"{rule} mIoU"] = report.metrics["mean_iou"].value
            else:
                values[f"{rule} mAP, swapped sound"] = precision
    return values, reports


def state_cells(
    embedder: Embedder, clips: PreparedDataset, stage: StageTruth, *, on_progress: OnNamedProgress
) -> tuple[dict[str, float], dict[str, Any]]:
    """F1 of boundaries within 0.5 s and Rand index of states: the model's, equal parts, and loudness.

    Returns:
        Cells, and the reports that they come from.
    """
    (reports,) = measure_temporal(
        embedder,
        clips.head(NUM_STATE_CLIPS),
        stage,
        tasks=[TemporalTask(num_bootstrap=0)],
        with_controls=True,
        on_progress=lambda done, total: on_progress("finding states", done, total),
    )
    values = {heading: reports[name].metrics[metric].value for heading, (name, metric) in _STATES.items()}
    return values, {name: reports[name].to_dict() for name in ("model", "uniform", "loudness")}
