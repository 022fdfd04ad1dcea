"""Queries from media: a sound, a picture, a video, or a part of one.

    file --decode_query--> sound and frames --encode_query--> Query

N moments of a query, K frames of a moment, D width.
"""

import math
import os
from dataclasses import replace

import numpy as np
import torch
from numpy.typing import NDArray

from cavmae_sync.embedding import Embedder
from cavmae_sync.embedding.encoders import ClipEncoder, Sound, as_encoder
from cavmae_sync.embedding.library import LibraryConfig
from cavmae_sync.embedding.library.schema import Sense
from cavmae_sync.errors import MediaError
from cavmae_sync.media.loudness import SILENT_BELOW_DBFS, loudness_dbfs
from cavmae_sync.search.query import NUM_PHASES, Box, Query, Span
from cavmae_sync.search.query_decode import (
    LEAST_SECONDS,
    PICTURE_FORMATS,
    DecodedQuery,
    MediaKind,
    Stills,
    decode_query,
)

__all__ = ["PICTURE_FORMATS", "encode_query", "picture_query", "sound_query", "video_query"]


def sound_query(
    encoder: Embedder | ClipEncoder,
    config: LibraryConfig,
    path: str | os.PathLike[str],
    *,
    span: Span | None = None,
) -> Query:
    """Query by the sound of a file of any length.

    Args:
        encoder: That which the library was made by.
        config: The library's configuration.
        path: Sound or video file.
        span: Part of it; None takes all.

    Raises:
        MediaError: The file has no sound there, or silence alone.
    """
    return _query(encoder, config, path, "sound", span=span)


def picture_query(
    encoder: Embedder | ClipEncoder,
    config: LibraryConfig,
    path: str | os.PathLike[str],
    *,
    box: Box | None = None,
) -> Query:
    """Query by a picture.

    Args:
        encoder: That which the library was made by.
        config: The library's configuration.
        path: Image file.
        box: Part of the picture; None takes all.

    Raises:
        MediaError: The file is no picture that can be read.
    """
    return _query(encoder, config, path, "picture", box=box)


def video_query(
    encoder: Embedder | ClipEncoder,
    config: LibraryConfig,
    path: str | os.PathLike[str],
    *,
    span: Span | None = None,
    box: Box | None = None,
) -> Query:
    """Query by sound and picture of a video; by one of them where it has no more.

    Args:
        encoder: That which the library was made by.
        config: The library's configuration.
        path: Video file.
        span: Part of it; None takes all.
        box: Part of its picture; None takes all.

    Raises:
        MediaError: The file cannot be read, or the span is outside of it.
    """
    return _query(encoder, config, path, "video", span=span, box=box)


def _query(
    encoder: Embedder | ClipEncoder,
    config: LibraryConfig,
    path: str | os.PathLike[str],
    kind: MediaKind,
    *,
    span: Span | None = None,
    box: Box | None = None,
) -> Query:
    encoder = as_encoder(encoder)
    return encode_query(
        encoder, config, decode_query(encoder.preparation, config, path, kind, span=span, box=box)
    )


def encode_query(encoder: ClipEncoder, config: LibraryConfig, decoded: DecodedQuery) -> Query:
    """Query from media that are decoded.

    Args:
        encoder: That which the library was made by.
        config: The library's configuration.
        decoded: Sound and frames.

    Raises:
        MediaError: There is silence alone.
    """
    if decoded.stills is None:
        return _of_sound(encoder, config, decoded)
    if decoded.seconds == 0:
        rows_ND = _frame_rows(encoder, [decoded.stills.frames_PHWC])
        return _made(config, decoded, {"visual": rows_ND}, first=0.0)
    phases: list[Query] = []
    for first in _phases(config, decoded.seconds):
        moments = _moments(decoded.stills, config, decoded.seconds, first)
        rows: dict[Sense, NDArray[np.float32]] = {"visual": _frame_rows(encoder, moments)}
        if decoded.sound_S is not None:
            audio_ND = _sound_rows(encoder, config, decoded.sound_S, first=first)
            if len(audio_ND) == len(moments) and (audio_ND != 0).any():
                rows["audio"] = audio_ND
        phases.append(_made(config, decoded, rows, first=first))
    alike = [phase for phase in phases[1:] if phase.senses == phases[0].senses]
    return replace(phases[0], later=tuple(alike))


