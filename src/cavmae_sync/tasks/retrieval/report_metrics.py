"""Numbers of a retrieval report: values, chance and intervals of everything that was counted.

Letters: N clips, D rows that share their draws, X resamples.
"""

from collections.abc import Mapping
from dataclasses import replace
from typing import Final

import torch
from torch import Tensor

from cavmae_sync.metrics import (
    bootstrap_means,
    bootstrap_metrics,
    chance_metrics,
    interval,
    retrieval_metrics,
)
from cavmae_sync.tasks.report import Value
from cavmae_sync.tasks.retrieval.config import RetrievalConfig
from cavmae_sync.tasks.retrieval.matches import DIRECTIONS, Direction
from cavmae_sync.tasks.retrieval.measures import Measures

#: Names of the moment accuracies: by the own time, and by equal true states.
_MOMENT_METRICS: Final = {"moment": "accuracy", "state": "state_accuracy"}


def report_metrics(measures: Measures, config: RetrievalConfig) -> dict[str, Value]:
    """Metrics by name; those of plain recall first, then WHAT, WHEN and the moments.

    Args:
        measures: What was counted.
        config: Rule of ties, resamples.
    """
    metrics: dict[str, Value] = {}
    for kind, matches in measures.matches.items():
        prefix = "" if kind == "both" else f"{kind}/"
        ranks = matches.ranks(config.ties)
        num_gallery = matches.by_direction["audio_to_visual"].num_gallery
        values = _recalls(ranks, num_gallery=num_gallery)
        if _has_intervals(config):
            values = _with_intervals(values, ranks, config)
        metrics |= {f"{prefix}{name}": value for name, value in values.items()}
    return metrics | _moments(measures, config)


def _has_intervals(config: RetrievalConfig) -> bool:
    """Whether there are resamples, and a rank for each query."""
    return config.num_bootstrap > 0 and config.ties != "official"


def _recalls(ranks: Mapping[Direction, Tensor], *, num_gallery: int) -> dict[str, Value]:
    chance = chance_metrics(num_gallery).named()
    return {
        f"{direction}/{metric}": Value(
            value=value, chance=chance[metric], unit="rank" if metric == "median_rank" else "fraction"
        )
        for direction in DIRECTIONS
        for metric, value in retrieval_metrics(ranks[direction], num_gallery=num_gallery).named().items()
    }


def _with_intervals(
    values: Mapping[str, Value], ranks: Mapping[Direction, Tensor], config: RetrievalConfig
) -> dict[str, Value]:
    samples = bootstrap_metrics(
        torch.stack([ranks[name] for name in DIRECTIONS]),
        num_resamples=config.num_bootstrap,
        generator=torch.Generator().manual_seed(config.seed),
    )
    found = dict(values)
    for d, direction in enumerate(DIRECTIONS):
        for metric, samples_DX in samples.items():
            ends, name = interval(samples_DX[d]), f"{direction}/{metric}"
            found[name] = replace(values[name], low=ends.low, high=ends.high)
    return found


def moment_values(measures: Measures) -> dict[str, Tensor]:
    """Values of clips by the names of the moment accuracies in a report; none for clips of one moment."""
    clip_values = measures.clip_values()
    return {
        f"moment/{direction}/{metric}": clip_values[f"{measure}/{direction}"]
        for direction in DIRECTIONS
        for measure, metric in _MOMENT_METRICS.items()
        if f"{measure}/{direction}" in clip_values
    }


def _moments(measures: Measures, config: RetrievalConfig) -> dict[str, Value]:
    chances = measures.chances()
    chance_of = {metric: chances.get(measure) for measure, metric in _MOMENT_METRICS.items()}
    return {
        name: _mean_value(values_N, chance=chance_of[name.rpartition("/")[2]], config=config)
        for name, values_N in moment_values(measures).items()
    }


def _mean_value(values_N: Tensor, *, chance: float | None, config: RetrievalConfig) -> Value:
    """Mean over clips of one value for each, with its interval."""
    value = Value(value=min(float(values_N.mean()), 1.0), chance=chance)
    if not _has_intervals(config):
        return value
    samples_DX = bootstrap_means(
        values_N[None],
        num_resamples=config.num_bootstrap,
        generator=torch.Generator().manual_seed(config.seed),
    )
    ends = interval(samples_DX[0].clamp(0.0, 1.0))
    return replace(value, low=ends.low, high=ends.high)
