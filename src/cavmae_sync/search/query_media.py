"""Queries from media: a sound, a picture, a video, or a part of one.

N moments of a query, K frames of a moment, D width.
"""

import math
import os
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

import numpy as np
import torch
from numpy.typing import NDArray

from cavmae_sync.embedding import Embedder
from cavmae_sync.embedding.encoders import ClipEncoder, Sound, as_encoder
from cavmae_sync.embedding.library import LibraryConfig
from cavmae_sync.embedding.library.schema import Sense
from cavmae_sync.errors import ClipTooShortError, ConfigError, MediaError
from cavmae_sync.media import probe, read_audio
from cavmae_sync.media.loudness import SILENT_BELOW_DBFS, loudness_dbfs
from cavmae_sync.media.read import iterate_clips
from cavmae_sync.search.query import NUM_PHASES, Box, Query, Span
from cavmae_sync.untrusted import decode_image

#: Formats of pictures that are read.
PICTURE_FORMATS: Final = ("JPEG", "PNG", "WEBP", "BMP", "GIF", "TIFF")
#: Shortest sound that has a spectrogram.
_LEAST_SECONDS: Final = 0.025
_MOST_SECONDS: Final = 3600.0


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
    encoder, span = as_encoder(encoder), span or Span()
    rate = encoder.preparation.sample_rate_hz
    length = None if span.stop_seconds is None else span.stop_seconds - span.start_seconds
    sound_S = read_audio(
        path,
        start_seconds=span.start_seconds,
        duration_seconds=length,
        channel=config.channel,
        sample_rate_hz=rate,
    )
    seconds = len(sound_S) / rate
    _check_length(path, seconds)
    if seconds < _LEAST_SECONDS:
        raise MediaError(
            f"{path} has {seconds:.3f} s of sound there; {_LEAST_SECONDS} s are needed. Take a longer span."
        )
    phases = [
        Query(
            rows={"audio": rows_ND},
            step_seconds=config.step_seconds,
            first_seconds=first,
            duration_seconds=seconds,
            about=f"sound of {Path(path).name}",
        )
        for first in _phases(config, seconds)
        if ((rows_ND := _sound_rows(encoder, config, sound_S, first=first)) != 0).any()
    ]
    if not phases:
        raise MediaError(
            f"{path} is silent there (below {SILENT_BELOW_DBFS:.0f} dBFS). Take a span with sound, or search "
            "by a picture."
        )
    return replace(phases[0], later=tuple(phases[1:]))


def picture_query(
    encoder: Embedder | ClipEncoder,
    path: str | os.PathLike[str],
    *,
    step_seconds: float,
    box: Box | None = None,
) -> Query:
    """Query by a picture.

    Args:
        encoder: That which the library was made by.
        path: Image file.
        step_seconds: Step of the library.
        box: Part of the picture; None takes all.

    Raises:
        MediaError: The file is no picture that can be read.
    """
    if not Path(path).is_file():
        raise MediaError(f"{path} is not there, or is no file. Give a JPEG or PNG.")
    try:
        image = decode_image(Path(path), formats=PICTURE_FORMATS).convert("RGB")
    except (ValueError, OSError) as error:
        raise MediaError(f"{path} is no picture that can be read: {error}. Give a JPEG or PNG.") from error
    encoder, frame_HWC = as_encoder(encoder), np.asarray(image)
    if box is not None:
        frame_HWC = box.cut(frame_HWC[None])[0]
    return Query(
        rows={"visual": _frame_rows(encoder, [encoder.preparation.frame(frame_HWC)[None]])},
        step_seconds=step_seconds,
        first_seconds=0.0,
        duration_seconds=0.0,
        about=f"picture {Path(path).name}",
    )


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
    encoder, span = as_encoder(encoder), span or Span()
    info = probe(path)
    if info.video is None:
        return sound_query(encoder, config, path, span=span)
    stills = _stills(encoder, config, path, span, box=box)
    sound_S = _track(encoder, config, path, stills) if info.audio else None
    phases: list[Query] = []
    for first in _phases(config, stills.seconds):
        moments = stills.moments(config, first)
        rows: dict[Sense, NDArray[np.float32]] = {"visual": _frame_rows(encoder, moments)}
        if sound_S is not None:
            audio_ND = _sound_rows(encoder, config, sound_S, first=first)
            if len(audio_ND) == len(moments) and (audio_ND != 0).any():
                rows["audio"] = audio_ND
        phases.append(
            Query(
                rows=rows,
                step_seconds=config.step_seconds,
                first_seconds=first,
                duration_seconds=stills.seconds,
                about=f"video {Path(path).name}",
            )
        )
    alike = [phase for phase in phases[1:] if phase.senses == phases[0].senses]
    return replace(phases[0], later=tuple(alike))


