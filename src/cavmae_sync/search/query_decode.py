"""Media of a query, decoded and prepared: what the model takes, before it computes.

Decoding needs no model, so that files of strangers can be decoded in another process, with limits.

P frames, K frames of a moment, S samples.
"""

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Literal

import numpy as np
from numpy.typing import NDArray

from cavmae_sync.embedding.encoders import Preparation
from cavmae_sync.embedding.library import LibraryConfig
from cavmae_sync.errors import ClipTooShortError, ConfigError, MediaError
from cavmae_sync.media import probe, read_audio
from cavmae_sync.media.read import iterate_clips, read_frame
from cavmae_sync.search.query import NUM_PHASES, Box, Span
from cavmae_sync.untrusted import decode_image

#: Formats of pictures that are read.
PICTURE_FORMATS: Final = ("JPEG", "PNG", "WEBP", "BMP", "GIF", "TIFF")
#: Shortest sound that has a spectrogram.
LEAST_SECONDS: Final = 0.025
_MOST_SECONDS: Final = 3600.0

MediaKind = Literal["sound", "picture", "video"]


@dataclass(frozen=True, kw_only=True, slots=True)
class Stills:
    """Frames at equal fine steps, prepared.

    Attributes:
        frames_PHWC: uint8, of the size that the encoder takes.
        fine_seconds: Time from one to the next.
        frames_per_moment: K.
    """

    frames_PHWC: NDArray[np.uint8]
    fine_seconds: float
    frames_per_moment: int


@dataclass(frozen=True, kw_only=True, slots=True)
class DecodedQuery:
    """Sound and frames of a query.

    Attributes:
        about: What it is, for people.
        name: Name of the file.
        seconds: Length; 0 for a picture.
        sound_S: float32 at the rate of the encoder; None where there is none.
        stills: Frames; None where there are none.
    """

    about: str
    name: str
    seconds: float
    sound_S: NDArray[np.float32] | None = None
    stills: Stills | None = None


def decode_query(
    preparation: Preparation,
    config: LibraryConfig,
    path: str | os.PathLike[str],
    kind: MediaKind,
    *,
    span: Span | None = None,
    box: Box | None = None,
) -> DecodedQuery:
    """Media of a query from a file.

    Args:
        preparation: What the encoder does to frames and sounds.
        config: The library's configuration.
        path: The file.
        kind: What to take of it.
        span: Part of it; None takes all.
        box: Part of its picture; None takes all.

    Raises:
        MediaError: The file cannot be read as that, or the span is outside of it.
        ConfigError: It is too long.
    """
    span = span or Span()
    if kind == "picture":
        return _picture(preparation, Path(path), box)
    if kind == "sound" or probe(path).video is None:
        return _sound(preparation, config, path, span)
    return _video(preparation, config, path, span, box)


def decode_frame(preparation: Preparation, path: Path, seconds: float, box: Box | None) -> DecodedQuery:
    """Picture of a query: the frame of a video at a time, or a part of it.

    Raises:
        MediaError: The file has no picture there, or cannot be read.
    """
    frame_HWC = read_frame(path, seconds)
    if box is not None:
        frame_HWC = box.cut(frame_HWC[None])[0]
    return _of_picture(preparation, frame_HWC, name=path.name, about=f"frame of {path.name}")


def _picture(preparation: Preparation, path: Path, box: Box | None) -> DecodedQuery:
    if not path.is_file():
        raise MediaError(f"{path} is not there, or is no file. Give a JPEG or PNG.")
    try:
        image = decode_image(path, formats=PICTURE_FORMATS).convert("RGB")
    except (ValueError, OSError) as error:
        raise MediaError(f"{path} is no picture that can be read: {error}. Give a JPEG or PNG.") from error
    frame_HWC = np.asarray(image)
    if box is not None:
        frame_HWC = box.cut(frame_HWC[None])[0]
    return _of_picture(preparation, frame_HWC, name=path.name, about=f"picture {path.name}")


def _of_picture(
    preparation: Preparation, frame_HWC: NDArray[np.uint8], *, name: str, about: str
) -> DecodedQuery:
    stills = Stills(frames_PHWC=preparation.frame(frame_HWC)[None], fine_seconds=1.0, frames_per_moment=1)
    return DecodedQuery(about=about, name=name, seconds=0.0, stills=stills)


def _sound(
    preparation: Preparation, config: LibraryConfig, path: str | os.PathLike[str], span: Span
) -> DecodedQuery:
    rate = preparation.sample_rate_hz
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
    if seconds < LEAST_SECONDS:
        raise MediaError(
            f"{path} has {seconds:.3f} s of sound there; {LEAST_SECONDS} s are needed. Take a longer span."
        )
    name = Path(path).name
    return DecodedQuery(about=f"sound of {name}", name=name, seconds=seconds, sound_S=sound_S)


def _video(
    preparation: Preparation,
    config: LibraryConfig,
    path: str | os.PathLike[str],
    span: Span,
    box: Box | None,
) -> DecodedQuery:
    stills, start, seconds = _stills(preparation, config, path, span, box)
    has_sound = bool(probe(path).audio)
    sound_S = _track(preparation, config, path, start=start, seconds=seconds) if has_sound else None
    name = Path(path).name
    return DecodedQuery(about=f"video {name}", name=name, seconds=seconds, sound_S=sound_S, stills=stills)


def _stills(
    preparation: Preparation,
    config: LibraryConfig,
    path: str | os.PathLike[str],
    span: Span,
    box: Box | None,
) -> tuple[Stills, float, float]:
    """Frames of a span, for all phases, decoded in one pass; its start and length."""
    stop = _MOST_SECONDS + span.start_seconds + 1 if span.stop_seconds is None else span.stop_seconds
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
    stills = Stills(
        frames_PHWC=np.stack(kept),
        fine_seconds=config.clip_seconds / per_clip,
        frames_per_moment=per_moment,
    )
    return stills, start, end - start


def _track(
    preparation: Preparation,
    config: LibraryConfig,
    path: str | os.PathLike[str],
    *,
    start: float,
    seconds: float,
) -> NDArray[np.float32]:
    """Sound of a span; where the track has ended there is silence, as in the library."""
    rate = preparation.sample_rate_hz
    try:
        sound_S = read_audio(
            path,
            start_seconds=start,
            duration_seconds=seconds,
            channel=config.channel,
            sample_rate_hz=rate,
        )
    except ClipTooShortError:  # it ended before the span
        sound_S = np.zeros(0, np.float32)
    return np.pad(sound_S, (0, max(round(seconds * rate) - len(sound_S), 0)))


def _check_length(path: str | os.PathLike[str], seconds: float) -> None:
    if seconds > _MOST_SECONDS:
        raise ConfigError(
            f"{path} is longer than {_MOST_SECONDS / 60:.0f} minutes. Search by a part of it: "
            f"{Path(path).name}@START-STOP."
        )
