"""Files of vectors of any encoder, read and written: all models are measured by the same reports.

Letters: N clips, T frames per clip, D width.
"""

import hashlib
import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from cavmae_sync.atomic import written_whole
from cavmae_sync.embedding.library.open import open_library
from cavmae_sync.embedding.rows import unit_rows
from cavmae_sync.embedding.types import DatasetEmbeddings
from cavmae_sync.embedding.vector_formats import (
    EMBEDDINGS,
    VECTORS,
    FileContent,
    read_vector_file,
    write_npz,
    write_parquet,
)
from cavmae_sync.errors import ConfigError, DatasetError
from cavmae_sync.untrusted import parse_json

#: File suffixes of vector files.
SUFFIXES: Final = (".npz", ".parquet")

#: Rows this close to unit length are not rescaled, so that our own files come back bit for bit.
_LEFT_ALONE: Final = 1e-6
#: Clips that are rescaled at once: bounds memory, never changes a result.
_BLOCK_CLIPS: Final = 256


def read_embeddings(path: str | os.PathLike[str]) -> DatasetEmbeddings:
    """Vectors of clips from an .npz or Parquet file of any encoder, or from a library.

    The file holds `audio` and `visual`, float16, float32 or float64 [N, T, D], or [N, D] for one vector per
    clip; row i of both belongs to clip i. Optional: `ids` and `labels` of the clips; `name` of the encoder,
    `made_with` (a JSON object with its settings), `frame_seconds` [T], and, in our own files, the
    fingerprints `weights` and `clip_list`.

    Rows are divided by their length; `made_with` counts those that were not unit as `rescaled_vectors`. A row
    that is zero, NaN or infinite has no direction and becomes NaN: `num_broken_rows` counts these, and they
    rank last. Where one side has one vector per clip and the other T, that one is compared with each of the
    T (as Sync's code compares plain CAV-MAE), and `made_with` says so.

    Without `ids`, clips are numbered, `has_ids` is false, and `clip_list` is the fingerprint of the vectors.

    Raises:
        DatasetError: The file is missing, damaged or too large, its arrays do not fit together, or no vector
            of sound or of picture has a direction.

    Source:
        Code: Sync, src/retrieval.py.
    """
    path = Path(path)
    if path.is_dir():
        return open_library(path).embeddings()
    content = read_vector_file(path, EMBEDDINGS)
    shaped = {name: _three_axes(path, name, content.vectors[name]) for name in VECTORS}
    _check_together(path, shaped, content)
    audio_NTD, num_audio = _unit(shaped["audio"])
    visual_NTD, num_visual = _unit(shaped["visual"])
    for name, vectors in (("audio", audio_NTD), ("visual", visual_NTD)):
        if bool(vectors.isnan().any(dim=-1).all()):
            raise DatasetError(
                f"{path}: every vector of {name} is zero, NaN or infinite. Make the file again."
            )
    vectors_sha256 = _fingerprint_of_vectors(audio_NTD, visual_NTD)
    num_frames = max(audio_NTD.shape[1], visual_NTD.shape[1])
    notes = {f"{name}_vectors_per_clip": 1 for name in VECTORS if shaped[name].shape[1] != num_frames}
    if num_audio + num_visual:
        notes["rescaled_vectors"] = num_audio + num_visual
    ids = content.ids
    return DatasetEmbeddings(
        audio_NTD=audio_NTD.expand(-1, num_frames, -1),
        visual_NTD=visual_NTD.expand(-1, num_frames, -1),
        clip_ids=ids or tuple(map(str, range(len(audio_NTD)))),
        labels=content.labels or ((),) * len(audio_NTD),
        clip_list=_text(path, content, "clip_list") or (ids_fingerprint(ids) if ids else vectors_sha256),
        weights=_text(path, content, "weights") or vectors_sha256,
        made_with={**_made_with(path, content, num_frames), **notes},
        has_ids=ids is not None,
    )


def write_embeddings(embeddings: DatasetEmbeddings, path: str | os.PathLike[str]) -> None:
    """Write a vector file that `read_embeddings` reads back bit for bit; whole or not at all.

    Args:
        embeddings: Vectors of clips.
        path: Ends in .npz, or in .parquet, which has one row per clip and opens in pandas, polars and DuckDB.

    Raises:
        ConfigError: The path has another suffix.
    """
    path = Path(path)
    if path.suffix.lower() not in SUFFIXES:
        raise ConfigError(f"{path} cannot be written: a vector file ends in {' or '.join(SUFFIXES)}.")
    content = FileContent(
        vectors={"audio": embeddings.audio_NTD.numpy(), "visual": embeddings.visual_NTD.numpy()},
        ids=embeddings.clip_ids if embeddings.has_ids else None,
        labels=embeddings.labels if any(embeddings.labels) else None,
        facts={
            "weights": embeddings.weights,
            "clip_list": embeddings.clip_list,
            "made_with": json.dumps(dict(embeddings.made_with), ensure_ascii=False),
        },
    )
    with written_whole(path) as part:
        (write_npz if path.suffix.lower() == ".npz" else write_parquet)(part, content)


def first_clips(embeddings: DatasetEmbeddings, num_clips: int) -> DatasetEmbeddings:
    """The first clips, or all if there are fewer, with the fingerprint of their own list."""
    if num_clips >= len(embeddings.clip_ids):
        return embeddings
    first = embeddings.take(range(num_clips), clip_list="")
    if first.has_ids:
        return replace(first, clip_list=ids_fingerprint(first.clip_ids))
    return replace(first, clip_list=_fingerprint_of_vectors(first.audio_NTD, first.visual_NTD))


