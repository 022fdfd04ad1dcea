"""Controls of retrieval that need no model: the truth as the answer, and the wrong answer."""

from dataclasses import replace

import torch

from cavmae_sync.metrics.what_when import frame_orders
from cavmae_sync.tasks.retrieval.evaluate import RetrievalReport, retrieval_report


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
