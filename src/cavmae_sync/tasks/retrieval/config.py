"""Configuration of a measurement of retrieval."""

from pydantic import Field

from cavmae_sync.choices import AggregationName, Counting
from cavmae_sync.config import Config


class RetrievalConfig(Config):
    """Choices of a measurement of retrieval."""

    aggregation: AggregationName = "diagonal_mean"
    """How the cosines of two clips' frames become one score."""
    ties: Counting = "mean"
    """Which of the places shared with equal scores a query's own clip takes."""
    num_bootstrap: int = Field(1000, ge=0)
    """Resamples of the clips behind the 95 % intervals, the same for both directions; 0 gives none."""
    seed: int = 0
    """Seed of the resamples, and of the other orders of frames in which WHAT is measured."""
