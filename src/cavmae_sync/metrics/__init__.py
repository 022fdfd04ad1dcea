"""Arrays in, numbers out: no model, no file."""

from cavmae_sync.metrics.bootstrap import Interval, bootstrap_metrics, interval
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
