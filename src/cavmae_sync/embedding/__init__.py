"""Clips in, unit vectors out, and the scores of pairs of clips."""

from cavmae_sync.embedding.embedder import Embedder, VisualEmbedding
from cavmae_sync.embedding.similarity import AGGREGATIONS, ScoreBlock, similarity_blocks, similarity_matrix
from cavmae_sync.embedding.types import ClipEmbedding, DatasetEmbeddings
from cavmae_sync.embedding.vector_files import first_clips, read_embeddings, write_embeddings
from cavmae_sync.embedding.video import EmbeddedClip, embed_video, video_inputs

__all__ = [
    "AGGREGATIONS",
    "ClipEmbedding",
    "DatasetEmbeddings",
    "EmbeddedClip",
    "Embedder",
    "ScoreBlock",
    "VisualEmbedding",
    "embed_video",
    "first_clips",
    "read_embeddings",
    "similarity_blocks",
    "similarity_matrix",
    "video_inputs",
    "write_embeddings",
]
