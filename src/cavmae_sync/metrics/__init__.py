"""Metrics: arrays in, numbers out. They see no model and no file.

- `retrieval`: ranks, recall and median rank of a similarity matrix; `matches`: the same counts from blocks of
  it; `gallery_size`: recall expected in a gallery of another size; `bootstrap`: intervals of retrieval
  metrics;
- `classification`: average precision, AUC, d', accuracy, and their resamples;
- `localization`: average precision and IoU of maps against masks;
- `temporal`: boundaries and states of divided videos; `runs`: runs of equal values;
- `detection`: detected faults, their spans and offsets;
- `synchrony`: whether sound and frames fit best at the same time; `moments`: which sound of a clip belongs
  to a frame; `what_when`: vectors without what belongs together, or without when;
- `paired`: differences over paired seeds, and intervals over seeds.
"""

from cavmae_sync.metrics.bootstrap import Interval, bootstrap_means, bootstrap_metrics, interval
from cavmae_sync.metrics.gallery_size import MOST_TIMES, expected_recall, expected_recall_samples
from cavmae_sync.metrics.localization import Pixels, PooledScores, UnitCounts, pooled_scores, resampled_pools
from cavmae_sync.metrics.matches import MatchCounts, PairedMatchCounter
from cavmae_sync.metrics.retrieval import (
    RetrievalMetrics,
    chance_metrics,
    count_matches,
    count_nan,
    median_rank,
    official_ranks,
    recall_at_k,
    retrieval_metrics,
    true_match_ranks,
)

__all__ = [
    "MOST_TIMES",
    "Interval",
    "MatchCounts",
    "PairedMatchCounter",
    "Pixels",
    "PooledScores",
    "RetrievalMetrics",
    "UnitCounts",
    "bootstrap_means",
    "bootstrap_metrics",
    "chance_metrics",
    "count_matches",
    "count_nan",
    "expected_recall",
    "expected_recall_samples",
    "interval",
    "median_rank",
    "official_ranks",
    "pooled_scores",
    "recall_at_k",
    "resampled_pools",
    "retrieval_metrics",
    "true_match_ranks",
]
