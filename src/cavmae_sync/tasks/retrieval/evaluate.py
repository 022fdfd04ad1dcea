"""Measurement of retrieval, from sounds to frames and from frames to sounds: vectors in, a report out.

Letters: N clips (all are queries and gallery), Q queries, G gallery, T frames per clip.
"""

import hashlib
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Final

import torch
from torch import Tensor

from cavmae_sync.choices import AggregationName
from cavmae_sync.data import PreparedDataset
from cavmae_sync.embedding import DatasetEmbeddings, Embedder, similarity_matrix
from cavmae_sync.embedding.embedder import OnProgress
from cavmae_sync.tasks.report import Report
from cavmae_sync.tasks.retrieval.config import RetrievalConfig
from cavmae_sync.tasks.retrieval.matches import DIRECTIONS, Direction
from cavmae_sync.tasks.retrieval.measures import Measures, Pair, measure_vectors
from cavmae_sync.tasks.retrieval.report_metrics import report_metrics

_DEFAULT: Final = RetrievalConfig()


@dataclass(frozen=True, kw_only=True, eq=False)
class RetrievalReport(Report):
    """Report of retrieval, and what it was computed from: enough for figures and for another aggregation.

    Attributes:
        config: Choices of the measurement.
        measures: What was counted: places of the own clips, and answers within clips.
        embeddings: Vectors of all clips.
    """

    config: RetrievalConfig
    measures: Measures
    embeddings: DatasetEmbeddings

    @cached_property
    def similarity_QG(self) -> Tensor:  # noqa: N802
        """Scores, float32 [N, N], row = sound, column = frames; computed when a figure needs them."""
        vectors = self.embeddings
        return similarity_matrix(vectors.audio_NTD, vectors.visual_NTD, aggregation=self.config.aggregation)

    def ranks(self) -> dict[Direction, Tensor]:
        """Ranks (0 = best) of all queries, by direction, with the report's rule for ties."""
        return self.measures.matches["both"].ranks(self.config.ties)

    def to_dict(self) -> dict[str, Any]:
        """Report as JSON values, with the curves of the moment accuracy over the offset."""
        return {**super().to_dict(), **self._curves()}

    def _curves(self) -> dict[str, Any]:
        moments = self.measures.moments
        if moments is None:
            return {}
        curves = {direction: moments.curve(direction) for direction in DIRECTIONS}
        offsets = {"offset_frames": curves["audio_to_visual"].offsets_K.tolist()}
        shares = {direction: curve.shares_K.tolist() for direction, curve in curves.items()}
        return {"moment_over_offset": {**offsets, **shares}}

    def aggregated(self, aggregation: AggregationName) -> "RetrievalReport":
        """Report of another aggregation, from the same vectors."""
        if aggregation == self.config.aggregation:
            return self
        config = self.config.model_copy(update={"aggregation": aggregation})
        return retrieval_report(self.embeddings, config, hits_NTT=self.hits_NTT)

    @property
    def hits_NTT(self) -> Tensor | None:  # noqa: N802
        """Moments of a clip with the same true state; None where no truth is known."""
        return None if self.measures.moments is None else self.measures.moments.hits_NTT


def evaluate_retrieval(
    embedder: Embedder,
    clips: PreparedDataset,
    config: RetrievalConfig = _DEFAULT,
    *,
    frame: int | None = None,
    hits_NTT: Tensor | None = None,
    num_workers: int = 0,
    on_progress: OnProgress | None = None,
) -> RetrievalReport:
    """Recall of both, WHAT and WHEN in both directions, every clip being query and gallery item, and moments.

    Args:
        embedder: The model and how it computes, including which tokens represent a frame.
        clips: Prepared clips; `clips.head(n)` for the first n.
        config: Aggregation of frames, rule of ties, resamples.
        frame: Compare this frame of each clip alone: 5 of 10 is the protocol of CAV-MAE. None compares all.
        hits_NTT: bool; moments of a clip with the same true state, of a stage. None where no truth is known.
        num_workers: Processes that read clips.
        on_progress: Called with clips done and clips in all.

    Returns:
        Metrics `audio_to_visual/recall_at_1` and so on, with chance and intervals (none for "official"). The
        same of WHAT and WHEN are `what/audio_to_visual/recall_at_1`; moments are
        `moment/audio_to_visual/accuracy`, and `moment/audio_to_visual/state_accuracy` where the truth is
        given.

    Source:
        Sync src/retrieval.py; paper Table 1 (visual to audio) and Table 11 (aggregations).
    """
    embeddings = embedder.embed_dataset(clips, num_workers=num_workers, on_progress=on_progress)
    if frame is not None:
        return retrieval_report(embeddings.at_frame(frame), config)
    return retrieval_report(embeddings, config, hits_NTT=hits_NTT)


def retrieval_report(
    embeddings: DatasetEmbeddings, config: RetrievalConfig = _DEFAULT, *, hits_NTT: Tensor | None = None
) -> RetrievalReport:
    """Report of `evaluate_retrieval`, from vectors already made."""
    measures = measure_vectors(
        Pair(audio_NTD=embeddings.audio_NTD, visual_NTD=embeddings.visual_NTD),
        aggregation=config.aggregation,
        seed=config.seed,
        hits_NTT=hits_NTT,
    )
    num_clips = len(embeddings.clip_ids)
    return RetrievalReport(
        name="retrieval",
        metrics=report_metrics(measures, config),
        counts={
            "queries": num_clips,
            "gallery": num_clips,
            "broken_vectors": embeddings.num_broken_rows,
            "unchanging_vectors": measures.num_unchanging,
            "scores_not_a_number": measures.matches["both"].num_nan,
            **_repeated(embeddings),
        },
        config=config,
        made_with=embeddings.made_with,
        weights=embeddings.weights,
        clip_list=embeddings.clip_list,
        measures=measures,
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
