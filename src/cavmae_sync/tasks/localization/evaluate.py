"""Measurement of localisation (the paper's sound-prompted segmentation): maps in, a report out.

Letters: R rows (examples), H W patches or pixels, N pixels.
"""

from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Final

import numpy as np
import torch
from numpy.typing import NDArray
from rich.table import Table
from torch import Tensor

from cavmae_sync.embedding import Embedder
from cavmae_sync.embedding.embedder import OnProgress
from cavmae_sync.maps import MapConfig, resized_maps
from cavmae_sync.metrics import Pixels, PooledScores, interval, pooled_scores, resampled_pools
from cavmae_sync.safe_text import cell_text
from cavmae_sync.tasks.localization.examples import Examples, Target
from cavmae_sync.tasks.localization.maps import ScoreMaps, model_maps, prompt_vectors
from cavmae_sync.tasks.report import BootstrapConfig, Report, Value

#: Name of the group of all rows; its metrics have no prefix.
_EVERY: Final = ""


class LocalizationConfig(MapConfig, BootstrapConfig):
    """Choices of a measurement of localisation: how maps are made, and resamples."""


_DEFAULT: Final = LocalizationConfig()


@dataclass(frozen=True, kw_only=True, slots=True)
class ClassScore:
    """Scores of one class.

    Attributes:
        name: Name of the class.
        average_precision: In (0, 1].
        iou: Intersection over union at the best threshold, in [0, 1].
        threshold: The best threshold, on maps scaled to [0, 1].
        positive_share: Share of pixels of the class, which is the average precision of guessing.
        num_rows: Number of examples.
    """

    name: str
    average_precision: float
    iou: float
    threshold: float
    positive_share: float
    num_rows: int


@dataclass(frozen=True, kw_only=True, eq=False)
class LocalizationReport(Report):
    """Report of localisation, and what it was computed from: enough for figures.

    Attributes:
        config: Resamples; how the maps were made stands in `made_with`.
        classes: Scores of each class over all rows, by name.
        excluded_classes: Classes without a pixel in any image; no score is defined for them.
        maps: The maps.
        targets: The masks to be found.
    """

    config: BootstrapConfig
    classes: tuple[ClassScore, ...]
    excluded_classes: tuple[str, ...]
    maps: ScoreMaps
    targets: Sequence[Target]

    def to_dict(self) -> dict[str, Any]:
        """JSON values, with the scores of each class."""
        classes = [asdict(score) for score in self.classes]
        return {**super().to_dict(), "classes": classes, "excluded_classes": list(self.excluded_classes)}

    def to_class_table(self) -> Table:
        """Table of the scores of each class."""
        table = Table(title="classes", title_justify="left")
        table.add_column("class")
        for heading in ("average precision", "IoU", "share of pixels", "rows"):
            table.add_column(heading, justify="right")
        for score in self.classes:
            parts = (score.average_precision, score.iou, score.positive_share)
            table.add_row(
                cell_text(score.name), *(f"{part * 100:.1f} %" for part in parts), str(score.num_rows)
            )
        return table


def evaluate_localization(
    embedder: Embedder,
    examples: Examples,
    config: LocalizationConfig = _DEFAULT,
    *,
    on_progress: OnProgress | None = None,
) -> LocalizationReport:
    """Report of how well a model's maps find the mask of what is heard.

    Args:
        embedder: The model and how it computes.
        examples: The examples.
        config: How maps are made, and resamples.
        on_progress: Called with rows done and rows in all.

    Raises:
        WeightsError: The model gives vectors that are not finite.

    Source:
        Paper Table 3; DenseAV's protocol.
    """
    vectors_RD = prompt_vectors(embedder, examples, config)
    maps = model_maps(embedder, examples, vectors_RD, config, on_progress=on_progress)
    return localization_report(maps, examples, config)


