"""Queries from vectors that were made elsewhere, from texts, and from the classes of a probe.

N moments of a query, D width.
"""

import os
from pathlib import Path

import numpy as np

from cavmae_sync.embedding import Embedder
from cavmae_sync.embedding.encoders import ClipEncoder, as_encoder
from cavmae_sync.embedding.library import LibraryConfig, read_foreign_vectors
from cavmae_sync.embedding.library.record import LibraryRecord
from cavmae_sync.errors import ConfigError, DatasetError
from cavmae_sync.search.query import Query


def vectors_query(record: LibraryRecord, path: str | os.PathLike[str]) -> Query:
    """Query by a file of vectors, that the encoder of a library made; see `read_foreign_vectors`.

    Its clips are taken as following each other: all moments of the first, then those of the second.

    Args:
        record: What made the library.
        path: The file.

    Raises:
        ConfigError: Another encoder made it.
        DatasetError: It cannot be used, or a vector is zero, NaN or infinite.
    """
    found = read_foreign_vectors(path)
    wanted = record.encoder
    told = {
        "encoder": (found.name, wanted.kind),
        "width": (found.width, wanted.width),
        "weights": (found.weights or wanted.weights, wanted.weights),
    }
    if odd := [f"{name} {ours!r}, not {theirs!r}" for name, (ours, theirs) in told.items() if ours != theirs]:
        raise ConfigError(f"{path} does not compare with this library: {'; '.join(odd)}.")
    rows = {sense: each.reshape(-1, found.width) for sense, each in found.rows.items()}
    for sense, rows_ND in rows.items():
        lengths = np.linalg.norm(rows_ND, axis=1, keepdims=True)
        if not np.isfinite(lengths).all() or not (lengths > 0).all():
            raise DatasetError(f"{path}: a vector of {sense} is zero, NaN or infinite. Make it again.")
        rows[sense] = rows_ND / lengths
    step = record.config.step_seconds
    return Query(
        rows=rows,
        step_seconds=step,
        first_seconds=record.config.window_seconds / 2,
        duration_seconds=len(next(iter(rows.values()))) * step,
        about=f"vectors of {Path(path).name}",
    )


def text_query(encoder: Embedder | ClipEncoder, config: LibraryConfig, text: str) -> Query:
    """Query by a text, for encoders that know words. Hits are ranked and not judged.

    Stretches of a library cannot show how strangers score with texts, so there is no probability.

    Args:
        encoder: That which the library was made by.
        config: The library's configuration.
        text: What to look for.

    Raises:
        ConfigError: The encoder knows no words.
    """
    rows = {sense: row_1D.numpy() for sense, row_1D in as_encoder(encoder).encode_text(text).items()}
    return Query(
        rows=rows,
        step_seconds=config.step_seconds,
        first_seconds=0.0,
        duration_seconds=0.0,
        about=f"text {text!r}",
        is_native=False,
    )
