"""What a model knows, in numbers beside everything that could explain them, and in words.

Letters: N clips, D rows that share their draws, X resamples.
"""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, Final, Literal

import torch
from torch import Tensor

from cavmae_sync.choices import TieRule
from cavmae_sync.metrics import bootstrap_means, interval, median_rank
from cavmae_sync.tasks.report import Value
from cavmae_sync.tasks.retrieval.config import RetrievalConfig
from cavmae_sync.tasks.retrieval.controls import Controls
from cavmae_sync.tasks.retrieval.evaluate import RetrievalReport
from cavmae_sync.tasks.retrieval.matches import DIRECTIONS
from cavmae_sync.tasks.retrieval.measures import Measures

#: Measures in the order of a report; `state` only where the truth is known.
MEASURES: Final = ("both", "what", "when", "moment", "state")

#: Kind of a row beside the model.
Group = Literal["model", "control", "baseline", "fitted", "ceiling"]

CONTROL_NAMES: Final[Mapping[str, str]] = {
    "untrained": "untrained model",
    "shuffled": "frames of another clip",
    "oracle": "oracle",
}


@dataclass(frozen=True, kw_only=True, slots=True)
class Row:
    """Numbers of the model, or of one thing that it is compared with.

    Attributes:
        name: In words.
        group: Kind of the row.
        values: By measure and direction, for example `what/audio_to_visual`.
        means: By measure: mean of both directions, from which words are made.
        minus: By measure: the model's mean minus this one, with a paired interval; none for the model itself.
        places: Median place of the own clip, 1 = first, by `both`, `what`, `when`: mean of both directions.
    """

    name: str
    group: Group
    values: Mapping[str, Value]
    means: Mapping[str, Value]
    minus: Mapping[str, Value]
    places: Mapping[str, float]

    def to_dict(self) -> dict[str, Any]:
        """Row as JSON values."""
        parts = {"values": self.values, "means": self.means, "model_minus_this": self.minus}
        return {
            "name": self.name,
            "group": self.group,
            "median_ranks": dict(self.places),
            **{part: {key: asdict(value) for key, value in of.items()} for part, of in parts.items()},
        }


@dataclass(frozen=True, kw_only=True, slots=True)
class Knowledge:
    """Measures of a model and of everything beside it, on the same clips.

    Attributes:
        report: Report of the model.
        rows: The model first, then its controls, baselines, fits and ceilings.
    """

    report: RetrievalReport
    rows: tuple[Row, ...]

    @property
    def model(self) -> Row:
        """Row of the model."""
        return self.rows[0]

    @property
    def measures(self) -> tuple[str, ...]:
        """Names of what was measured."""
        return tuple(name for name in MEASURES if name in self.model.means)

    def shown(self) -> tuple[Row, ...]:
        """Rows of a table: all but the rules that are best in no measure."""
        best = {row.name for measure in self.measures if (row := self.best(measure, "baseline"))}
        return tuple(row for row in self.rows if row.group != "baseline" or row.name in best)

    def of(self, *groups: Group) -> tuple[Row, ...]:
        """Rows of some kinds."""
        return tuple(row for row in self.rows if row.group in groups)

    def named(self, name: str) -> Row | None:
        """Row by its name; None where it was not measured."""
        return next((row for row in self.rows if row.name == name), None)

    def best(self, measure: str, *groups: Group) -> Row | None:
        """Row with the highest mean of both directions; None where there is none of these kinds."""
        rows = [row for row in self.of(*groups) if measure in row.means]
        return max(rows, key=lambda row: row.means[measure].value, default=None)


