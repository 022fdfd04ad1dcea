"""Clips in; unit vectors out, and the scores of pairs of clips.

- `embedder`: `Embedder`, a model and how it computes; vectors of frames, of sounds, of clips and of datasets.
- `video`: clips of a video file, one after the other, with their vectors.
- `types`: `ClipEmbedding` and `DatasetEmbeddings`, which check their shapes.
- `similarity`: one score for each pair of clips, as one matrix or in blocks.
- `vector_files`: vectors of any encoder from a file and into one; `vector_formats` reads and writes .npz and
  Parquet, `vector_rows` checks the numbers and ids of such files.
- `inference`: evaluation mode, no gradients, and the precision of products.
- `rows`: which rows repeat their neighbour; rows of unit length.
- `library/`: many video files to a folder of vectors.
"""

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