def _of_sound(encoder: ClipEncoder, config: LibraryConfig, decoded: DecodedQuery) -> Query:
    assert decoded.sound_S is not None
    phases = [
        _made(config, decoded, {"audio": rows_ND}, first=first)
        for first in _phases(config, decoded.seconds)
        if ((rows_ND := _sound_rows(encoder, config, decoded.sound_S, first=first)) != 0).any()
    ]
    if not phases:
        raise MediaError(
            f"{decoded.name} is silent there (below {SILENT_BELOW_DBFS:.0f} dBFS). Take a span with sound, "
            "or search by a picture."
        )
    return replace(phases[0], later=tuple(phases[1:]))


def _made(
    config: LibraryConfig,
    decoded: DecodedQuery,
    rows: dict[Sense, NDArray[np.float32]],
    *,
    first: float,
) -> Query:
    return Query(
        rows=rows,
        step_seconds=config.step_seconds,
        first_seconds=first,
        duration_seconds=decoded.seconds,
        about=decoded.about,
    )


def _moments(stills: Stills, config: LibraryConfig, seconds: float, first: float) -> list[NDArray[np.uint8]]:
    """Frames [K, H, W, C] of the moments from a time on."""
    window, count = config.window_seconds, stills.frames_per_moment
    inside = (np.arange(count) + 0.5) * window / count - window / 2
    found = []
    for moment in range(_num_moments(config, seconds, first)):
        times = first + moment * config.step_seconds + inside
        numbers = np.rint(times / stills.fine_seconds).astype(np.int64)
        found.append(stills.frames_PHWC[np.unique(np.clip(numbers, 0, len(stills.frames_PHWC) - 1))])
    return found


def _sound_rows(
    encoder: ClipEncoder, config: LibraryConfig, sound_S: NDArray[np.float32], *, first: float
) -> NDArray[np.float32]:
    """Rows of a sound at the steps of a library, from its first moment on; rows of silence are zero.

    Each row is that of a clip as long as the library's, as far as the sound reaches.
    """
    rate, step = encoder.preparation.sample_rate_hz, config.step_seconds
    count = _num_moments(config, len(sound_S) / rate, first)
    sounds: list[Sound] = []
    is_silent: list[bool] = []
    # A clip whose moments lie in it as those of the library lie in theirs.
    lead = 0.0 if config.rule == "uniform_start" else config.window_seconds / 2
    for begin in range(0, count, config.num_frames):
        at = max(first + begin * step - lead, 0.0)
        clip_S = sound_S[round(at * rate) : round((at + config.clip_seconds) * rate)]
        if len(clip_S) < LEAST_SECONDS * rate:
            break
        times = first - at + step * np.arange(begin, min(begin + config.num_frames, count))
        sounds.append(
            Sound(
                values_NM=encoder.preparation.sound(clip_S),
                moment_seconds=times.tolist(),
                duration_seconds=len(clip_S) / rate,
                window_seconds=config.window_seconds,
            )
        )
        is_silent += [loudness_dbfs(clip_S) < config.silent_below_dbfs] * len(times)
    if not sounds:
        return np.zeros((0, 1), np.float32)
    rows_ND = encoder.encode_sounds(sounds).numpy().copy()
    rows_ND[is_silent] = 0
    return rows_ND


def _frame_rows(encoder: ClipEncoder, moments: list[NDArray[np.uint8]]) -> NDArray[np.float32]:
    frames_PHWC = torch.from_numpy(np.concatenate(moments))
    return encoder.encode_frames(frames_PHWC, [len(frames) for frames in moments]).numpy()


def _num_moments(config: LibraryConfig, seconds: float, first: float) -> int:
    return max(1, math.ceil((seconds - first) / config.step_seconds - 1e-6))


def _phases(config: LibraryConfig, seconds: float) -> list[float]:
    """Times of the first moment, one for each phase; in a query shorter than a step its middle alone."""
    step = config.step_seconds
    if seconds <= step:
        return [seconds / 2]
    first = [phase * step / NUM_PHASES for phase in range(NUM_PHASES)]
    return [each for each in first if each < seconds]
