"""Alignment: the span of sound that belongs to each frame, and cutting it out.

Three rules (`InputConfig.alignment`). "padded" is the published one, drawn here with segments of 416:

    spectrogram   0        256       512       768      998  1024      spectrogram frames, 10 ms each
                  |=========|=========|=========|========|....|        .... padding, 0.0 in log-mel
    frames        0   .   4   .   .   8   .   .   12   .  15           frame i lies at round(i * 1024 / 16)

    frame 0       [------416------)                                    would start at -208, so it is moved
    frame 4         [------416------)                                  rows 48 to 464, centred on 256
    frame 8                  [------416------)                         rows 304 to 720
    frame 15                        [------416------)                  would stop at 1168, so it is moved

Spans are moved, never shortened, so frames near an end of the clip share one: 16 frames, 11 different spans.
The rule counts frames and does not know their times, so a frame may lie outside of its own span.

"centered" knows the times. A span is centred on the time of its frame, to within 5 ms, and is never moved:

    frame at 0 s  (--------[=======)                                   rows -209 to 207
    frame at 10 s                          [=======)--------)          rows 791 to 1207 of 998

What lies outside of the clip (----) is filled with digital silence.

Shapes: N spectrogram frames of a clip, L of a segment, R read from it (at most L), M mel bins, P segments.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from cavmae_sync import paper
from cavmae_sync.inputs.config import InputConfig
from cavmae_sync.inputs.spectrogram import SILENCE, normalize_spectrogram

#: Spectrogram frames of a second, and time of the middle of the first one: row k covers 10 k to 10 k + 25 ms.
_ROWS_PER_SECOND = 1000 // paper.HOP_MILLISECONDS
_FIRST_MIDDLE_SECONDS = paper.WINDOW_MILLISECONDS / 2 / 1000

#: Times of all frames of a clip in order, seconds from its start.
FrameSeconds = Sequence[float] | NDArray[np.floating]


@dataclass(frozen=True, kw_only=True, slots=True)
class Span:
    """A half-open range of spectrogram frames, counted from the start of the clip.

    Attributes:
        start: First spectrogram frame; negative where the span begins before the clip.
        stop: One past the last, >= start.
    """

    start: int
    stop: int

    def __post_init__(self) -> None:
        """Check that it is a range."""
        if not self.start <= self.stop:
            raise ValueError(f"A span needs start <= stop, but got start={self.start}, stop={self.stop}.")

    @property
    def length(self) -> int:
        """Number of spectrogram frames in the span."""
        return self.stop - self.start

    @property
    def center_seconds(self) -> float:
        """Time in the middle of the sound that the span covers, from the start of the clip."""
        return (self.start + self.stop - 1) / 2 / _ROWS_PER_SECOND + _FIRST_MIDDLE_SECONDS

    def clipped(self, num_spectrogram_frames: int) -> "Span":
        """Part inside of the clip: the rows that exist and must be read."""
        return Span(
            start=min(max(self.start, 0), num_spectrogram_frames),
            stop=min(max(self.stop, 0), num_spectrogram_frames),
        )


def segment_spans(
    num_spectrogram_frames: int, *, frame_seconds: FrameSeconds, config: InputConfig
) -> list[Span]:
    """Spans of spectrogram frames that belong to the frames of a clip: `segment_span` of each.

    >>> from cavmae_sync.inputs import InputConfig
    >>> times = [0.625 * i for i in range(16)]
    >>> segment_spans(998, frame_seconds=times, config=InputConfig(alignment="padded"))[4]
    Span(start=48, stop=464)
    >>> segment_spans(998, frame_seconds=times, config=InputConfig(alignment="centered"))[4]
    Span(start=41, stop=457)
    """
    _check_counts(num_spectrogram_frames, len(frame_seconds))
    return [
        segment_span(
            index, frame_seconds=frame_seconds, num_spectrogram_frames=num_spectrogram_frames, config=config
        )
        for index in range(len(frame_seconds))
    ]


def segment_span(
    frame_index: int,
    *,
    frame_seconds: FrameSeconds,
    num_spectrogram_frames: int,
    config: InputConfig,
    center_offset: int = 0,
) -> Span:
    """Span of one frame, for reading one segment from a stored spectrogram.

    Args:
        frame_index: Index of the frame, in [0, number of frames).
        frame_seconds: Times of all frames of the clip. "centered" reads the time of this frame; the other
            rules only count the frames.
        num_spectrogram_frames: Spectrogram frames the clip has, without padding, >= 0.
        config: Length of a segment and rule of alignment.
        center_offset: Spectrogram frames by which the centre moves before the span is cut; see
            `augment_segments.random_center_offset`.

    Returns:
        A span `segment_length` long; with "valid" only as long as the clip, where that is less. With "padded"
        and "centered" it may pass an end of the clip. Read `.clipped(N)` of it and give the rows to
        `finish_segment`.
    """
    num_frames = len(frame_seconds)
    _check_counts(num_spectrogram_frames, num_frames)
    if not 0 <= frame_index < num_frames:
        raise ValueError(f"frame_index must be in [0, {num_frames}), but got {frame_index}.")
    length = config.segment_length
    if config.alignment == "centered":
        start = _centered_start(float(frame_seconds[frame_index]), length) + center_offset
        return Span(start=start, stop=start + length)
    total = paper.SPECTROGRAM_LENGTH if config.alignment == "padded" else num_spectrogram_frames
    center = round(frame_index * total / num_frames) + center_offset  # half to even, as published
    start = min(max(center - length // 2, 0), max(total - length, 0))
    return Span(start=start, stop=min(start + length, total))


def finish_segment(rows_RM: Tensor, *, span: Span, config: InputConfig) -> Tensor:
    """Make a segment from the rows of its span that exist: filled up to full length, then normalised.

    Args:
        rows_RM: Log-mel rows of `span.clipped(N)`, any floating dtype, 0 <= R <= segment_length.
        span: The span, as `segment_span` gives it.
        config: Length of a segment, rule of alignment, normalisation.

    Returns:
        float32 [L, M]. Missing rows are digital silence with "centered" (-15.94, normalised -2.42). With
        "padded" and "valid" they are 0.0 before normalisation, as published: +1.13 after it, not silence.
    """
    return finish_segments([rows_RM], spans=[span], config=config)[0]


def finish_segments(rows_PRM: Sequence[Tensor], *, spans: Sequence[Span], config: InputConfig) -> Tensor:
    """Make several segments at once, each as by `finish_segment`: float32 [P, L, M]."""
    filled_PLM = rows_PRM[0].new_full(
        (len(rows_PRM), config.segment_length, *rows_PRM[0].shape[1:]),
        SILENCE if config.alignment == "centered" else paper.SPECTROGRAM_PADDING,
        dtype=torch.float32,
    )
    for filled_LM, rows_RM, span in zip(filled_PLM, rows_PRM, spans, strict=True):
        first = max(-span.start, 0)  # rows before the clip
        if rows_RM.ndim != 2 or (len(rows_RM) and first + len(rows_RM) > config.segment_length):
            raise ValueError(
                f"A segment takes at most {config.segment_length} rows, shape [rows, mel bins], "
                f"but got {tuple(rows_RM.shape)} for {span}."
            )
        filled_LM[first : first + len(rows_RM)] = rows_RM
    return normalize_spectrogram(filled_PLM, config=config)


def cut_segments(
    log_mel_NM: Tensor,
    *,
    frame_seconds: FrameSeconds,
    config: InputConfig,
    frame_indices: Sequence[int] | None = None,
) -> Tensor:
    """Normalised segments of frames of a clip.

    Args:
        log_mel_NM: The clip's whole log-mel spectrogram, any floating dtype, not normalised.
        frame_seconds: Times of all frames of the clip; see `segment_span`.
        config: Length of a segment, rule of alignment, normalisation.
        frame_indices: Indices of the frames that are wanted; None takes all.

    Returns:
        float32 [P, L, M], one segment for each frame that is wanted.

    Raises:
        ValueError: No frame is asked for, or a frame that the clip does not have.
    """
    indices = range(len(frame_seconds)) if frame_indices is None else frame_indices
    if not indices:
        raise ValueError("cut_segments needs at least one frame, but got none.")
    length = len(log_mel_NM)
    spans = [
        segment_span(index, frame_seconds=frame_seconds, num_spectrogram_frames=length, config=config)
        for index in indices
    ]
    rows = [span.clipped(length) for span in spans]
    return finish_segments([log_mel_NM[r.start : r.stop] for r in rows], spans=spans, config=config)


def _centered_start(seconds: float, length: int) -> int:
    """First row of the span whose `center_seconds` is nearest to a time; the later one of two."""
    first_row = (seconds - _FIRST_MIDDLE_SECONDS) * _ROWS_PER_SECOND - (length - 1) / 2
    return math.floor(first_row + 0.5)


def _check_counts(num_spectrogram_frames: int, num_frames: int) -> None:
    if num_spectrogram_frames < 0 or num_frames < 1:
        raise ValueError(f"Counts must be positive, but got {num_spectrogram_frames=}, {num_frames=}.")
