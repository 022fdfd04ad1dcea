"""Retrieval: the clip that belongs to a sound, and the sound that belongs to a clip.

In: a model and a dataset, or vectors from files. Out: a `RetrievalReport`.

- `evaluate`: vectors to a report; `measures`: what is counted (WHAT, WHEN, both, moments), from `matches`;
  `report_metrics`: its numbers;
- `controls`: oracle and shuffled pairs;
- `vector_files`: vectors of other encoders, on one list of clips; `comparison`: differences of several
  models;
- `gallery_size`: available clips of an official list, and recall expected in a gallery of another size;
- `loudness_baseline`: retrieval without a model;
- `mteb_adapter`: the model as an encoder for MTEB; `mteb_media` reads MTEB's items;
- `similarity_figure`, `matches_figure`: figures.
"""

from cavmae_sync.tasks.retrieval.comparison import compare_retrieval, in_order_of
from cavmae_sync.tasks.retrieval.config import RetrievalConfig
from cavmae_sync.tasks.retrieval.controls import retrieval_oracle, retrieval_shuffled
from cavmae_sync.tasks.retrieval.evaluate import RetrievalReport, evaluate_retrieval, retrieval_report
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
