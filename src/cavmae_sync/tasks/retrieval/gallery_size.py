"""Retrieval on the available clips of an official list, and the recall expected in a gallery of another size.

Letters: N clips, Q queries, G gallery, D directions.
"""

from dataclasses import dataclass, replace
from typing import Final

import torch

from cavmae_sync.choices import Counting, IntervalOver
from cavmae_sync.data import ClipList
from cavmae_sync.data.lists import match_names
from cavmae_sync.embedding import DatasetEmbeddings
from cavmae_sync.embedding.vector_files import ids_fingerprint
from cavmae_sync.errors import ConfigError, DatasetError
from cavmae_sync.metrics import (
    MOST_TIMES,
    chance_metrics,
    expected_recall,
    expected_recall_samples,
    interval,
)
from cavmae_sync.tasks.report import Value
from cavmae_sync.tasks.retrieval.evaluate import RetrievalReport
from cavmae_sync.tasks.retrieval.matches import DIRECTIONS

#: Below this share of available clips, intervals were measured to be too narrow (docs/results.md).
_LEAST_PART: Final = 0.5


@dataclass(frozen=True, kw_only=True, slots=True)
class Gallery:
    """Gallery that a score is compared with.

    Attributes:
        size: Number of clips of the gallery whose recall is expected; None for that of the list, or for none.
        wanted: Official list; None for any clips.
        missing: Clips of the list that are missing.
    """

    size: int | None = None
    wanted: ClipList | None = None
    missing: tuple[str, ...] = ()

    def expected_size(self) -> int | None:
        """Number of clips of the gallery to compare with."""
        return len(self.wanted) if self.size is None and self.wanted is not None else self.size


def on_list(embeddings: DatasetEmbeddings, wanted: ClipList) -> tuple[DatasetEmbeddings, tuple[str, ...]]:
    """Vectors of the clips of a list, in its order, and the ids of the list that are missing.

    Raises:
        DatasetError: No clip of the list is among the vectors.
    """
    found = match_names(embeddings.clip_ids, wanted.wanted_clips).wanted_of
    row_of = {number: row for row, number in enumerate(found) if number is not None}
    if not row_of:
        raise DatasetError(
            f"No clip of {wanted.name} ({len(wanted)} clips, the first is {wanted.ids[0]!r}) is among the "
            f"vectors, whose clips have ids like {', '.join(map(repr, embeddings.clip_ids[:3]))}. Give "
            "the list of these clips."
        )
    rows = [row_of[number] for number in sorted(row_of)]
    clip_list = ids_fingerprint([embeddings.clip_ids[row] for row in rows])
    missing = tuple(clip for number, clip in enumerate(wanted.ids) if number not in row_of)
    return embeddings.take(rows, clip_list=clip_list), missing


def check_gallery(gallery: Gallery, *, num_clips: int, ties: Counting) -> None:
    """Refuse a gallery size for which no recall can be expected, before vectors are computed.

    Args:
        gallery: The gallery.
        num_clips: Number of available clips.
        ties: Rule for equal scores.

    Raises:
        ConfigError: See `with_gallery`.
    """
    if gallery.size is not None and gallery.size != num_clips:
        refusal = _refusal(gallery.size, num_clips=num_clips, ties=ties)
        if refusal is not None:
            raise ConfigError(refusal)


def with_gallery(report: RetrievalReport, gallery: Gallery) -> RetrievalReport:
    """Report with the list, its missing clips, and the recall expected in another gallery.

    With a list, intervals are those of the whole list with its missing clips; at another size, those of other
    clips like these. Both assume that clips are missing at random.

    Raises:
        ConfigError: A size was given, and ties are counted as the published code does, which has no rank for
            each query, or the size is too many times that of the available clips. At the size of the list,
            the expectation is left out instead, and `no_expectation` says why.
    """
    size, num_clips = gallery.expected_size(), report.counts["queries"]
    wanted = gallery.wanted
    counts, made_with = dict(report.counts), dict(report.made_with)
    if wanted is not None:
        counts |= {"on_list": len(wanted), "missing": len(gallery.missing)}
        made_with |= {
            "list": wanted.name,
            "list_sha256": wanted.sha256,
            "missing_clips": list(gallery.missing),
        }
    metrics = dict(report.metrics)
    ties = report.config.ties
    check_gallery(gallery, num_clips=num_clips, ties=ties)
    refusal = None
    if size is not None and size != num_clips:
        refusal = _refusal(size, num_clips=num_clips, ties=ties)
    if refusal is not None:
        made_with["no_expectation"] = refusal
    elif size is not None and size != num_clips:
        over: IntervalOver = "missing" if wanted is not None and size == len(wanted) else "clips"
        metrics |= _expected(report, size=size, over=over)
        counts["expected_gallery"] = size
        made_with["expected_interval_over"] = over
        made_with["expectation_assumes"] = "clips missing at random"
        if num_clips < _LEAST_PART * size:
            made_with["expectation_warns"] = "less than half is left: intervals too narrow"
    return replace(report, metrics=metrics, counts=counts, made_with=made_with)


def _refusal(size: int, *, num_clips: int, ties: Counting) -> str | None:
    """Reason why no recall can be expected in a gallery; None if it can."""
    if ties == "official":
        return (
            "ties=official gives no rank for each query, so that recall in "
            "another gallery cannot be expected. Use ties=mean."
        )
    if size > MOST_TIMES * num_clips:
        return (
            f"{num_clips} clips are too few to expect a recall among {size}: at least "
            f"{-(-size // int(MOST_TIMES))} are needed. Get more clips, or give a smaller --gallery-size."
        )
    return None


def _expected(report: RetrievalReport, *, size: int, over: IntervalOver) -> dict[str, Value]:
    ranks, num_gallery = report.ranks(), report.counts["gallery"]
    ranks_DQ = torch.stack([ranks[direction] for direction in DIRECTIONS])
    chance = chance_metrics(size).named()
    values = {
        f"{direction}/{name}": Value(value=min(value, 1.0), chance=chance[name])
        for direction, ranks_Q in zip(DIRECTIONS, ranks_DQ, strict=True)
        for name, value in expected_recall(ranks_Q, num_gallery=num_gallery, size=size).items()
    }
    if report.config.num_bootstrap:
        samples = expected_recall_samples(
            ranks_DQ,
            num_gallery=num_gallery,
            size=size,
            num_resamples=report.config.num_bootstrap,
            generator=torch.Generator().manual_seed(report.config.seed),
            over=over,
        )
        for d, direction in enumerate(DIRECTIONS):
            for name, samples_DX in samples.items():
                ends = interval(samples_DX[d])
                key = f"{direction}/{name}"
                values[key] = replace(values[key], low=ends.low, high=ends.high)
    return {f"{name}_expected_at_{size}": value for name, value in values.items()}
