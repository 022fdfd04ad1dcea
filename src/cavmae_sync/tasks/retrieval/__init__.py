"""The clip that belongs to a sound, and the sound that belongs to a clip."""

from cavmae_sync.tasks.retrieval.comparison import compare_retrieval, in_order_of
from cavmae_sync.tasks.retrieval.evaluate import (
    RetrievalConfig,
    RetrievalReport,
    evaluate_retrieval,
    retrieval_oracle,
    retrieval_report,
    retrieval_shuffled,
)
from cavmae_sync.tasks.retrieval.vector_files import open_embeddings

__all__ = [
    "RetrievalConfig",
    "RetrievalReport",
    "compare_retrieval",
    "evaluate_retrieval",
    "in_order_of",
    "open_embeddings",
    "retrieval_oracle",
    "retrieval_report",
    "retrieval_shuffled",
]
