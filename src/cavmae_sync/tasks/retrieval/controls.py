"""Controls of retrieval: everything that a model's numbers must stand beside before they mean anything.

Letters: N clips, T frames per clip.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

import torch

from cavmae_sync.data import PreparedDataset
from cavmae_sync.embedding import Embedder
from cavmae_sync.embedding.embedder import OnProgress
from cavmae_sync.metrics.what_when import frame_orders
from cavmae_sync.paper import HOP_MILLISECONDS
from cavmae_sync.tasks.controls import untrained
from cavmae_sync.tasks.retrieval.clip_cues import read_cues
from cavmae_sync.tasks.retrieval.cue_baselines import cue_baselines
from cavmae_sync.tasks.retrieval.evaluate import RetrievalReport, evaluate_retrieval, retrieval_report
from cavmae_sync.tasks.retrieval.fitted_baselines import fitted_baselines
from cavmae_sync.tasks.retrieval.measures import Measures
from cavmae_sync.tasks.retrieval.stage_ceiling import StageMoments, stage_ceilings


@dataclass(frozen=True, kw_only=True, slots=True)
class Controls:
    """Controls of one model on the same clips; what was not asked for is empty.

    Attributes:
        reports: `untrained`, `shuffled` (frames of another clip) and `oracle`.
        baselines: Rules that learn nothing.
        fitted: Linear fits on training clips.
        ceilings: The truth of a stage.
    """

    reports: Mapping[str, RetrievalReport] = field(default_factory=dict)
    baselines: Mapping[str, Measures] = field(default_factory=dict)
    fitted: Mapping[str, Measures] = field(default_factory=dict)
    ceilings: Mapping[str, Measures] = field(default_factory=dict)


def retrieval_oracle(report: RetrievalReport) -> RetrievalReport:
    """Control that must be perfect: each clip's frames get the vectors of its sound.

    Clips with equal sounds share a place, as they would for any model.
    """
    known = replace(report.embeddings, visual_NTD=report.embeddings.audio_NTD, weights="oracle")
    return retrieval_report(known, report.config, hits_NTT=report.hits_NTT)


def retrieval_shuffled(report: RetrievalReport, *, seed: int = 0) -> RetrievalReport:
    """Control with the frames of another clip for each sound: its recall must be at chance.

    More recall than chance means that positions decide instead of vectors, for example equal scores counted
    as found. The moment accuracy that remains comes from the place in the clip (clips begin and end alike,
    windows are moved at the ends): it is no synchrony.
    """
    num_clips = len(report.embeddings.clip_ids)
    if num_clips < 2:
        return retrieval_report(replace(report.embeddings, weights="shuffled"), report.config)
    order_N = frame_orders(1, num_clips, generator=torch.Generator().manual_seed(seed))[0]
    visual_NTD = report.embeddings.visual_NTD[order_N]
    hits_NTT = None if report.hits_NTT is None else report.hits_NTT[order_N]
    shuffled = replace(report.embeddings, visual_NTD=visual_NTD, weights="shuffled")
    return retrieval_report(shuffled, report.config, hits_NTT=hits_NTT)


def untrained_report(
    embedder: Embedder,
    clips: PreparedDataset,
    report: RetrievalReport,
    *,
    seed: int = 0,
    frame: int | None = None,
    num_workers: int = 0,
    on_progress: OnProgress | None = None,
) -> RetrievalReport:
    """Report of a model with fresh weights of the same shape, measured like the model's own."""
    return evaluate_retrieval(
        untrained(embedder, seed=seed),
        clips,
        report.config,
        frame=frame,
        hits_NTT=report.hits_NTT,
        num_workers=num_workers,
        on_progress=on_progress,
    )


def window_seconds(embedder: Embedder) -> float:
    """Length of the sound that the model hears around a frame."""
    return embedder.model.config.inputs.segment_length * HOP_MILLISECONDS / 1000


def measure_controls(
    report: RetrievalReport,
    reports: Mapping[str, RetrievalReport],
    *,
    clips: PreparedDataset | None = None,
    train_clips: PreparedDataset | None = None,
    moments: StageMoments | None = None,
    window: float | None = None,
    on_progress: OnProgress | None = None,
) -> Controls:
    """Controls of a report.

    Args:
        report: Report of the model.
        reports: Controls that were measured with the model, by name: `untrained`.
        clips: The same clips, for baselines that learn nothing; None leaves them out.
        train_clips: Training clips, for linear fits; None leaves them out.
        moments: Objects of every moment, of a stage; None leaves the ceilings out.
        window: Length of the sound that the model hears around a frame, in seconds: baselines hear it too.
        on_progress: Called with clips read and clips in all.
    """
    shared = {"shuffled": retrieval_shuffled(report), "oracle": retrieval_oracle(report)}
    hits_NTT = report.hits_NTT
    found = Controls(
        reports={**reports, **shared},
        ceilings={} if moments is None else stage_ceilings(moments, hits_NTT=hits_NTT),
    )
    if clips is None:
        return found
    windows = [] if window is None else [window]
    frame = report.made_with.get("frame")
    cues = read_cues(clips, window_seconds=windows, on_progress=on_progress).at_frame(frame)
    found = replace(found, baselines=cue_baselines(cues, hits_NTT=hits_NTT))
    if train_clips is None:
        return found
    train = read_cues(train_clips, window_seconds=windows, on_progress=on_progress).at_frame(frame)
    return replace(found, fitted=fitted_baselines(train, cues, hits_NTT=hits_NTT))