def ids_fingerprint(ids: Sequence[str]) -> str:
    """SHA-256 of ids in order: fingerprint of a list of clips that has no other."""
    return hashlib.sha256("".join(f"{clip_id}\n" for clip_id in ids).encode()).hexdigest()


def _three_axes(path: Path, name: str, vectors: NDArray[Any]) -> NDArray[Any]:
    if vectors.dtype.kind != "f" or vectors.dtype.itemsize > 8:
        raise DatasetError(
            f"{path}: {name} must be float16, float32 or float64, got {vectors.dtype}. Whole numbers are "
            "codes or indices, not vectors: undo the quantisation, then save with .astype('float32')."
        )
    if vectors.ndim not in {2, 3} or 0 in vectors.shape:
        raise DatasetError(
            f"{path}: {name} must be [clips, frames, width], or [clips, width], and not empty; "
            f"got {list(vectors.shape)}."
        )
    return vectors[:, None] if vectors.ndim == 2 else vectors


def _check_together(path: Path, vectors: Mapping[str, NDArray[Any]], content: FileContent) -> None:
    audio, visual = (vectors[name].shape for name in VECTORS)
    if audio[0] != visual[0] or audio[2] != visual[2]:
        raise DatasetError(
            f"{path}: audio {list(audio)} and visual {list(visual)} must have equally many clips and one "
            "width: row i of both belongs to clip i, and they are compared by their cosine."
        )
    if audio[1] != visual[1] and 1 not in {audio[1], visual[1]}:
        raise DatasetError(
            f"{path}: clips have {audio[1]} vectors of sound and {visual[1]} of picture, so they cannot be "
            "paired in time. Give equally many of both, or one of them for the whole clip."
        )
    for name, values in (("ids", content.ids), ("labels", content.labels)):
        if values is not None and len(values) != audio[0]:
            raise DatasetError(f"{path}: {len(values)} {name} for {audio[0]} clips. Give one for each.")
    if content.ids is not None and len(set(content.ids)) < len(content.ids):
        twice = next(clip_id for i, clip_id in enumerate(content.ids) if clip_id in content.ids[:i])
        raise DatasetError(
            f"{path}: id {twice!r:.80} is there more than once. Give each clip an id of its own."
        )


def _unit(vectors_NTD: NDArray[Any]) -> tuple[Tensor, int]:
    """Rows of unit length, and how many had another length. A row that is zero or not finite becomes NaN."""
    parts: list[Tensor] = []
    num_rescaled = 0
    for start in range(0, len(vectors_NTD), _BLOCK_CLIPS):
        block = torch.from_numpy(vectors_NTD[start : start + _BLOCK_CLIPS].astype(np.float64))
        is_unit = (torch.linalg.vector_norm(block, dim=-1, keepdim=True) - 1).abs() <= _LEFT_ALONE
        # Divide by the largest entry first: squares of huge numbers overflow, squares of tiny ones vanish.
        unit = unit_rows(block / block.abs().amax(dim=-1, keepdim=True))
        num_rescaled += int((~is_unit & unit.isfinite().all(dim=-1, keepdim=True)).sum())
        parts.append(torch.where(is_unit, block.float(), unit))
    return torch.cat(parts), num_rescaled


def _fingerprint_of_vectors(*parts: Tensor) -> str:
    digest = hashlib.sha256()
    for vectors in parts:
        digest.update(f"{tuple(vectors.shape)}\n".encode())
        for clip_TD in vectors.numpy():
            digest.update(clip_TD.tobytes())
    return digest.hexdigest()


def _text(path: Path, content: FileContent, name: str) -> str | None:
    value = content.facts.get(name)
    if value is not None and not (isinstance(value, str) and value):
        raise DatasetError(f"{path}: {name} must be one text, got {value!r:.80}.")
    return value


def _made_with(path: Path, content: FileContent, num_frames: int) -> dict[str, Any]:
    """Settings and name that the file gives; the file name where another encoder gave no name."""
    text, name = _text(path, content, "made_with"), _text(path, content, "name")
    try:
        made_with = parse_json(text or "{}", parse_constant=_refuse_constant)
    except ValueError as error:
        raise DatasetError(f"{path}: made_with must be the text of a JSON object: {error}.") from error
    if not isinstance(made_with, dict):
        raise DatasetError(f"{path}: made_with must be the text of a JSON object, got {text!r:.80}.")
    if name is not None or text is None:
        made_with["name"] = name or path.stem
    times = content.facts.get("frame_seconds")
    if times is not None:
        made_with["frame_seconds"] = _times(path, times, num_frames)
    return made_with


def _refuse_constant(word: str) -> float:
    raise ValueError(f"{word} is not a number in JSON")


def _times(path: Path, times: Any, num_frames: int) -> list[float]:
    found = np.asarray(times)
    is_number = found.dtype.kind in "fiu"
    if (
        not is_number
        or found.shape != (num_frames,)
        or not np.isfinite(found).all()
        or (np.diff(found) < 0).any()
    ):
        raise DatasetError(
            f"{path}: frame_seconds must be the times of the {num_frames} frames of a clip, in order, the "
            f"same for all clips; got {times!s:.80}."
        )
    return found.astype(np.float64).tolist()
