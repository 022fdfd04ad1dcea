"""Queries: a sound, a picture, a video or a moment of one, as vectors at the steps of a library.

N moments of a query, D width.
"""

import math
import os
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final, Self

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from cavmae_sync.embedding import Embedder
from cavmae_sync.embedding.library import LibraryConfig
from cavmae_sync.embedding.library.schema import Sense
from cavmae_sync.embedding.rows import finite
from cavmae_sync.embedding.video import alignment_of
from cavmae_sync.errors import ClipTooShortError, ConfigError, MediaError
from cavmae_sync.inputs import cut_segments, log_mel, normalize_frames, resize_and_crop
from cavmae_sync.media import probe, read_audio
from cavmae_sync.media.loudness import SILENT_BELOW_DBFS, loudness_dbfs
from cavmae_sync.media.read import iterate_clips
from cavmae_sync.paper import SAMPLE_RATE_HZ
from cavmae_sync.untrusted import decode_image

#: Formats of pictures that are read.
PICTURE_FORMATS: Final = ("JPEG", "PNG", "WEBP", "BMP", "GIF", "TIFF")
#: Phases at which the moments of a query are taken: steps of a library are long, and sounds short.
NUM_PHASES: Final = 4
#: Shortest sound that has a spectrogram.
_LEAST_SAMPLES: Final = 400
_SPAN: Final = re.compile(r"(?P<path>.+)@(?P<start>[0-9.:]+)-(?P<stop>[0-9.:]+)$", re.DOTALL)
_MOST_SECONDS: Final = 3600.0


