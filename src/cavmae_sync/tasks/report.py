"""Result of an evaluation: numbers, their confidence intervals, and what they were measured with."""

import json
import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any, Final, Literal

from pydantic import Field
from rich.table import Table

from cavmae_sync.config import Config
from cavmae_sync.safe_text import table_caption, table_title

#: Units of values. "score" is a number without a unit (d', the adjusted Rand index), "points" a difference of
#: two fractions, in [-1, 1].
Unit = Literal["fraction", "rank", "score", "seconds", "points"]

#: Digits of a hash that are printed; the JSON holds all of them.
_PRINTED_DIGITS: Final = 12


class BootstrapConfig(Config):
    """Resamples behind the 95 % intervals of a report."""

    num_bootstrap: int = Field(1000, ge=0)
    """Resamples of the clips or images; 0 gives no intervals."""
    seed: int = 0
    """Seed of the resamples."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Value:
    """One number of a report.

    Attributes:
        value: In [0, 1] for a fraction (percent only when printed); at least 1 for a rank; finite.
        low: Lower end of the 95 % interval, or None without an interval.
        high: Upper end of the interval.
        chance: Value of guessing, or None where it is not defined.
        unit: Unit of all of these.
    """

    value: float
    low: float | None = None
    high: float | None = None
    chance: float | None = None
    unit: Unit = "fraction"

    def __post_init__(self) -> None:
        if (self.low is None) != (self.high is None):
            raise ValueError(f"An interval has two ends, got low={self.low} and high={self.high}.")
        if not math.isfinite(self.value):
            raise ValueError(
                f"A value must be a finite number, got {self.value}. Leave undefined values out."
            )
        if self.unit == "fraction" and not 0 <= self.value <= 1:
            raise ValueError(f"A fraction lies in [0, 1], got {self.value}. Percent are for printing only.")

    def text(self) -> str:
        """Text of the value: `35.2 %`, `3` for a rank, `0.417` for a score, `1.25 s`."""
        return _text(self.value, self.unit)

    def interval_text(self) -> str:
        """Text of the interval: `33.0 to 37.4 %`, or nothing."""
        if self.low is None or self.high is None:
            return ""
        low, high = _text(self.low, self.unit), _text(self.high, self.unit)
        return f"{low.split(' ')[0]} to {high}"

    def chance_text(self) -> str:
        """Text of chance: `0.0647 %`, or nothing."""
        if self.chance is None:
            return ""
        return f"{self.chance * 100:.3g} %" if self.unit == "fraction" else _text(self.chance, self.unit)


def _text(value: float, unit: Unit) -> str:
    texts = {
        "fraction": f"{value * 100:.1f} %",
        "rank": f"{value:.1f}".removesuffix(".0"),
        "score": f"{value:.3f}",
        "seconds": f"{value:.2f} s",
        "points": f"{value * 100:+.1f} points",
    }
    return texts[unit]


@dataclass(frozen=True, kw_only=True, eq=False)
class Report:
    """Result of an evaluation. Each task has its own subclass, with the type of its configuration.

    Attributes:
        name: What was evaluated, for example "retrieval".
        metrics: By name, `group/metric` or `metric`.
        counts: Numbers of things: queries, gallery, scores that are not a number.
        config: Choices of the evaluation.
        made_with: How the vectors, scores or maps that were measured were made, as JSON values. Written with
            `config`, and never read back.
        weights: Fingerprint of the weights (`weights_fingerprint`).
        clip_list: Fingerprint of which clips were used, in order (`PreparedDataset.list_sha256`).
    """

    name: str
    metrics: Mapping[str, Value]
    counts: Mapping[str, int]
    config: Config
    made_with: Mapping[str, Any] = field(default_factory=dict)
    weights: str
    clip_list: str

    def to_dict(self) -> dict[str, Any]:
        """Report as JSON values; fractions stay in [0, 1]."""
        return {
            "name": self.name,
            "metrics": {name: asdict(value) for name, value in self.metrics.items()},
            "counts": self._all_counts(),
            "config": self.settings(),
            "weights": self.weights,
            "clip_list": self.clip_list,
        }

    def settings(self) -> dict[str, Any]:
        """Everything that was chosen, as written under `config`: JSON values."""
        return {**self.config.model_dump(mode="json"), **self.made_with}

    def _all_counts(self) -> dict[str, int]:
        # The published code puts zeros or another frame in the place of what it cannot read; here such a clip
        # is refused. The field stays for readers of reports.
        return {**self.counts, "substitutions": 0}

    def to_json(self) -> str:
        """One JSON object, indented, ending with a newline."""
        return json.dumps(self.to_dict(), indent=2, allow_nan=False, ensure_ascii=False) + "\n"

    def to_table(self) -> Table:
        """Table with one row per metric, and counts, settings and fingerprints below. Print it with rich."""
        table = Table(
            title=table_title(self.name),
            caption=table_caption(self._caption()),
            caption_justify="left",
            title_justify="left",
        )
        table.add_column("")
        table.add_column("metric")
        for heading in ("value", "95 % interval", "chance"):
            table.add_column(heading, justify="right")
        previous = None
        for name, value in self.metrics.items():
            group, _, metric = name.rpartition("/")
            if previous not in (None, group):
                table.add_section()
            table.add_row(
                "" if group == previous else _words(group),
                _words(metric),
                value.text(),
                value.interval_text(),
                value.chance_text(),
            )
            previous = group
        return table

    def _caption(self) -> list[str]:
        counts = ", ".join(f"{count} {_words(name)}" for name, count in self._all_counts().items())
        settings = ", ".join(
            f"{_words(name)} {value}"
            for name, value in self.settings().items()
            if isinstance(value, str | int)
        )
        hashes = f"weights {self.weights[:_PRINTED_DIGITS]}, clip list {self.clip_list[:_PRINTED_DIGITS]}"
        return [counts, settings, hashes]


def _words(name: str) -> str:
    return name.replace("_", " ")