def knowledge(report: RetrievalReport, controls: Controls) -> Knowledge:
    """Numbers of a model beside those of its controls, with intervals of the differences.

    All rows share the resamples of clips, so a difference has a paired interval.

    Args:
        report: Report of the model. With ties counted as the published code does, equal scores count here as
            in "mean": that counting has no rank for each query.
        controls: What it is compared with, on the same clips.
    """
    groups: dict[Group, Mapping[str, Measures]] = {
        "model": {"model": report.measures},
        "control": {CONTROL_NAMES[name]: each.measures for name, each in controls.reports.items()},
        "baseline": controls.baselines,
        "fitted": controls.fitted,
        "ceiling": controls.ceilings,
    }
    named = [(name, group, each) for group, rows in groups.items() for name, each in rows.items()]
    tables = [_clip_table(measures, report.config) for _, _, measures in named]
    samples = [_resampled(table, report.config) for table in tables]
    chances = report.measures.chances()
    return Knowledge(
        report=report,
        rows=tuple(
            _row(
                name,
                group,
                table,
                drawn,
                model=(tables[0], samples[0]),
                chances=chances,
                places=_places(measures, report.config),
            )
            for (name, group, measures), table, drawn in zip(named, tables, samples, strict=True)
        ),
    )


def _places(measures: Measures, config: RetrievalConfig) -> dict[str, float]:
    """Median place of the own clip by kind, the mean of both directions."""
    ties = _ties(config)
    return {
        kind: sum(median_rank(ranks_N) for ranks_N in matches.ranks(ties).values()) / len(DIRECTIONS)
        for kind, matches in measures.matches.items()
    }


def _ties(config: RetrievalConfig) -> TieRule:
    return "mean" if config.ties == "official" else config.ties


def _clip_table(measures: Measures, config: RetrievalConfig) -> dict[str, Tensor]:
    """Values of clips by measure and direction, and by measure alone: the mean of both directions."""
    by_direction = measures.clip_values(_ties(config))
    names = dict.fromkeys(name.partition("/")[0] for name in by_direction)
    means = {
        name: torch.stack([by_direction[f"{name}/{direction}"] for direction in DIRECTIONS]).mean(dim=0)
        for name in names
    }
    return {**by_direction, **means}


def _resampled(table: Mapping[str, Tensor], config: RetrievalConfig) -> dict[str, Tensor] | None:
    if config.num_bootstrap == 0:
        return None
    samples_DX = bootstrap_means(
        torch.stack(list(table.values())),
        num_resamples=config.num_bootstrap,
        generator=torch.Generator().manual_seed(config.seed),
    )
    return dict(zip(table, samples_DX, strict=True))


def _row(
    name: str,
    group: Group,
    table: Mapping[str, Tensor],
    drawn: Mapping[str, Tensor] | None,
    *,
    model: tuple[Mapping[str, Tensor], Mapping[str, Tensor] | None],
    chances: Mapping[str, float],
    places: Mapping[str, float],
) -> Row:
    def value(key: str) -> Value:
        samples_X = None if drawn is None else drawn[key].clamp(0.0, 1.0)
        mean = min(float(table[key].mean()), 1.0)
        return _value(mean, samples_X, chance=chances[key.partition("/")[0]])

    def difference(key: str) -> Value:
        table_of_model, drawn_of_model = model
        samples_X = None if drawn is None or drawn_of_model is None else drawn_of_model[key] - drawn[key]
        mean = float(table_of_model[key].mean() - table[key].mean())
        return _value(mean, samples_X, unit="points")

    measures = [key for key in table if "/" not in key]
    return Row(
        name=name,
        group=group,
        values={key: value(key) for key in table if "/" in key},
        means={key: value(key) for key in measures},
        places=places,
        minus={} if group == "model" else {key: difference(key) for key in measures if key in model[0]},
    )


def _value(
    mean: float,
    samples_X: Tensor | None,
    *,
    chance: float | None = None,
    unit: Literal["fraction", "points"] = "fraction",
) -> Value:
    if samples_X is None:
        return Value(value=mean, chance=chance, unit=unit)
    ends = interval(samples_X)
    return Value(value=mean, low=ends.low, high=ends.high, chance=chance, unit=unit)