def localization_report(
    maps: ScoreMaps, examples: Examples, config: BootstrapConfig = _DEFAULT
) -> LocalizationReport:
    """Report of `evaluate_localization`, from maps already made: of `config`, only the resamples are read."""
    targets = examples.targets
    if len(maps.maps) != len(targets):
        raise ValueError(f"Every example needs a map, got {len(maps.maps)} maps for {len(targets)} examples.")
    scaled = _scaled(maps)
    groups = [_EVERY, *sorted({group for target in targets for group in target.groups})]
    metrics: dict[str, Value] = {}
    classes: tuple[ClassScore, ...] = ()
    excluded: list[str] = []
    for group in groups:
        scores = _by_class(scaled, targets, group)
        defined = {name: score for name, score in scores.items() if score is not None}
        if group == _EVERY:
            excluded = [name for name, score in scores.items() if score is None]
            classes = tuple(_class_score(name, score, targets) for name, score in defined.items())
        if defined:
            values = _values(list(defined.values()), config)
            metrics |= {f"{group}/{name}" if group else name: value for name, value in values.items()}
    return LocalizationReport(
        name=f"sound-prompted segmentation, {maps.name}",
        metrics=metrics,
        counts={**_counts(examples, groups, num_excluded=len(excluded)), **maps.counts},
        config=BootstrapConfig(num_bootstrap=config.num_bootstrap, seed=config.seed),
        made_with={**examples.config, **maps.made_with, "said_by": maps.name},
        weights=maps.weights,
        clip_list=examples.clip_list,
        classes=classes,
        excluded_classes=tuple(excluded),
        maps=maps,
        targets=targets,
    )


@dataclass(frozen=True, kw_only=True, slots=True)
class _Pool:
    """Pixels of some rows, computed anew in each pass.

    `pooled_scores` makes two passes. A map has 14 x 14 values and a mask 224 x 224, so that maps of thousands
    of rows fit into memory, and their pixels may not.
    """

    maps: Sequence[Tensor]
    targets: Sequence[Target]

    def __iter__(self) -> Iterator[Pixels]:
        for map_HW, target in zip(self.maps, self.targets, strict=True):
            yield Pixels(
                scores_N=scores_at(map_HW, target.shape).reshape(-1),
                truth_N=target.mask().reshape(-1),
                unit=target.unit,
            )


def scores_at(map_HW: Tensor, shape: tuple[int, int]) -> NDArray[np.float32]:
    """Map at the size of a mask."""
    return resized_maps(map_HW[None], height=shape[0], width=shape[1])[0].numpy()


def _by_class(
    maps: Sequence[Tensor], targets: Sequence[Target], group: str
) -> dict[str, PooledScores | None]:
    rows_of: dict[str, list[int]] = {}
    for row, target in enumerate(targets):
        if group == _EVERY or group in target.groups:
            rows_of.setdefault(target.class_name, []).append(row)
    return {
        name: pooled_scores(_Pool(maps=[maps[r] for r in rows], targets=[targets[r] for r in rows]))
        for name, rows in sorted(rows_of.items())
    }


def _values(scores: Sequence[PooledScores], config: BootstrapConfig) -> dict[str, Value]:
    guessed = float(np.mean([score.positive_share for score in scores]))
    means = {
        "mean_average_precision": float(np.mean([score.average_precision for score in scores])),
        "mean_iou": float(np.mean([score.best_iou for score in scores])),
    }
    if config.num_bootstrap == 0:
        return {name: Value(value=value, chance=guessed) for name, value in means.items()}
    samples = resampled_pools(
        scores, num_resamples=config.num_bootstrap, generator=np.random.default_rng(config.seed)
    )
    values: dict[str, Value] = {}
    for (name, value), sample_X in zip(means.items(), samples, strict=True):
        ends = interval(torch.from_numpy(sample_X))
        values[name] = Value(value=value, chance=guessed, low=ends.low, high=ends.high)
    return values


def _counts(examples: Examples, groups: Sequence[str], *, num_excluded: int) -> dict[str, int]:
    targets = examples.targets
    rows_of_groups = {
        f"rows_{group}": sum(group in target.groups for target in targets) for group in groups if group
    }
    return {
        "rows": len(targets),
        **rows_of_groups,
        "units": len({target.unit for target in targets}),
        "classes_without_pixels": num_excluded,
        **examples.counts,
    }


def _class_score(name: str, score: PooledScores, targets: Sequence[Target]) -> ClassScore:
    return ClassScore(
        name=name,
        average_precision=score.average_precision,
        iou=score.best_iou,
        threshold=score.threshold,
        positive_share=score.positive_share,
        num_rows=sum(target.class_name == name for target in targets),
    )


def _scaled(maps: ScoreMaps) -> list[Tensor]:
    """Maps scaled to [0, 1] by one linear function for all, so that thresholds mean the same everywhere.

    Constant maps become 0.
    """
    low = min(float(map_HW.min()) for map_HW in maps.maps)
    span = max(float(map_HW.max()) for map_HW in maps.maps) - low
    return [(map_HW - low) / (span or 1.0) for map_HW in maps.maps]
