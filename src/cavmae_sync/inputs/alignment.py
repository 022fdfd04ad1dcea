"""Alignment: the span of sound that belongs to each frame, and cutting it out.

    spectrogram   0        256       512       768      998  1024      spectrogram frames, 10 ms each
                  |=========|=========|=========|========|....|        .... padding, 0.0 in log-mel
    frames        0   .   4   .   .   8   .   .   12   .  15           frame i lies at round(i * 1024 / 16)

    frame 0       [------416------)                                    would start at -208, so it is moved
    inwards frame 4         [------416------)                                  rows 48 to 464, centred on 256
    frame 8                  [------416------)                         rows 304 to 720 frame 15
    [------416------)             would stop at 1168, so it is moved inwards

Spans are moved, never shortened, so frames near an end of the clip share one: 16 frames, 11 different spans.

Shapes: N spectrogram frames of a clip, L of a segment, R read from it (at most L), M mel bins.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from cavmae_sync import paper
from cavmae_sync.inputs.config import AlignLength, InputConfig
from cavmae_sync.inputs.spectrogram import normalize_spectrogram


@dataclass(frozen=True, kw_only=True, slots=True)
class Span:
    """A half-open range of spectrogram frames.

    Attributes:
        start: First spectrogram frame, >= 0.
        stop: One past the last, >= start.
    """

    start: int
    stop: int

    def __post_init__(self) -> None:
        """Check that it is a range."""
        if not 0 <= self.start <= self.stop:
            raise ValueError(
                f"A span needs 0 <= start <= stop, but got start={self.start}, stop={self.stop}."
            )

    @property
    def length(self) -> int:
        """Number of spectrogram frames in the span."""
        return self.stop - self.start

    def clipped(self, num_spectrogram_frames: int) -> "Span":
        """Part before `num_spectrogram_frames`: the rows that exist and must be read."""
        return Span(
            start=min(self.start, num_spectrogram_frames), stop=min(self.stop, num_spectrogram_frames)
        )


def segment_spans(
    num_spectrogram_frames: int, *, num_frames: int, segment_length: int, align_length: AlignLength
) -> list[Span]:
    """Spans of spectrogram frames that belong to the frames of a clip.

    Args:
        num_spectrogram_frames: Spectrogram frames the clip has, without padding, >= 0.
        num_frames: Frames of the clip.
        segment_length: Spectrogram frames of a segment.
        align_length: "padded": frames are spread over 1024 spectrogram frames, however long the clip is;
            later ones are cut off, missing ones padded. Spans may then reach past
            `num_spectrogram_frames`, or lie wholly in the padding. "valid": they are spread over the
            spectrogram frames that exist, and no span passes their end.

    Returns:
        One span per frame, `segment_length` long, or as long as the clip where that is less.

    >>> segment_spans(998, num_frames=16, segment_length=416, align_length="padded")[4]
    Span(start=48, stop=464)
    """
    total = _total(num_spectrogram_frames, align_length)
    _check_counts(num_spectrogram_frames, num_frames, segment_length)
    centers = [_center(index, total, num_frames) for index in range(num_frames)]
    return [_span_around(center, segment_length, total) for center in centers]


def segment_span(
    frame_index: int,
    *,
    num_spectrogram_frames: int,
    num_frames: int,
    config: InputConfig,
    center_offset: int = 0,
) -> Span:
    """Span of one frame, for reading one segment from a stored spectrogram.

    Args:
        frame_index: Index of the frame, in [0, num_frames).
        num_spectrogram_frames: Spectrogram frames the clip has, without padding, >= 0.
        num_frames: Frames of the clip.
        config: Length of a segment and rule of alignment.
        center_offset: Spectrogram frames by which the centre moves before the span is cut; see
            `augment_segments.random_center_offset`.

    Returns:
        The span of this frame in `segment_spans`, moved by the offset. Read `.clipped(N)` of it and give the
        rows to `finish_segment`.
    """
    _check_counts(num_spectrogram_frames, num_frames, config.segment_length)
    if not 0 <= frame_index < num_frames:
        raise ValueError(f"frame_index must be in [0, {num_frames}), but got {frame_index}.")
    total = _total(num_spectrogram_frames, config.align_length)
    center = _center(frame_index, total, num_frames) + center_offset
    return _span_around(center, config.segment_length, total)


def finish_segment(rows_RM: Tensor, *, config: InputConfig) -> Tensor:
    """Make a segment from the rows of its span that exist: padded to full length, then normalised.

    Args:
        rows_RM: Log-mel rows, any floating dtype, 0 <= R <= segment_length: rows [start, min(stop, N)).
        config: Length of a segment and normalisation.

    Returns:
        float32 [L, M]. Padding is 0.0 before normalisation, as published: +1.13 after it, not silence.
    """
    return finish_segments([rows_RM], config=config)[0]


def finish_segments(rows_PRM: Sequence[Tensor], *, config: InputConfig) -> Tensor:
    """Make several segments at once, each as by `finish_segment`: float32 [P, L, M]."""
    padded_PLM = rows_PRM[0].new_full(
        (len(rows_PRM), config.segment_length, *rows_PRM[0].shape[1:]),
        paper.SPECTROGRAM_PADDING,
        dtype=torch.float32,
    )
    for padded_LM, rows_RM in zip(padded_PLM, rows_PRM, strict=True):
        if rows_RM.ndim != 2 or len(rows_RM) > config.segment_length:
            raise ValueError(
                f"A segment takes at most {config.segment_length} rows, shape [rows, mel bins], "
                f"but got {tuple(rows_RM.shape)}."
            )
        padded_LM[: len(rows_RM)] = rows_RM
    return normalize_spectrogram(padded_PLM, config=config)


def cut_segments(
    log_mel_NM: Tensor, *, frame_indices: Sequence[int], num_frames: int, config: InputConfig
) -> Tensor:
    """Normalised segments of some frames of a clip.

    Args:
        log_mel_NM: The clip's whole log-mel spectrogram, any floating dtype, not normalised.
        frame_indices: Indices of the frames, each in [0, num_frames).
        num_frames: Frames of the clip.
        config: Length of a segment, rule of alignment, normalisation.

    Returns:
        float32 [len(frame_indices), L, M].

    Raises:
        ValueError: No frame is asked for, or a frame that the clip does not have.
    """
    if not frame_indices:
        raise ValueError("cut_segments needs at least one frame, but got none.")
    spans = [
        segment_span(index, num_spectrogram_frames=len(log_mel_NM), num_frames=num_frames, config=config)
        for index in frame_indices
    ]
    rows = [span.clipped(len(log_mel_NM)) for span in spans]
    return finish_segments([log_mel_NM[r.start : r.stop] for r in rows], config=config)


def _total(num_spectrogram_frames: int, align_length: AlignLength) -> int:
    return paper.SPECTROGRAM_LENGTH if align_length == "padded" else num_spectrogram_frames


def _center(frame_index: int, total: int, num_frames: int) -> int:
    return round(frame_index * total / num_frames)  # half to even, as published


def _span_around(center: int, segment_length: int, total: int) -> Span:
    start = min(max(center - segment_length // 2, 0), max(total - segment_length, 0))
    return Span(start=start, stop=min(start + segment_length, total))


def _check_counts(num_spectrogram_frames: int, num_frames: int, segment_length: int) -> None:
    if num_spectrogram_frames < 0 or num_frames < 1 or segment_length < 1:
        raise ValueError(
            f"Counts must be positive, but got {num_spectrogram_frames=}, {num_frames=}, {segment_length=}."
        )
