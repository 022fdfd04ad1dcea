"""Libraries of made-up vectors: their parts and catalogue are real, no model is needed."""

import hashlib
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from cavmae_sync.embedding.encoders import EncoderRecord
from cavmae_sync.embedding.library import Catalogue, FileRow, Library, LibraryConfig, Root, open_library
from cavmae_sync.embedding.library.parts import count_part
from cavmae_sync.embedding.library.record import LibraryRecord, claim_library
from cavmae_sync.embedding.library.schema import (
    Sense,
    clip_id,
    part_path,
    part_schema,
    rows_batch,
    write_part,
)

Rows = NDArray[np.float32]

#: Four moments a clip, one each half second.
CONFIG = LibraryConfig(clip_seconds=2.0, num_frames=4, sampling="uniform_center", store="float32")


def unit(rows: NDArray[np.floating]) -> Rows:
    return (rows / np.linalg.norm(rows, axis=-1, keepdims=True)).astype(np.float32)


def wander(length: int, width: int, *, seed: int, pace: float = 0.6) -> Rows:
    """Rows that change slowly, like those of a film."""
    generator = np.random.default_rng(seed)
    steps = generator.normal(size=(length, width)) * pace
    return unit(np.cumsum(steps, axis=0) + generator.normal(size=width) * 2)


def content_of(name: str) -> str:
    return hashlib.sha256(name.encode()).hexdigest()


def make_library(
    folder: Path,
    contents: Mapping[str, tuple[Rows | None, Rows | None]],
    *,
    config: LibraryConfig = CONFIG,
    copies: Mapping[str, str] | None = None,
    silent: Mapping[str, set[int]] | None = None,
) -> Library:
    """A library with the sound and picture of each content; names are paths below the root "footage".

    Args:
        folder: Where.
        contents: Rows of sound and picture by path.
        config: How they were cut.
        copies: Further paths, with the path whose content they have.
        silent: Numbers of silent clips by path.
    """
    width = next(len(rows[0]) for pair in contents.values() for rows in pair if rows is not None)
    record = LibraryRecord(
        program="test",
        encoder=EncoderRecord(kind="made up", width=width, weights="none", made_with={}),
        spaces={"audio": "one", "visual": "one"},
        config=config,
    )
    claim_library(folder, record)
    root = folder.parent / "footage"
    root.mkdir(exist_ok=True)
    files, known = [], []
    for number, (name, (audio, visual)) in enumerate(contents.items()):
        content = content_of(name)
        known.append(_write(folder, content, audio, visual, record, (silent or {}).get(name, set())))
        files.append(_file(name, content, number))
    files += [_file(copy, content_of(name), -1) for copy, name in (copies or {}).items()]
    with Catalogue(folder, is_writable=True) as catalogue:
        catalogue.put_root(Root(name="footage", path=root, is_listed=False))
        catalogue.put_files(files, known)
    return open_library(folder)


def _file(name: str, content: str, number: int) -> FileRow:
    return FileRow(
        root="footage", path=name, num_bytes=1, changed_ns=(number + 1) * 10**9, content=content, state="ok"
    )


def _write(folder, content, audio, visual, record, silent):
    config = record.config
    length = len(audio if audio is not None else visual)
    step = config.step_seconds
    first = step / 2 if config.rule == "uniform_center" else 0.0
    facts = []
    for clip, start in enumerate(range(0, length, config.num_frames)):
        count = min(config.num_frames, length - start)
        begin = clip * config.clip_seconds
        facts.append(
            {
                "id": clip_id(content, begin),
                "start_seconds": begin,
                "stop_seconds": begin + count * step,
                "frame_seconds": [first + step * place for place in range(count)],
                "is_silent": None if audio is None else clip in silent,
                "is_still": None if visual is None else False,
                "is_short": count < config.num_frames,
            }
        )
    vectors: dict[Sense, torch.Tensor | None] = {
        "audio": None if audio is None else torch.from_numpy(audio),
        "visual": None if visual is None else torch.from_numpy(visual),
    }
    width = record.encoder.width
    batch = rows_batch(facts, vectors, width=width, config=config)
    path = part_path(folder, content)
    about = {"content": content, "made_by": record.fingerprint}
    write_part(path, [batch], schema=part_schema(width=width, config=config), about=about)
    return count_part(content, iter([batch]), num_bytes=path.stat().st_size)
