"""A dataset, a model and a metric in; a report and pictures out."""

from cavmae_sync.evaluation.classification import (
    ClassificationReport,
    ClassScore,
    classification_report,
)
from cavmae_sync.evaluation.comparison import compare_retrieval, in_order_of
from cavmae_sync.evaluation.controls import untrained
from cavmae_sync.evaluation.outside import open_embeddings
from cavmae_sync.evaluation.report import Report, Value
from cavmae_sync.evaluation.retrieval import (
    RetrievalReport,
    evaluate_retrieval,
    retrieval_oracle,
    retrieval_report,
    retrieval_shuffled,
)
from cavmae_sync.evaluation.temporal import TemporalReport, TemporalTask, evaluate_temporal

__all__ = [
    "ClassScore",
    "ClassificationReport",
    "Report",
    "RetrievalReport",
    "TemporalReport",
    "TemporalTask",
    "Value",
    "classification_report",
    "compare_retrieval",
    "evaluate_retrieval",
    "evaluate_temporal",
    "in_order_of",
    "open_embeddings",
    "retrieval_oracle",
    "retrieval_report",
    "retrieval_shuffled",
    "untrained",
]
