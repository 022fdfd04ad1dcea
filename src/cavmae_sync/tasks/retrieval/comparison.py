"""Comparison of several models on the same clips, with intervals of their differences.

Letters: N clips, X resamples.
"""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any, Final

import torch
from pydantic import Field
from torch import Tensor

from cavmae_sync.config import Config
from cavmae_sync.data.spellings import Spellings
from cavmae_sync.embedding import DatasetEmbeddings
from cavmae_sync.embedding.vector_files import ids_fingerprint
from cavmae_sync.errors import ConfigError, DatasetError
from cavmae_sync.metrics import bootstrap_means, bootstrap_metrics, interval
from cavmae_sync.tasks.report import Report, Value
from cavmae_sync.tasks.retrieval.evaluate import RetrievalReport
from cavmae_sync.tasks.retrieval.matches import DIRECTIONS
from cavmae_sync.tasks.retrieval.report_metrics import moment_values

#: Number of ids named in a message.
_SHOWN: Final = 3


class ComparisonConfig(Config):
    """Choices of a comparison of models."""

    num_bootstrap: int = Field(1000, ge=1)
    """Resamples of the clips."""
    seed: int = 0
    """Seed of the resamples."""
    reference: str
    """Name of the model that the others are compared with."""


def in_order_of(
    embeddings: DatasetEmbeddings, clip_ids: tuple[str, ...], *, name: str, other: str
) -> DatasetEmbeddings:
    """Vectors reordered to another list of the same ids, with ids spelled as in that list.

    Args:
        embeddings: Vectors of clips.
        clip_ids: Ids in the wanted order.
        name: Name of the vectors, for the message.
        other: Name of the list, for the message.

    Raises:
        DatasetError: The vectors have no ids, or the two lists do not hold the same clips.
    """
    if not embeddings.has_ids:
        raise DatasetError(
            f"{name} has no ids, so its clips cannot be matched with those of {other}. Add ids."
        )
    if embeddings.clip_ids == clip_ids:
        return embeddings
    spellings = Spellings(clip_ids)
    respelled = tuple(spellings.find(clip_id) or clip_id for clip_id in embeddings.clip_ids)
    if len(set(respelled)) == len(respelled):
        embeddings = replace(embeddings, clip_ids=respelled)
    missing, extra = set(clip_ids) - set(embeddings.clip_ids), set(embeddings.clip_ids) - set(clip_ids)
    if missing or extra:
        raise DatasetError(
            f"{name} and {other} do not hold the same clips, on which recall depends: {_some(missing)} only "
            f"in {other}, {_some(extra)} only in {name}. Evaluate both on one list."
        )
    places = {clip_id: i for i, clip_id in enumerate(embeddings.clip_ids)}
    # Only ids are known of the new order: the fingerprint is of them, not of whole clips.
    return embeddings.take([places[clip_id] for clip_id in clip_ids], clip_list=ids_fingerprint(clip_ids))


def _some(ids: set[str]) -> str:
    shown = ", ".join(repr(clip_id) for clip_id in sorted(ids)[:_SHOWN])
    return f"{len(ids)} clips" + (f" ({shown}{', ...' if len(ids) > _SHOWN else ''})" if ids else "")


def compare_retrieval(
    reports: Mapping[str, RetrievalReport], *, num_bootstrap: int = 1000, seed: int = 0
) -> Report:
    """Differences of each model from the first one, on the same queries and the same gallery.

    The resamples of clips are the same for all models. So an interval is that of the difference, which is
    narrower than two separate intervals suggest. If it contains 0, the difference is not significant.

    Args:
        reports: By name, at least two, of the same clips in the same order, aggregated in the same way.
        num_bootstrap: Resamples of the clips, at least 1.
        seed: Seed of the resamples.

    Returns:
        Metrics `<name> minus <first name>/<metric of the reports>`, of plain recall, WHAT, WHEN and moments;
        differences of recall and accuracy in [-1, 1], larger is better for the model named first; a negative
        difference of median ranks is better for it.

    Raises:
        DatasetError: The clips differ.
        ConfigError: Ranks were counted as the published code does, which loses and repeats queries.
        ValueError: Fewer than two reports, or their choices differ.
    """
    first, *others = reports
    _check_comparable(reports)
    reference = reports[first]
    tables = {
        name: _samples(report, num_bootstrap=num_bootstrap, seed=seed) for name, report in reports.items()
    }
    metrics: dict[str, Value] = {}
    for name in others:
        for metric, samples_X in tables[name].items():
            ends = interval(samples_X - tables[first][metric])
            metrics[f"{name} minus {first}/{metric}"] = Value(
                value=reports[name].metrics[metric].value - reference.metrics[metric].value,
                low=ends.low,
                high=ends.high,
                unit="rank" if metric.endswith("median_rank") else "points",
            )
    num_clips = reference.counts["queries"]
    return Report(
        name="comparison on the same clips",
        metrics=metrics,
        counts={"models": len(reports), "queries": num_clips, "gallery": num_clips},
        config=ComparisonConfig(num_bootstrap=num_bootstrap, seed=seed, reference=first),
        made_with=_choices(reference),
        weights=reference.weights,
        clip_list=reference.clip_list,
    )


def _samples(report: RetrievalReport, *, num_bootstrap: int, seed: int) -> dict[str, Tensor]:
    """Resamples of all metrics of a report, by name; the same draws of clips for every report."""
    samples: dict[str, Tensor] = {}

    def generator() -> torch.Generator:
        return torch.Generator().manual_seed(seed)

    for kind, matches in report.measures.matches.items():
        ranks = matches.ranks(report.config.ties)
        drawn = bootstrap_metrics(
            torch.stack([ranks[direction] for direction in DIRECTIONS]),
            num_resamples=num_bootstrap,
            generator=generator(),
        )
        prefix = "" if kind == "both" else f"{kind}/"
        for d, direction in enumerate(DIRECTIONS):
            samples |= {f"{prefix}{direction}/{metric}": drawn[metric][d] for metric in drawn}
    for name, values_N in moment_values(report.measures).items():
        samples[name] = bootstrap_means(values_N[None], num_resamples=num_bootstrap, generator=generator())[0]
    return samples


def _choices(report: RetrievalReport) -> dict[str, Any]:
    """Choices that must agree, or differences would be those of the choices."""
    frame = {name: value for name, value in report.made_with.items() if name == "frame"}
    has_truth = {} if report.hits_NTT is None else {"true_states": True}
    orders = {"seed": report.config.seed}  # of the other orders of frames
    return {
        "aggregation": report.config.aggregation,
        "ties": report.config.ties,
        **orders,
        **frame,
        **has_truth,
    }


def _check_comparable(reports: Mapping[str, RetrievalReport]) -> None:
    if len(reports) < 2:
        raise ValueError(f"A comparison needs two reports at least, got {list(reports)}.")
    (first, reference), *others = reports.items()
    if reference.config.ties == "official":
        raise ConfigError(
            "ties=official loses and repeats queries, so that models cannot be compared query by query. "
            "Choose other ties to compare files."
        )
    for name, report in others:
        if not report.embeddings.has_ids or report.embeddings.clip_ids != reference.embeddings.clip_ids:
            raise DatasetError(
                f"{name} and {first} have different clips, or another order of them. Use in_order_of."
            )
        if _choices(report) != _choices(reference):
            raise ValueError(
                f"{name} was measured with {_choices(report)}, {first} with {_choices(reference)}."
            )
