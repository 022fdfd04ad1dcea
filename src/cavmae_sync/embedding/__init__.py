"""Clips in, unit vectors out, and the scores of pairs of clips."""

from cavmae_sync.embedding.similarity import AGGREGATIONS, AggregationName, similarity_matrix
from cavmae_sync.embedding.types import ClipEmbedding

__all__ = ["AGGREGATIONS", "AggregationName", "ClipEmbedding", "similarity_matrix"]
