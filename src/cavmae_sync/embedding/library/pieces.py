"""Pieces of the work on a file, of bounded size: a file to decoded clips, decoded clips to rows of vectors.

    LibraryUnit --decode_unit--> DecodedPiece, ... --encode_piece--> EncodedPiece, ... --PartsWriter--> part
    one file                     some clips                          their rows                         file

The pieces of a file depend on its content alone, and are never encoded together with those of another file.
Decoded in one place, encoded in another and put in order, they give the same bytes.

P frames of all clips of a piece, H W pixels, C colours, N rows of all prepared sounds, M values of each,
F moments of all clips, T moments per clip, D width.
"""

import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
import pyarrow as pa
import torch
from numpy.typing import NDArray
from torch import Tensor

from cavmae_sync.data import Rejected
from cavmae_sync.data.flags import is_silent, is_still
from cavmae_sync.data.preparing.videos import content_hash_of
from cavmae_sync.embedding.encoders import ClipEncoder, Preparation, Sound
from cavmae_sync.embedding.library.config import STEADY_RULES, LibraryConfig
from cavmae_sync.embedding.library.schema import clip_id, part_path, rows_batch
from cavmae_sync.errors import MediaError, NoVideoStreamError, UnreadableFileError
from cavmae_sync.media import Clip, iterate_clips, passed_over, probe
from cavmae_sync.media.sampling import times_at_step
from cavmae_sync.media.sounds import SoundClip, iterate_sounds

#: Reason of a file that was written to while it was read. It is read again by the next run.
CHANGING: Final = "changing"


@dataclass(frozen=True, kw_only=True, slots=True)
class LibraryUnit:
    """A file to read; a value that can be sent to another process.

    Attributes:
        index: Number of the file in this run.
        root: Folder that its path is relative to.
        path: Path below the root.
        out: Folder of the library.
        config: Clips to cut, and how their vectors are stored.
        preparation: Work on frames and sounds before they are sent to the encoder.
    """

    index: int
    root: Path
    path: str
    out: Path
    config: LibraryConfig
    preparation: Preparation

    @property
    def num_files(self) -> int:
        """One."""
        return 1

    @property
    def first_file(self) -> str:
        """Its path, for messages."""
        return self.path

    def is_done(self) -> bool:
        """Whether a process that died cannot have been reading it. Not known here."""
        return False


@dataclass(frozen=True, kw_only=True, slots=True)
class PieceHead:
    """Head of a piece, decoded or encoded.

    Attributes:
        unit_index: Number of their file.
        number: Number of the piece, from 0.
        is_last: Whether it is the last piece of the file.
        content: SHA-256 of the file; empty where it could not be read.
        is_known: Whether the library has a part of this content already. Such a piece has no clips.
        num_bytes: Size of the file when it was read, None where that is not known.
        changed_ns: Time of its last change then.
        fraction: How much of the file has been read, in [0, 1].
        rejected: Why the file cannot be used; only in the last piece. Its clips are dropped then.
        notes: Streams that were passed over, in words.
    """

    unit_index: int
    number: int
    is_last: bool
    content: str
    is_known: bool = False
    num_bytes: int | None = None
    changed_ns: int | None = None
    fraction: float = 1.0
    rejected: Rejected | None = None
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True, slots=True)
class DecodedPiece:
    """Consecutive decoded clips of a file, with frames and sounds as the encoder takes them.

    uint8 frames and whole spectrograms are much smaller than what a model takes, and travel faster.

    Attributes:
        head: Which piece it is.
        facts: For each clip the columns that are not vectors, and its length as `duration_seconds`.
        sound_lengths: Rows of each clip's prepared sound.
        frames_PHWC: uint8, the frames of the first clip, then of the second; None without a picture.
        frame_counts: Frames of each moment.
        sound_NM: float32, the prepared sound of the first clip, then of the second; None without sound.
    """

    head: PieceHead
    facts: tuple[dict[str, Any], ...] = ()
    sound_lengths: tuple[int, ...] = ()
    frames_PHWC: Tensor | None = None
    frame_counts: tuple[int, ...] = ()
    sound_NM: Tensor | None = None

    def __post_init__(self) -> None:
        if self.sound_NM is not None and len(self.sound_NM) != sum(self.sound_lengths):
            raise ValueError(
                f"sounds of {self.sound_lengths} rows do not fit sound_NM {tuple(self.sound_NM.shape)}"
            )
        num_times = sum(len(facts["frame_seconds"]) for facts in self.facts)
        if self.frames_PHWC is None:
            return
        if len(self.frames_PHWC) != sum(self.frame_counts) or len(self.frame_counts) != num_times:
            raise ValueError(
                f"{len(self.facts)} clips with {num_times} times and {self.frame_counts} frames do not fit "
                f"frames_PHWC {tuple(self.frames_PHWC.shape)}"
            )


