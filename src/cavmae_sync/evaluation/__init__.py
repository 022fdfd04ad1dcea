"""A dataset, a model and a metric in; a report and pictures out."""

from cavmae_sync.evaluation.provenance import clip_list_hash, weights_fingerprint
from cavmae_sync.evaluation.report import Report, Value
from cavmae_sync.evaluation.retrieval import RetrievalReport, evaluate_retrieval

__all__ = [
    "Report",
    "RetrievalReport",
    "Value",
    "clip_list_hash",
    "evaluate_retrieval",
    "weights_fingerprint",
]