@dataclass(frozen=True, kw_only=True, slots=True)
class _Stills:
    """Prepared frames of a span at equal fine steps."""

    frames_PHWC: NDArray[np.uint8]
    fine_seconds: float
    frames_per_moment: int
    start: float
    seconds: float

    def moments(self, config: LibraryConfig, first: float) -> list[NDArray[np.uint8]]:
        """Frames [K, H, W, C] of the moments from a time on."""
        window, count = config.window_seconds, self.frames_per_moment
        inside = (np.arange(count) + 0.5) * window / count - window / 2
        found = []
        for moment in range(_num_moments(config, self.seconds, first)):
            times = first + moment * config.step_seconds + inside
            numbers = np.rint(times / self.fine_seconds).astype(np.int64)
            found.append(self.frames_PHWC[np.unique(np.clip(numbers, 0, len(self.frames_PHWC) - 1))])
        return found


def _stills(
    encoder: ClipEncoder,
    config: LibraryConfig,
    path: str | os.PathLike[str],
    span: Span,
    *,
    box: Box | None,
) -> _Stills:
    """Frames of a span, for all phases, decoded in one pass."""
    stop = _MOST_SECONDS + span.start_seconds + 1 if span.stop_seconds is None else span.stop_seconds
    preparation = encoder.preparation
    per_moment = preparation.frames_per_moment(config.window_seconds)
    per_clip = config.num_frames * NUM_PHASES * per_moment

    def prepared(frame_HWC: NDArray[np.uint8]) -> NDArray[np.uint8]:
        return preparation.frame(frame_HWC if box is None else box.cut(frame_HWC[None])[0])

    kept: list[NDArray[np.uint8]] = []
    start, end = None, span.start_seconds
    for clip in iterate_clips(
        path,
        clip_seconds=config.clip_seconds,
        num_frames=per_clip,
        sampling="uniform_start",
        min_seconds=0.05,
        with_sound=False,
        keeps_step=True,
        start_seconds=span.start_seconds,
        transform_frame=prepared,
    ):
        start = clip.start_seconds if start is None else start
        end = min(clip.start_seconds + clip.duration_seconds, stop)
        _check_length(path, end - start)
        for frame_HWC, seconds in zip(clip.frames_THWC, clip.frame_seconds_T, strict=True):
            if clip.start_seconds + float(seconds) < stop or not kept:
                kept.append(frame_HWC)
        if end >= stop:
            break
    assert start is not None
    return _Stills(
        frames_PHWC=np.stack(kept),
        fine_seconds=config.clip_seconds / per_clip,
        frames_per_moment=per_moment,
        start=start,
        seconds=end - start,
    )


def _track(
    encoder: ClipEncoder, config: LibraryConfig, path: str | os.PathLike[str], stills: _Stills
) -> NDArray[np.float32]:
    """Sound of a span; where the track has ended there is silence, as in the library."""
    rate = encoder.preparation.sample_rate_hz
    try:
        sound_S = read_audio(
            path,
            start_seconds=stills.start,
            duration_seconds=stills.seconds,
            channel=config.channel,
            sample_rate_hz=rate,
        )
    except ClipTooShortError:  # it ended before the span
        sound_S = np.zeros(0, np.float32)
    return np.pad(sound_S, (0, max(round(stills.seconds * rate) - len(sound_S), 0)))


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
        if len(clip_S) < _LEAST_SECONDS * rate:
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


def _check_length(path: str | os.PathLike[str], seconds: float) -> None:
    if seconds > _MOST_SECONDS:
        raise ConfigError(
            f"{path} is longer than {_MOST_SECONDS / 60:.0f} minutes. Search by a part of it: "
            f"{Path(path).name}@START-STOP."
        )