@dataclass(frozen=True, kw_only=True, slots=True)
class EncodedPiece:
    """A piece with its clips as rows of a part."""

    head: PieceHead
    rows: pa.RecordBatch


@dataclass(frozen=True, kw_only=True, slots=True)
class _SizedClip:
    """A decoded clip with frames and sound as the encoder takes them."""

    facts: dict[str, Any]
    frames_THWC: Tensor | None
    frame_counts: tuple[int, ...]
    sound_NM: Tensor | None


def decode_unit(unit: LibraryUnit) -> Iterator[DecodedPiece]:
    """Pieces of a file, decoded in one pass. One piece is in memory, however long the file is.

    A file with one sense alone has that sense. Bad media is tolerated here and nowhere later.

    Yields:
        At least one piece; the last one is marked, and may have no clips.
    """
    path = unit.root / unit.path
    before = _stat(path)
    content, number = "", 0
    known = {"num_bytes": before and before[0], "changed_ns": before and before[1]}

    def head(**more: Any) -> PieceHead:
        return PieceHead(unit_index=unit.index, number=number, content=content, **known, **more)

    try:
        content = _content_of(path)
        if part_path(unit.out, content).is_file():
            yield DecodedPiece(head=head(is_last=True, is_known=True))
            return
        info = probe(path)
        notes = passed_over(path)
        clips_per_piece = max(1, unit.config.frames_per_piece // unit.config.num_frames)
        waiting: list[_SizedClip] = []
        for clip in _clips(unit, path, has_video=info.video is not None, has_audio=bool(info.audio)):
            if len(waiting) == clips_per_piece:
                read = (
                    waiting[-1].facts["stop_seconds"] / info.duration_seconds
                    if info.duration_seconds
                    else 0.0
                )
                yield _piece(head(is_last=False, fraction=min(max(read, 0.0), 1.0)), waiting)
                waiting.clear()
                number += 1
            waiting.append(_sized(clip, content=content, unit=unit))
        if _stat(path) != before:
            raise _ChangingError(f"{path} changed while it was read. It is read again by the next run.")
        yield _piece(head(is_last=True, notes=notes), waiting)
    except MediaError as error:
        message = str(error).replace(f"{unit.root}{os.sep}", "")
        rejected = Rejected(file=unit.path, reason=error.code, message=message)
        yield DecodedPiece(head=head(is_last=True, rejected=rejected))


def encode_piece(encoder: ClipEncoder, piece: DecodedPiece, config: LibraryConfig) -> EncodedPiece:
    """Rows of a piece. Frames and sounds of all its clips are encoded together.

    Args:
        encoder: The encoder.
        piece: Decoded clips.
        config: How vectors are stored.

    Raises:
        WeightsError: The model gives vectors that are not finite.
    """
    audio_FD = visual_FD = None
    if piece.sound_NM is not None:
        audio_FD = encoder.encode_sounds(_sounds(piece, piece.sound_NM, config))
    if piece.frames_PHWC is not None:
        visual_FD = encoder.encode_frames(piece.frames_PHWC, piece.frame_counts)
    width = next((len(rows_FD[0]) for rows_FD in (audio_FD, visual_FD) if rows_FD is not None), 1)
    rows = rows_batch(piece.facts, {"audio": audio_FD, "visual": visual_FD}, width=width, config=config)
    return EncodedPiece(head=piece.head, rows=rows)


class _ChangingError(MediaError):
    """The file was written to while it was read."""

    code = CHANGING


def _content_of(path: Path) -> str:
    try:
        return content_hash_of(path)
    except OSError as error:
        raise UnreadableFileError(f"{path} cannot be read: {error.strerror or error}.") from error


def _stat(path: Path) -> tuple[int, int] | None:
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_size, found.st_mtime_ns


def _clips(unit: LibraryUnit, path: Path, *, has_video: bool, has_audio: bool) -> Iterator[Clip | SoundClip]:
    config, preparation = unit.config, unit.preparation
    if has_video:
        clips: Iterator[Clip | SoundClip] = iterate_clips(
            path,
            clip_seconds=config.clip_seconds,
            hop_seconds=config.hop_seconds,
            num_frames=config.num_frames * preparation.frames_per_moment(config.window_seconds),
            sampling=config.rule,
            channel=config.channel,
            min_seconds=config.min_seconds,
            with_sound=has_audio,
            keeps_step=config.rule in STEADY_RULES,
            transform_frame=preparation.frame,
            sample_rate_hz=preparation.sample_rate_hz,
        )
    elif has_audio:
        clips = iterate_sounds(
            path,
            clip_seconds=config.clip_seconds,
            num_moments=config.num_frames,
            sampling=config.rule if config.rule in STEADY_RULES else "uniform_center",
            channel=config.channel,
            min_seconds=config.min_seconds,
            sample_rate_hz=preparation.sample_rate_hz,
        )
    else:
        raise NoVideoStreamError(f"{path} has neither a picture nor sound that can be read. Remove it.")
    for number, clip in enumerate(clips):
        if number == config.max_clips_per_file:
            return
        yield clip


def _sounds(piece: DecodedPiece, sound_NM: Tensor, config: LibraryConfig) -> list[Sound]:
    return [
        Sound(
            values_NM=values_NM,
            moment_seconds=facts["frame_seconds"],
            duration_seconds=facts["duration_seconds"],
            window_seconds=config.window_seconds,
        )
        for facts, values_NM in zip(piece.facts, sound_NM.split(list(piece.sound_lengths)), strict=True)
    ]


def _sized(clip: Clip | SoundClip, *, content: str, unit: LibraryUnit) -> _SizedClip:
    config = unit.config
    is_sound = isinstance(clip, SoundClip)
    frames_THWC = None if is_sound else torch.from_numpy(clip.frames_THWC)
    times_T, counts = (clip.moment_seconds_T, ()) if is_sound else _moments(clip, unit)
    has_sound = clip.waveform_S.size > 0
    facts = {
        "id": clip_id(content, clip.start_seconds),
        "start_seconds": clip.start_seconds,
        "stop_seconds": clip.start_seconds + clip.duration_seconds,
        "duration_seconds": clip.duration_seconds,
        "frame_seconds": times_T.tolist(),
        "is_silent": is_silent(clip.waveform_S, below_dbfs=config.silent_below_dbfs) if has_sound else None,
        "is_still": None
        if frames_THWC is None
        else is_still(frames_THWC.numpy(), below_levels=config.still_below_levels),
        "is_short": clip.duration_seconds <= config.clip_seconds - config.step_seconds,
    }
    return _SizedClip(
        facts=facts,
        frames_THWC=frames_THWC,
        frame_counts=counts,
        sound_NM=unit.preparation.sound(clip.waveform_S) if has_sound else None,
    )


def _moments(clip: Clip, unit: LibraryUnit) -> tuple[NDArray[np.float64], tuple[int, ...]]:
    """Moments of a clip, and the number of frames of each: those of its window."""
    window = unit.config.window_seconds
    if unit.preparation.frames_per_moment(window) == 1:
        return clip.frame_seconds_T, (1,) * len(clip.frame_seconds_T)
    times_T = times_at_step(unit.config.rule, step_seconds=window, duration_seconds=clip.duration_seconds)
    moment_P = np.minimum((clip.frame_seconds_T / window).astype(int), len(times_T) - 1)
    return times_T, tuple(np.bincount(moment_P, minlength=len(times_T)).tolist())


def _piece(head: PieceHead, clips: Sequence[_SizedClip]) -> DecodedPiece:
    frames = [clip.frames_THWC for clip in clips if clip.frames_THWC is not None]
    sounds = [clip.sound_NM for clip in clips if clip.sound_NM is not None]
    return DecodedPiece(
        head=head,
        facts=tuple(clip.facts for clip in clips),
        sound_lengths=tuple(len(sound) for sound in sounds),
        frames_PHWC=torch.cat(frames) if frames else None,
        frame_counts=tuple(count for clip in clips for count in clip.frame_counts),
        sound_NM=torch.cat(sounds) if sounds else None,
    )
