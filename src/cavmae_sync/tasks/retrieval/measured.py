"""A model or a file of vectors, measured with its controls in one call."""

from dataclasses import dataclass, replace

from cavmae_sync.data import PreparedDataset
from cavmae_sync.embedding import DatasetEmbeddings, Embedder
from cavmae_sync.embedding.embedder import OnProgress
from cavmae_sync.tasks.retrieval.config import RetrievalConfig
from cavmae_sync.tasks.retrieval.controls import Controls, measure_controls, untrained_report, window_seconds
from cavmae_sync.tasks.retrieval.evaluate import RetrievalReport, evaluate_retrieval, retrieval_report
from cavmae_sync.tasks.retrieval.knowledge import Knowledge, knowledge
from cavmae_sync.tasks.retrieval.stage_ceiling import StageMoments


@dataclass(frozen=True, kw_only=True, slots=True)
class Beside:
    """What a model's numbers are put beside.

    Attributes:
        controls: Whether to measure an untrained model, frames of other clips, an oracle and rules that learn
            nothing.
        moments: Objects of every moment, of a stage; None where no truth is known.
        train_clips: Training clips, on which linear baselines are fitted; None for none.
        seed: Seed of the weights of the untrained model.
    """

    controls: bool = True
    moments: StageMoments | None = None
    train_clips: PreparedDataset | None = None
    seed: int = 0


@dataclass(frozen=True, kw_only=True, slots=True)
class Measured:
    """Report of a model or file, its controls, and what it knows by them; None without controls."""

    report: RetrievalReport
    controls: Controls | None = None
    known: Knowledge | None = None

    def reports(self) -> dict[str, RetrievalReport]:
        """Report of the model, and reports of controls that have one, by name."""
        return {"model": self.report, **({} if self.controls is None else self.controls.reports)}


def measure_model(
    embedder: Embedder,
    clips: PreparedDataset,
    config: RetrievalConfig,
    *,
    beside: Beside,
    frame: int | None = None,
    num_workers: int = 0,
    on_progress: OnProgress | None = None,
) -> Measured:
    """Report of a model, with controls.

    Args:
        embedder: The model and how it computes.
        clips: Prepared clips.
        config: Aggregation of frames, rule of ties, resamples.
        beside: What its numbers are put beside.
        frame: Compare this frame of each clip alone; None compares all.
        num_workers: Processes that read clips.
        on_progress: Called with clips done and clips in all, of each pass over the clips.
    """
    hits_NTT = None if beside.moments is None else beside.moments.hits()
    report = evaluate_retrieval(
        embedder,
        clips,
        config,
        frame=frame,
        hits_NTT=hits_NTT,
        num_workers=num_workers,
        on_progress=on_progress,
    )
    report = _naming_stage(report, beside)
    if not beside.controls:
        return Measured(report=report)
    fresh = untrained_report(
        embedder,
        clips,
        report,
        seed=beside.seed,
        frame=frame,
        num_workers=num_workers,
        on_progress=on_progress,
    )
    controls = measure_controls(
        report,
        {"untrained": fresh},
        clips=clips,
        train_clips=beside.train_clips,
        moments=beside.moments,
        window=window_seconds(embedder),
        on_progress=on_progress,
    )
    return Measured(report=report, controls=controls, known=knowledge(report, controls))


def measure_file(
    vectors: DatasetEmbeddings, config: RetrievalConfig, *, clips: PreparedDataset | None, beside: Beside
) -> Measured:
    """Report of vectors that are made already, with the controls that need no model.

    Args:
        vectors: Vectors of clips.
        config: Aggregation of frames, rule of ties, resamples.
        clips: The same clips in the same order, for rules that learn nothing; None leaves those out.
        beside: What the numbers are put beside.
    """
    hits_NTT = None if beside.moments is None else beside.moments.hits()
    report = _naming_stage(retrieval_report(vectors, config, hits_NTT=hits_NTT), beside)
    if not beside.controls:
        return Measured(report=report)
    controls = measure_controls(
        report, {}, clips=clips, train_clips=beside.train_clips, moments=beside.moments
    )
    return Measured(report=report, controls=controls, known=knowledge(report, controls))


def _naming_stage(report: RetrievalReport, beside: Beside) -> RetrievalReport:
    """Report that says which stage the clips are of, so that results of two stages do not mix."""
    if beside.moments is None:
        return report
    return replace(report, made_with={**report.made_with, "stage": beside.moments.stage})
