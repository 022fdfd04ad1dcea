"""Measurement of retrieval, from sounds to frames and from frames to sounds: vectors in, a report out.

Letters: N clips (all are queries and gallery), Q queries, G gallery, D directions.
"""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from types import MappingProxyType
from typing import Final

import torch
from pydantic import Field
from torch import Tensor

from cavmae_sync.choices import AggregationName, Counting
from cavmae_sync.config import Config
from cavmae_sync.data import PreparedDataset
from cavmae_sync.embedding import DatasetEmbeddings, Embedder, similarity_blocks, similarity_matrix
from cavmae_sync.embedding.embedder import OnProgress
from cavmae_sync.metrics import (
    MatchCounts,
    PairedMatchCounter,
    bootstrap_metrics,
    chance_metrics,
    interval,
    retrieval_metrics,
)
from cavmae_sync.tasks.report import Report, Value

DIRECTIONS: Final = ("audio_to_visual", "visual_to_audio")


class RetrievalConfig(Config):
    """Choices of a measurement of retrieval."""

    aggregation: AggregationName = "diagonal_mean"
    """How the cosines of two clips' frames become one score."""
    ties: Counting = "mean"
    """Which of the places shared with equal scores a query's own clip takes."""
    num_bootstrap: int = Field(1000, ge=0)
    """Resamples of the clips behind the 95 % intervals, the same for both directions; 0 gives none."""
    seed: int = 0
    """Seed of the resamples."""


_DEFAULT: Final = RetrievalConfig()


@dataclass(frozen=True, kw_only=True, slots=True)
class Matches:
    """Places of the own clip of every clip, in both directions.

    Attributes:
        by_direction: Counts of larger and equal scores, by the names of `DIRECTIONS`.
        num_nan: Number of scores that are not a number.
    """

    by_direction: Mapping[str, MatchCounts]
    num_nan: int

    def ranks(self, ties: Counting) -> dict[str, Tensor]:
        """Ranks (0 = best) of all queries, by direction; see `MatchCounts.ranks`."""
        return {name: counts.ranks(ties) for name, counts in self.by_direction.items()}


def find_matches(
    audio_NTD: Tensor,
    visual_NTD: Tensor,
    *,
    aggregation: AggregationName = "diagonal_mean",
    on_progress: OnProgress | None = None,
) -> Matches:
    """Compare all clips with all clips, in both directions at once, in bounded memory.

    The matrix of scores is never stored: each block is counted and dropped. The ranks equal those of
    `true_match_ranks(similarity_matrix(...))`, bit for bit.

    Args:
        audio_NTD: Unit rows, one per clip and frame; half precision and memory-mapped files are read
            block by block.
        visual_NTD: Unit rows of the same clips.
        aggregation: How the cosines of two clips' frames become one score.
        on_progress: Called with scores done and scores in all.

    Raises:
        ValueError: Shapes do not fit.
    """
    if len(audio_NTD) != len(visual_NTD):
        raise ValueError(
            f"Each clip needs vectors of sound and of frames, got {len(audio_NTD)} and {len(visual_NTD)}."
        )
    counter = PairedMatchCounter(len(audio_NTD), device=audio_NTD.device)
    num_done = 0
    for block in similarity_blocks(audio_NTD, visual_NTD, aggregation=aggregation):
        counter.add(block.scores_QG, rows=block.rows, columns=block.columns)
        num_done += block.scores_QG.numel()
        if on_progress is not None:
            on_progress(num_done, len(audio_NTD) ** 2)
    by_direction = MappingProxyType(dict(zip(DIRECTIONS, counter.counts(), strict=True)))
    return Matches(by_direction=by_direction, num_nan=counter.num_nan)


@dataclass(frozen=True, kw_only=True, eq=False)
class RetrievalReport(Report):
    """Report of retrieval, and what it was computed from: enough for figures and for another aggregation.

    Attributes:
        config: Choices of the measurement.
        matches: Places of the own clip of every clip.
        embeddings: Vectors of all clips.
    """

    config: RetrievalConfig
    matches: Matches
    embeddings: DatasetEmbeddings

    @cached_property
    def similarity_QG(self) -> Tensor:  # noqa: N802
        """Scores, float32 [N, N], row = sound, column = frames; computed when a figure needs them."""
        vectors = self.embeddings
        return similarity_matrix(vectors.audio_NTD, vectors.visual_NTD, aggregation=self.config.aggregation)

    def ranks(self) -> dict[str, Tensor]:
        """Ranks (0 = best) of all queries, by direction, with the report's rule for ties."""
        return self.matches.ranks(self.config.ties)

    def aggregated(self, aggregation: AggregationName) -> "RetrievalReport":
        """Report of another aggregation, from the same vectors."""
        if aggregation == self.config.aggregation:
            return self
        return retrieval_report(self.embeddings, self.config.model_copy(update={"aggregation": aggregation}))