@dataclass(frozen=True, kw_only=True, slots=True)
class Span:
    """A part of a file, in seconds from its beginning; a stop of None is its end."""

    start_seconds: float = 0.0
    stop_seconds: float | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class Box:
    """A part of a picture, in fractions of its width and height from the upper left corner."""

    left: float
    top: float
    width: float
    height: float

    def __post_init__(self) -> None:
        is_inside = self.left >= 0 and self.top >= 0 and self.left + self.width <= 1 + 1e-9
        is_inside &= self.top + self.height <= 1 + 1e-9
        if not (is_inside and self.width > 0 and self.height > 0):
            raise ConfigError(
                f"The box {self.left:g},{self.top:g},{self.width:g},{self.height:g} must be "
                "left,top,width,height in fractions of the picture: 0.5,0,0.5,1 is its right half."
            )

    @classmethod
    def parse(cls, text: str) -> Self:
        """The box of `left,top,width,height`.

        Raises:
            ConfigError: It is none, or not inside of the picture.
        """
        try:
            left, top, width, height = map(float, text.split(","))
        except ValueError as error:
            raise ConfigError(f"The box {text!r:.80} must be left,top,width,height: 0.5,0,0.5,1.") from error
        return cls(left=left, top=top, width=width, height=height)

    def cut(self, frames_THWC: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """The part of frames, at least one pixel."""
        height, width = frames_THWC.shape[1:3]
        top, left = int(self.top * height), int(self.left * width)
        bottom = max(round((self.top + self.height) * height), top + 1)
        right = max(round((self.left + self.width) * width), left + 1)
        return frames_THWC[:, top:bottom, left:right]


@dataclass(frozen=True, kw_only=True, slots=True)
class Query:
    """Vectors that are looked for.

    Attributes:
        rows: For each sense that the query has float32 [N, D], unit rows; a row that is absent is zero.
        step_seconds: Time from one row to the next.
        first_seconds: Time of the first row, from the beginning of the query.
        duration_seconds: Length of the query; 0 for a picture.
        about: What it is, for people.
        later: The same query with its moments a part of a step later, as queries of their own. Moments of a
            library lie on a grid, and those of a query need not meet it: one of its phases nearly does.
    """

    rows: dict[Sense, NDArray[np.float32]]
    step_seconds: float
    first_seconds: float
    duration_seconds: float
    about: str
    later: tuple["Query", ...] = ()

    def __post_init__(self) -> None:
        if not self.rows or len({len(rows) for rows in self.rows.values()}) != 1:
            raise ValueError("a query needs rows of a sense, and as many of both")

    def __len__(self) -> int:
        """Number of rows of each sense."""
        return len(next(iter(self.rows.values())))

    @property
    def senses(self) -> tuple[Sense, ...]:
        """Senses that it has."""
        return tuple(self.rows)

    @property
    def phases(self) -> "tuple[Query, ...]":
        """Itself, and the later ones."""
        return (self, *self.later)


def parse_span(text: str) -> tuple[Path, Span]:
    """Path and span of `FILE` or `FILE@START-STOP`; times are seconds or H:MM:SS.

    >>> parse_span("a.mp4@1:02.5-1:10")
    (PosixPath('a.mp4'), Span(start_seconds=62.5, stop_seconds=70.0))
    >>> parse_span("a@b.mp4")[1]
    Span(start_seconds=0.0, stop_seconds=None)

    Raises:
        ConfigError: The span ends before it begins, or a time is none.
    """
    found = _SPAN.match(text)
    if found is None or Path(text).exists():
        return Path(text), Span()
    start, stop = (_seconds(found[name], text) for name in ("start", "stop"))
    if not stop > start:
        raise ConfigError(f"{text}: the span ends before it begins. Write FILE@START-STOP, in seconds.")
    return Path(found["path"]), Span(start_seconds=start, stop_seconds=stop)


def sound_query(
    embedder: Embedder, config: LibraryConfig, path: str | os.PathLike[str], *, span: Span | None = None
) -> Query:
    """Query by the sound of a file of any length.

    Args:
        embedder: The model of the library.
        config: The library's configuration.
        path: Sound or video file.
        span: Part of it; None takes all.

    Raises:
        MediaError: The file has no sound there, or silence alone.
    """
    span = span or Span()
    length = None if span.stop_seconds is None else span.stop_seconds - span.start_seconds
    sound_S = read_audio(
        path, start_seconds=span.start_seconds, duration_seconds=length, channel=config.channel
    )
    seconds = len(sound_S) / SAMPLE_RATE_HZ
    _check_length(path, seconds)
    if len(sound_S) < _LEAST_SAMPLES:
        raise MediaError(
            f"{path} has {seconds:.3f} s of sound there; 0.025 s are needed. Take a longer span."
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
        if ((rows_ND := _sound_rows(embedder, config, sound_S, first=first)) != 0).any()
    ]
    if not phases:
        raise MediaError(
            f"{path} is silent there (below {SILENT_BELOW_DBFS:.0f} dBFS). Take a span with sound, or search "
            "by a picture."
        )
    return replace(phases[0], later=tuple(phases[1:]))


def picture_query(
    embedder: Embedder, path: str | os.PathLike[str], *, step_seconds: float, box: Box | None = None
) -> Query:
    """Query by a picture.

    Args:
        embedder: The model of the library.
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
    frames_THWC = np.asarray(image)[None]
    rows_ND = _frame_rows(embedder, frames_THWC if box is None else box.cut(frames_THWC))
    return Query(
        rows={"visual": rows_ND},
        step_seconds=step_seconds,
        first_seconds=0.0,
        duration_seconds=0.0,
        about=f"picture {Path(path).name}",
    )


def video_query(
    embedder: Embedder,
    config: LibraryConfig,
    path: str | os.PathLike[str],
    *,
    span: Span | None = None,
    box: Box | None = None,
) -> Query:
    """Query by sound and picture of a video; by one of them where it has no more.

    Args:
        embedder: The model of the library.
        config: The library's configuration.
        path: Video file.
        span: Part of it; None takes all.
        box: Part of its picture; None takes all.

    Raises:
        MediaError: The file cannot be read, or the span is outside of it.
    """
    span = span or Span()
    info = probe(path)
    if info.video is None:
        return sound_query(embedder, config, path, span=span)
    sound_S = None
    phases: list[Query] = []
    for clip in _stills(path, config, span, box=box):
        if info.audio and sound_S is None:
            sound_S = _track(path, clip.start, clip.seconds, config)
        rows: dict[Sense, NDArray[np.float32]] = {"visual": _frame_rows(embedder, clip.frames_THWC)}
        if sound_S is not None and len(sound_S) >= _LEAST_SAMPLES:
            audio_ND = _sound_rows(embedder, config, sound_S, first=clip.first)
            if len(audio_ND) == len(clip.frames_THWC) and (audio_ND != 0).any():
                rows["audio"] = audio_ND
        phases.append(
            Query(
                rows=rows,
                step_seconds=config.step_seconds,
                first_seconds=clip.first,
                duration_seconds=clip.seconds,
                about=f"video {Path(path).name}",
            )
        )
    alike = [phase for phase in phases[1:] if phase.senses == phases[0].senses]
    return replace(phases[0], later=tuple(alike))


def _track(
    path: str | os.PathLike[str], start: float, seconds: float, config: LibraryConfig
) -> NDArray[np.float32]:
    """Sound of a span; where the track has ended there is silence, as in the library."""
    try:
        sound_S = read_audio(path, start_seconds=start, duration_seconds=seconds, channel=config.channel)
    except ClipTooShortError:  # it ended before the span
        sound_S = np.zeros(0, np.float32)
    return np.pad(sound_S, (0, max(round(seconds * SAMPLE_RATE_HZ) - len(sound_S), 0)))


@dataclass(frozen=True, kw_only=True, slots=True)
class _Stills:
    """Frames of a span at one phase."""

    frames_THWC: NDArray[np.uint8]
    first: float
    start: float
    seconds: float


def _stills(
    path: str | os.PathLike[str], config: LibraryConfig, span: Span, *, box: Box | None
) -> Iterator[_Stills]:
    """Frames of a span at the steps of a library, for each phase, decoded in one pass."""
    stop = _MOST_SECONDS + span.start_seconds + 1 if span.stop_seconds is None else span.stop_seconds
    fine = config.step_seconds / NUM_PHASES
    kept: list[NDArray[np.uint8]] = []
    times: list[float] = []
    start, end = None, span.start_seconds
    for clip in iterate_clips(
        path,
        clip_seconds=config.clip_seconds,
        num_frames=config.num_frames * NUM_PHASES,
        sampling="uniform_start",
        min_seconds=0.05,
        with_sound=False,
        keeps_step=True,
        start_seconds=span.start_seconds,
        transform_frame=None if box is None else lambda frame_HWC: box.cut(frame_HWC[None])[0],
    ):
        start = clip.start_seconds if start is None else start
        end = min(clip.start_seconds + clip.duration_seconds, stop)
        _check_length(path, end - start)
        for frame_HWC, seconds in zip(clip.frames_THWC, clip.frame_seconds_T, strict=True):
            at = clip.start_seconds + float(seconds)
            if at < stop or not kept:
                kept.append(frame_HWC)
                times.append(at - start)
        if end >= stop:
            break
    assert start is not None
    seconds = end - start
    for first in _phases(config, seconds):
        skipped = min(round(first / fine), len(kept) - 1)
        yield _Stills(
            frames_THWC=np.stack(kept[skipped::NUM_PHASES]), first=first, start=start, seconds=seconds
        )


def _sound_rows(
    embedder: Embedder, config: LibraryConfig, sound_S: NDArray[np.float32], *, first: float
) -> NDArray[np.float32]:
    """Rows of a sound at the steps of a library, from its first moment on; rows of silence are zero.

    Each row is that of a clip as long as the library's, as far as the sound reaches.
    """
    seconds = len(sound_S) / SAMPLE_RATE_HZ
    count = max(1, math.ceil((seconds - first) / config.step_seconds - 1e-6))
    per_clip = config.num_frames
    rows: list[NDArray[np.float32]] = []
    offset = _first_of_rule(config)
    for begin in range(0, count, per_clip):
        # A clip whose moments lie in it as those of the library lie in theirs.
        at = max(first + begin * config.step_seconds - offset, 0.0)
        clip_S = sound_S[round(at * SAMPLE_RATE_HZ) : round((at + config.clip_seconds) * SAMPLE_RATE_HZ)]
        times = first - at + config.step_seconds * np.arange(begin, min(begin + per_clip, count))
        if len(clip_S) < _LEAST_SAMPLES:
            break
        segments_PLM = cut_segments(
            log_mel(clip_S),
            frame_seconds=times,
            config=alignment_of(len(clip_S) / SAMPLE_RATE_HZ, embedder.model.config.inputs),
        )
        audio_TD = finite(embedder.embed_segments(segments_PLM), precision=embedder.precision).numpy()
        is_silent = loudness_dbfs(clip_S) < config.silent_below_dbfs
        rows.append(np.zeros_like(audio_TD) if is_silent else audio_TD)
    return np.concatenate(rows)


def _frame_rows(embedder: Embedder, frames_THWC: NDArray[np.uint8]) -> NDArray[np.float32]:
    pixels = embedder.model.config.inputs.frame_pixels
    small: Tensor = torch.cat([resize_and_crop(frame_HWC[None], pixels=pixels) for frame_HWC in frames_THWC])
    frames_PCHW = normalize_frames(small.to(embedder.device))
    return finite(embedder.embed_frames(frames_PCHW).visual_PD, precision=embedder.precision).numpy()


def _first_of_rule(config: LibraryConfig) -> float:
    """Time of the first moment of a clip of the library."""
    return 0.0 if config.rule == "uniform_start" else config.step_seconds / 2


def _phases(config: LibraryConfig, seconds: float) -> list[float]:
    """Times of the first moment, one for each phase; in a query shorter than a step its middle alone."""
    step = config.step_seconds
    if seconds <= step:
        return [seconds / 2]
    fine = step / NUM_PHASES
    first = [phase * fine for phase in range(NUM_PHASES)]
    return [each for each in first if each < seconds]


def _check_length(path: str | os.PathLike[str], seconds: float) -> None:
    if seconds > _MOST_SECONDS:
        raise ConfigError(
            f"{path} is longer than {_MOST_SECONDS / 60:.0f} minutes. Search by a part of it: "
            f"{Path(path).name}@START-STOP."
        )


def _seconds(text: str, whole: str) -> float:
    parts: Sequence[str] = text.split(":")
    try:
        numbers = [float(part) for part in parts]
    except ValueError as error:
        raise ConfigError(f"{whole}: {text!r} is no time. Write seconds, or H:MM:SS.") from error
    return sum(number * 60.0**power for power, number in enumerate(reversed(numbers)))
