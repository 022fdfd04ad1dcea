"""Sound-to-picture and picture-to-sound retrieval: a model and a dataset in, a report out.

Letters: N clips (all are queries and gallery), Q queries, G gallery, D directions.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Final

import torch
from torch import Tensor

from cavmae_sync.choices import AggregationName, Counting
from cavmae_sync.data import PreparedDataset
from cavmae_sync.embedding import DatasetEmbeddings, Embedder, similarity_matrix
from cavmae_sync.embedding.embedder import Progress
from cavmae_sync.evaluation.report import Report, Value
from cavmae_sync.metrics import (
    bootstrap_metrics,
    chance_metrics,
    count_nan,
    interval,
    official_ranks,
    retrieval_metrics,
    true_match_ranks,
)

DIRECTIONS: Final = ("audio_to_visual", "visual_to_audio")


@dataclass(frozen=True, kw_only=True, eq=False)
class RetrievalReport(Report):
    """A report, and what it was computed from: enough for pictures and for another aggregation.

    Attributes:
        similarity_QG: float32 [N, N], row = sound, column = picture; transposed for the other direction.
        embeddings: Vectors of all clips.
    """

    similarity_QG: Tensor
    embeddings: DatasetEmbeddings

    def aggregated(self, aggregation: AggregationName) -> "RetrievalReport":
        """The report of another aggregation, from the same vectors: nothing is read or encoded again."""
        if aggregation == self.config["aggregation"]:
            return self
        choices = {name: self.config[name] for name in ("ties", "num_bootstrap", "seed")}
        return retrieval_report(self.embeddings, aggregation=aggregation, **choices)


def evaluate_retrieval(
    embedder: Embedder,
    clips: PreparedDataset,
    *,
    frame: int | None = None,
    aggregation: AggregationName = "diagonal_mean",
    ties: Counting = "mean",
    num_bootstrap: int = 1000,
    num_workers: int = 0,
    on_progress: Progress | None = None,
) -> RetrievalReport:
    """Recall at 1, 5 and 10 and median rank in both directions, every clip being query and gallery item.

    Args:
        embedder: The model and how it computes, including which tokens represent a frame.
        clips: Prepared clips; `clips.head(n)` for the first n.
        frame: Compare this frame of each clip alone: 5 of 10 is the protocol of CAV-MAE. None compares all.
        aggregation: How the cosines of two clips' frames become one score.
        ties: Which of the places shared with equal scores a query's own clip takes.
        num_bootstrap: Resamples of the clips behind the 95 % intervals, the same for both directions;
            0 gives none.
        num_workers: Processes that read clips.
        on_progress: Called with clips done and clips in all.

    Returns:
        Metrics `audio_to_visual/recall_at_1` and so on, with chance and intervals (none for "official").

    Source:
        Spec 4.1; paper Table 1 (visual to audio) and Table 11 (aggregations).
    """
    embeddings = embedder.embed_dataset(clips, num_workers=num_workers, on_progress=on_progress)
    return retrieval_report(
        embeddings if frame is None else embeddings.at_frame(frame),
        aggregation=aggregation,
        ties=ties,
        num_bootstrap=num_bootstrap,
    )


def retrieval_oracle(report: RetrievalReport) -> RetrievalReport:
    """The report of a model that knows: each picture has the very vectors of its sound. Must be perfect.

    Clips with equal sound share a place, as they would for anybody.
    """
    known = replace(report.embeddings, visual_NTD=report.embeddings.audio_NTD, weights="oracle")
    choices = {name: report.config[name] for name in ("aggregation", "ties", "num_bootstrap", "seed")}
    return retrieval_report(known, **choices)


def retrieval_shuffled(report: RetrievalReport, *, seed: int = 0) -> RetrievalReport:
    """The report of the same vectors, each sound with the picture of a clip at random: must be at chance.

    More than chance says that places, and not vectors, decide: equal scores counted as found, for example.
    """
    order = torch.randperm(len(report.similarity_QG), generator=torch.Generator().manual_seed(seed))
    shuffled = replace(report.embeddings, visual_NTD=report.embeddings.visual_NTD[order], weights="shuffled")
    choices = {name: report.config[name] for name in ("aggregation", "ties", "num_bootstrap", "seed")}
    return retrieval_report(shuffled, **choices)


def retrieval_report(
    embeddings: DatasetEmbeddings,
    *,
    aggregation: AggregationName = "diagonal_mean",
    ties: Counting = "mean",
    num_bootstrap: int = 1000,
    seed: int = 0,
) -> RetrievalReport:
    """As `evaluate_retrieval`, from vectors already made."""
    similarity_QG = similarity_matrix(embeddings.audio_NTD, embeddings.visual_NTD, aggregation=aggregation)
    num_clips = len(similarity_QG)
    choices = {"aggregation": aggregation, "ties": ties, "num_bootstrap": num_bootstrap, "seed": seed}
    return RetrievalReport(
        name="retrieval",
        metrics=_metrics(similarity_QG, ties=ties, num_bootstrap=num_bootstrap, seed=seed),
        counts={
            "queries": num_clips,
            "gallery": num_clips,
            "substitutions": 0,
            "broken_vectors": embeddings.num_broken_rows,
            "scores_not_a_number": count_nan(similarity_QG),
            **_repeated(embeddings),
        },
        config={**choices, **embeddings.made_with},
        weights=embeddings.weights,
        clip_list=embeddings.clip_list,
        similarity_QG=similarity_QG,
        embeddings=embeddings,
    )


def _repeated(embeddings: DatasetEmbeddings) -> dict[str, int]:
    """Clips that nobody can tell from an earlier one, and clips whose sound and picture are one vector.

    The first rank by chance among each other. The second are a leak: a vector of both has seen the answer.
    """
    audio_NE, visual_NE = embeddings.audio_NTD.flatten(1), embeddings.visual_NTD.flatten(1)
    return {
        "repeated_sounds": len(audio_NE) - len(torch.unique(audio_NE, dim=0)),
        "repeated_pictures": len(visual_NE) - len(torch.unique(visual_NE, dim=0)),
        "sounds_equal_to_their_picture": int((audio_NE == visual_NE).all(dim=1).sum()),
    }


def ranks_by_direction(similarity_QG: Tensor, *, ties: Counting) -> dict[str, Tensor]:
    """Ranks (0 = best) of all queries, by direction; see `true_match_ranks` and `official_ranks`.

    Args:
        similarity_QG: Row = sound, column = picture.
        ties: Which of the places shared with equal scores a query's own clip takes.
    """
    matrices = {"audio_to_visual": similarity_QG, "visual_to_audio": similarity_QG.T}
    if ties == "official":
        return {name: official_ranks(matrix) for name, matrix in matrices.items()}
    return {name: true_match_ranks(matrix, ties=ties) for name, matrix in matrices.items()}


def _metrics(similarity_QG: Tensor, *, ties: Counting, num_bootstrap: int, seed: int) -> dict[str, Value]:
    ranks = ranks_by_direction(similarity_QG, ties=ties)
    if num_bootstrap == 0 or ties == "official":
        return _values(ranks, similarity_QG)
    samples = bootstrap_metrics(
        torch.stack([ranks[name] for name in DIRECTIONS]),
        num_resamples=num_bootstrap,
        generator=torch.Generator().manual_seed(seed),
    )
    values = _values(ranks, similarity_QG)
    for d, direction in enumerate(DIRECTIONS):
        for metric, samples_DX in samples.items():
            ends = interval(samples_DX[d])
            name = f"{direction}/{metric}"
            values[name] = replace(values[name], low=ends.low, high=ends.high)
    return values


def _values(ranks: Mapping[str, Tensor], similarity_QG: Tensor) -> dict[str, Value]:
    num_gallery = similarity_QG.shape[1]
    chance = chance_metrics(num_gallery).named()
    return {
        f"{direction}/{metric}": Value(
            value=value, chance=chance[metric], unit="rank" if metric == "median_rank" else "fraction"
        )
        for direction in DIRECTIONS
        for metric, value in retrieval_metrics(ranks[direction], num_gallery=num_gallery).named().items()
    }
