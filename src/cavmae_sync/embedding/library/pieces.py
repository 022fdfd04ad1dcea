"""Pieces of the work on a library, of bounded size: files to decoded clips, decoded clips to rows of vectors.

    LibraryUnit --decode_unit--> DecodedPiece, ... --encode_piece--> EncodedPiece, ... --UnitParts--> part
    some files                   some clips                          their rows                       file

The pieces of a unit depend on its files alone. Decoded in one place, encoded in another and put in order,
they give the same bytes.

P frames of all clips of a piece, H W pixels, C colours, N spectrogram frames of all clips, M mel bins,
T frames per clip, D width.
"""

import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import pyarrow as pa
import torch
from torch import Tensor

from cavmae_sync.data import Rejected
from cavmae_sync.data.flags import is_short, is_silent, is_still
from cavmae_sync.data.preparing.prepare_unit import SourceClip
from cavmae_sync.data.preparing.videos import read_video
from cavmae_sync.data.storage.tables import passed_over_rows
from cavmae_sync.embedding.embedder import Embedder
from cavmae_sync.embedding.library.config import LibraryConfig
from cavmae_sync.embedding.library.schema import rows_table
from cavmae_sync.embedding.rows import finite
from cavmae_sync.embedding.video import alignment_of
from cavmae_sync.errors import MediaError
from cavmae_sync.inputs import InputConfig, cut_segments, log_mel, normalize_frames, resize_and_crop
from cavmae_sync.paper import NUM_MELS
from cavmae_sync.work.source_file import SourceFile
from cavmae_sync.work.units import FilesUnit


@dataclass(frozen=True, kw_only=True, slots=True)
class LibraryUnit(FilesUnit):
    """Files that are embedded together; a value that can be sent to another process.

    Attributes:
        config: Clips to cut, and how their vectors are stored.
        inputs: Inputs of the model.
    """

    config: LibraryConfig
    inputs: InputConfig


@dataclass(frozen=True, kw_only=True, slots=True)
class DecodedPiece:
    """Consecutive decoded clips of a unit, as inputs of the model that are not normalised yet.

    uint8 frames and whole spectrograms are much smaller than what the model takes, and travel faster.

    Attributes:
        unit_index: Index of their unit.
        number: Number of the piece in its unit, from 0.
        is_last: Whether it is the last piece of the unit.
        facts: For each clip the columns that are not vectors.
        num_spectrogram_frames: Length of each clip's spectrogram.
        frames_PHWC: uint8, the frames of the first clip, then of the second.
        log_mel_NM: float32, the spectrogram of the first clip, then of the second.
        num_files: Files that were read to their end since the piece before.
        rejected: Rejected files among them. Their rows, in this piece and earlier ones, are dropped.
    """

    unit_index: int
    number: int
    is_last: bool
    facts: tuple[dict[str, Any], ...]
    num_spectrogram_frames: tuple[int, ...]
    frames_PHWC: Tensor
    log_mel_NM: Tensor
    num_files: int
    rejected: tuple[Rejected, ...]

    def __post_init__(self) -> None:
        if len(self.log_mel_NM) != sum(self.num_spectrogram_frames):
            raise ValueError(
                f"clips of {self.num_spectrogram_frames} spectrogram frames do not fit "
                f"log_mel_NM {tuple(self.log_mel_NM.shape)}"
            )
        num_times = sum(len(facts["frame_seconds"]) for facts in self.facts)
        if len(self.facts) != len(self.num_spectrogram_frames) or len(self.frames_PHWC) != num_times:
            raise ValueError(
                f"{len(self.facts)} clips with {num_times} times do not fit frames_PHWC "
                f"{tuple(self.frames_PHWC.shape)} and {len(self.num_spectrogram_frames)} spectrograms"
            )


@dataclass(frozen=True, kw_only=True, slots=True)
class EncodedPiece:
    """A piece with its clips as rows of the library; otherwise as `DecodedPiece`."""

    unit_index: int
    number: int
    is_last: bool
    rows: pa.Table
    num_files: int
    rejected: tuple[Rejected, ...]


@dataclass(frozen=True, kw_only=True, slots=True)
class _SizedClip:
    """A decoded clip with frames of the model's size."""

    facts: dict[str, Any]
    frames_THWC: Tensor
    log_mel_NM: Tensor