def evaluate_retrieval(
    embedder: Embedder,
    clips: PreparedDataset,
    config: RetrievalConfig = _DEFAULT,
    *,
    frame: int | None = None,
    num_workers: int = 0,
    on_progress: OnProgress | None = None,
) -> RetrievalReport:
    """Recall at 1, 5 and 10 and median rank in both directions, every clip being query and gallery item.

    Args:
        embedder: The model and how it computes, including which tokens represent a frame.
        clips: Prepared clips; `clips.head(n)` for the first n.
        config: Aggregation of frames, rule of ties, resamples.
        frame: Compare this frame of each clip alone: 5 of 10 is the protocol of CAV-MAE. None compares all.
        num_workers: Processes that read clips.
        on_progress: Called with clips done and clips in all.

    Returns:
        Metrics `audio_to_visual/recall_at_1` and so on, with chance and intervals (none for "official").

    Source:
        Sync src/retrieval.py; paper Table 1 (visual to audio) and Table 11 (aggregations).
    """
    embeddings = embedder.embed_dataset(clips, num_workers=num_workers, on_progress=on_progress)
    return retrieval_report(embeddings if frame is None else embeddings.at_frame(frame), config)


def retrieval_oracle(report: RetrievalReport) -> RetrievalReport:
    """Control that must be perfect: each clip's frames get the vectors of its sound.

    Clips with equal sounds share a place, as they would for any model.
    """
    known = replace(report.embeddings, visual_NTD=report.embeddings.audio_NTD, weights="oracle")
    return retrieval_report(known, report.config)


def retrieval_shuffled(report: RetrievalReport, *, seed: int = 0) -> RetrievalReport:
    """Control that must be at chance: each sound is paired with the frames of a random clip.

    More than chance means that positions decide instead of vectors, for example equal scores counted as
    found.
    """
    order = torch.randperm(len(report.embeddings.clip_ids), generator=torch.Generator().manual_seed(seed))
    shuffled = replace(report.embeddings, visual_NTD=report.embeddings.visual_NTD[order], weights="shuffled")
    return retrieval_report(shuffled, report.config)


def retrieval_report(embeddings: DatasetEmbeddings, config: RetrievalConfig = _DEFAULT) -> RetrievalReport:
    """Report of `evaluate_retrieval`, from vectors already made."""
    matches = find_matches(embeddings.audio_NTD, embeddings.visual_NTD, aggregation=config.aggregation)
    num_clips = len(embeddings.clip_ids)
    return RetrievalReport(
        name="retrieval",
        metrics=_metrics(matches.ranks(config.ties), config, num_gallery=num_clips),
        counts={
            "queries": num_clips,
            "gallery": num_clips,
            "broken_vectors": embeddings.num_broken_rows,
            "scores_not_a_number": matches.num_nan,
            **_repeated(embeddings),
        },
        config=config,
        made_with=embeddings.made_with,
        weights=embeddings.weights,
        clip_list=embeddings.clip_list,
        matches=matches,
        embeddings=embeddings,
    )


def _repeated(embeddings: DatasetEmbeddings) -> dict[str, int]:
    """Counts of clips that equal an earlier one, and of clips whose sound and frames have equal vectors.

    Equal clips rank by chance among each other. Equal vectors of both modalities are a leak: such an encoder
    has seen the answer.
    """
    audio_NTD, visual_NTD = embeddings.audio_NTD, embeddings.visual_NTD
    sounds, frames = _fingerprints(audio_NTD), _fingerprints(visual_NTD)
    return {
        "repeated_sounds": len(sounds) - len(set(sounds)),
        "repeated_pictures": len(frames) - len(set(frames)),
        "sounds_equal_to_their_picture": sum(
            torch.equal(audio_TD, visual_TD)
            for audio_TD, visual_TD in zip(audio_NTD, visual_NTD, strict=True)
        ),
    }


def _fingerprints(clips_NTD: Tensor) -> list[bytes]:
    """Fingerprints of the clips' vectors, equal where the vectors are equal."""
    fingerprints: list[bytes] = []
    for index, clip_TD in enumerate(clips_NTD.cpu()):
        clip_TD = clip_TD.contiguous() + 0  # -0 becomes 0, which equals it
        content = clip_TD.view(torch.uint8).numpy().data
        # NaN equals nothing, not even NaN: such a clip gets a key of its own.
        key = b"" if clip_TD.isfinite().all() else index.to_bytes(8)
        fingerprints.append(hashlib.blake2b(content, digest_size=16, key=key).digest())
    return fingerprints


def _metrics(ranks: Mapping[str, Tensor], config: RetrievalConfig, *, num_gallery: int) -> dict[str, Value]:
    values = _values(ranks, num_gallery=num_gallery)
    if config.num_bootstrap == 0 or config.ties == "official":
        return values
    samples = bootstrap_metrics(
        torch.stack([ranks[name] for name in DIRECTIONS]),
        num_resamples=config.num_bootstrap,
        generator=torch.Generator().manual_seed(config.seed),
    )
    for d, direction in enumerate(DIRECTIONS):
        for metric, samples_DX in samples.items():
            ends = interval(samples_DX[d])
            name = f"{direction}/{metric}"
            values[name] = replace(values[name], low=ends.low, high=ends.high)
    return values


def _values(ranks: Mapping[str, Tensor], *, num_gallery: int) -> dict[str, Value]:
    chance = chance_metrics(num_gallery).named()
    return {
        f"{direction}/{metric}": Value(
            value=value, chance=chance[metric], unit="rank" if metric == "median_rank" else "fraction"
        )
        for direction in DIRECTIONS
        for metric, value in retrieval_metrics(ranks[direction], num_gallery=num_gallery).named().items()
    }
