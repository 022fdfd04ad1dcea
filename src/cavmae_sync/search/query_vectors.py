"""Queries from vectors that were made elsewhere, from texts, and from the classes of a probe.

N moments of a query, D width.
"""

import os
from pathlib import Path

import numpy as np

from cavmae_sync.checks import unknown_name
from cavmae_sync.embedding import Embedder
from cavmae_sync.embedding.encoders import ClipEncoder, as_encoder
from cavmae_sync.embedding.library import LibraryConfig, read_foreign_vectors
from cavmae_sync.embedding.library.record import LibraryRecord
from cavmae_sync.errors import ConfigError, DatasetError
from cavmae_sync.model.heads import LinearHead
from cavmae_sync.search.query import Query
from cavmae_sync.tasks.classification.probe import Probe


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


def class_query(record: LibraryRecord, probe: Probe, name: str) -> Query:
    """Query for one of the classes of a probe, for encoders that know no words.

    The probe must be logistic regression on the vectors that libraries hold. Hits are moments in the order of
    the class's logit (against the mean of all classes where the probe chooses one), but for the lengths of
    vectors, which libraries do not keep (none are missing with `features.length=unit`). They are ranked and
    not judged.

    Args:
        record: What made the library.
        probe: The probe.
        name: Name of the class.

    Raises:
        ConfigError: The probe has no such class, reads other features, or is of another model.
    """
    if probe.weights != record.encoder.weights:
        raise ConfigError(
            f"The probe was trained on weights {probe.weights[:12]}, the library was made by "
            f"{record.encoder.weights[:12]}. Train a probe on the model of the library."
        )
    features = probe.features
    tokens = record.encoder.made_with.get("representation", "global")
    if not isinstance(probe.head, LinearHead) or (features.depth, features.tokens) != ("joint", tokens):
        raise ConfigError(
            "The probe reads other features than a library holds. Train one that fits: cavmae-sync probe "
            "MODEL --train DATA --test DATA --out PROBE head=linear features.depth=joint"
            + ("" if tokens == "global" else f" features.tokens={tokens}")
        )
    if name not in probe.classes:
        raise ConfigError(unknown_name("class", name, probe.classes))
    weights_CD = probe.head.classify.weight.detach().numpy()
    own_D = weights_CD[probe.classes.index(name)]
    own_D = own_D - weights_CD.mean(axis=0) if probe.loss == "ce" else own_D
    parts = np.split(own_D, len(features.parts))
    lengths = {sense: float(np.linalg.norm(part)) for sense, part in zip(features.parts, parts, strict=True)}
    rows = {
        sense: (part / lengths[sense])[None].astype(np.float32)
        for sense, part in zip(features.parts, parts, strict=True)
        if lengths[sense] > 0
    }
    if not rows:
        raise ConfigError(f"The probe has learned nothing about {name!r}: its weights are zero.")
    return Query(
        rows=rows,
        step_seconds=record.config.step_seconds,
        first_seconds=0.0,
        duration_seconds=0.0,
        about=f"class {name!r}",
        is_native=False,
        weights={sense: lengths[sense] for sense in rows},
    )