def decode_unit(unit: LibraryUnit) -> Iterator[DecodedPiece]:
    """Pieces of a unit: its files are decoded one after the other, each in one pass.

    One piece is in memory, however long a file is. Bad media is tolerated here and nowhere later.

    Yields:
        At least one piece; the last one is marked, and may have no clips.
    """
    clips_per_piece = max(1, unit.config.frames_per_piece // unit.config.num_frames)
    waiting: list[_SizedClip] = []
    rejected: list[Rejected] = []
    number = num_files = 0
    clips = unit.config.clips().model_copy(update={"frame_pixels": unit.inputs.frame_pixels})
    for source in unit.files:
        notes: tuple[str, ...] = ()
        try:
            for clip in read_video(unit.root, source, clips):
                if len(waiting) == clips_per_piece:
                    yield _piece(unit, number, waiting, num_files, rejected)
                    waiting.clear()
                    rejected.clear()
                    number, num_files = number + 1, 0
                waiting.append(_sized(clip, source=source, unit=unit))
                notes = clip.notes
            rejected += passed_over_rows(source.path, notes)
        except MediaError as error:
            message = str(error).replace(f"{unit.root}{os.sep}", "")
            rejected.append(Rejected(file=source.path, reason=error.code, message=message))
        num_files += 1
    yield _piece(unit, number, waiting, num_files, rejected, is_last=True)


def encode_piece(embedder: Embedder, piece: DecodedPiece, config: LibraryConfig) -> EncodedPiece:
    """Rows of a piece. Frames and segments of all its clips are encoded together, equal neighbours once.

    Args:
        embedder: The model and how it computes.
        piece: Decoded clips.
        config: How vectors are stored.

    Raises:
        WeightsError: The model gives vectors that are not finite.
    """
    audio_PD = visual_PD = torch.empty(0, embedder.model.config.width)
    if piece.facts:
        # Normalised on the model's device: uint8 frames are a quarter of the bytes to move there.
        segments_PLM = _segments(piece, embedder)
        frames_PCHW = normalize_frames(piece.frames_PHWC.to(embedder.device))
        audio_PD = finite(embedder.embed_segments(segments_PLM), precision=embedder.precision)
        visual_PD = finite(embedder.embed_frames(frames_PCHW).visual_PD, precision=embedder.precision)
    return EncodedPiece(
        unit_index=piece.unit_index,
        number=piece.number,
        is_last=piece.is_last,
        rows=rows_table(piece.facts, audio_PD, visual_PD, config=config),
        num_files=piece.num_files,
        rejected=piece.rejected,
    )


def _segments(piece: DecodedPiece, embedder: Embedder) -> Tensor:
    inputs = embedder.model.config.inputs
    spectrograms = piece.log_mel_NM.to(embedder.device).split(list(piece.num_spectrogram_frames))
    return torch.cat(
        [
            cut_segments(
                log_mel_NM,
                frame_seconds=facts["frame_seconds"],
                config=alignment_of(facts["duration_seconds"], inputs),
            )
            for facts, log_mel_NM in zip(piece.facts, spectrograms, strict=True)
        ]
    )


def _sized(source_clip: SourceClip, *, source: SourceFile, unit: LibraryUnit) -> _SizedClip:
    clip, config = source_clip.clip, unit.config
    frames_THWC = resize_and_crop(clip.frames_THWC, pixels=unit.inputs.frame_pixels)
    facts = {
        "id": source_clip.id,
        "source": source.path,
        "content_hash": source_clip.content_hash,
        "start_seconds": clip.start_seconds,
        "stop_seconds": clip.start_seconds + clip.duration_seconds,
        "duration_seconds": clip.duration_seconds,
        "frame_seconds": clip.frame_seconds_T.tolist(),
        "is_silent": is_silent(clip.waveform_S, below_dbfs=config.silent_below_dbfs),
        "is_still": is_still(frames_THWC.numpy(), below_levels=config.still_below_levels),
        "is_short": is_short(clip, clip_seconds=config.clip_seconds),
    }
    return _SizedClip(facts=facts, frames_THWC=frames_THWC, log_mel_NM=log_mel(clip.waveform_S))


def _piece(
    unit: LibraryUnit,
    number: int,
    clips: Sequence[_SizedClip],
    num_files: int,
    rejected: Sequence[Rejected],
    *,
    is_last: bool = False,
) -> DecodedPiece:
    pixels = unit.inputs.frame_pixels
    no_frames, no_sound = torch.empty(0, pixels, pixels, 3, dtype=torch.uint8), torch.empty(0, NUM_MELS)
    return DecodedPiece(
        unit_index=unit.index,
        number=number,
        is_last=is_last,
        facts=tuple(clip.facts for clip in clips),
        num_spectrogram_frames=tuple(len(clip.log_mel_NM) for clip in clips),
        frames_PHWC=torch.cat([no_frames, *(clip.frames_THWC for clip in clips)]),
        log_mel_NM=torch.cat([no_sound, *(clip.log_mel_NM for clip in clips)]),
        num_files=num_files,
        rejected=tuple(rejected),
    )
