"""Parts of a sound: how much each moment of a clip's sound belongs to each of its frames.

T frames of a clip and P segments of its sound, C columns of patches in a segment (16 spectrogram frames),
L spectrogram frames of the clip, D width.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from cavmae_sync.embedding import EmbeddedClip, Embedder
from cavmae_sync.embedding.rows import finite
from cavmae_sync.inputs.alignment import Span, segment_spans
from cavmae_sync.inputs.spectrogram import num_spectrogram_frames
from cavmae_sync.maps.config import MapConfig
from cavmae_sync.maps.regression import ridge_weights
from cavmae_sync.maps.views import draw_views
from cavmae_sync.paper import HOP_MILLISECONDS, PATCH_SIZE, WINDOW_MILLISECONDS


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class SoundPart:
    """Part of the sound of a clip that belongs to one of its frames.

    Attributes:
        seconds_L: float64, rising: middles of the clip's spectrogram frames on the file's timeline.
        weight_L: float32: what hearing the sound at that time adds to its cosine with the frame.
    """

    seconds_L: NDArray[np.float64]
    weight_L: NDArray[np.float32]

    @property
    def peak_seconds(self) -> float:
        """Middle of the stretch of the greatest weight."""
        return float(self.seconds_L[np.flatnonzero(self.weight_L == self.weight_L.max())].mean())


def column_vectors(embedder: Embedder, segments_PLM: Tensor, config: MapConfig) -> Tensor:
    """What showing each column of patches adds to the vector of its segment, float32 [P, C, D] on the CPU.

    As `masked_vectors` of frames, with whole columns of the spectrogram hidden: all frequencies of a moment.

    Args:
        embedder: The model and how it computes.
        segments_PLM: Normalised log-mel [P, length of a segment, 128].
        config: Number and ratio of masks, ridge, seed. Where so few columns are shown that there are not as
            many different masks, each is used once.

    Raises:
        WeightsError: The model gives vectors that are not finite.
    """
    rows, columns = embedder.model.config.audio_grid
    num_shown = min(max(1, round(columns * (1 - config.mask_ratio))), columns - 1)
    views = draw_views(
        (rows, columns),
        block=(rows, 1),
        num_views=min(config.num_masks, math.comb(columns, num_shown)),
        ratio=config.mask_ratio,
        seed=config.mask_seed,
    )
    values_PVD = finite(
        embedder.embed_views(segments_PLM, views.shown_VK, modality="audio"), precision=embedder.precision
    )
    is_shown_VC = views.is_shown().unflatten(1, (rows, columns))[:, 0]
    return torch.einsum("cv,pvd->pcd", ridge_weights(is_shown_VC, ridge=config.ridge), values_PVD)


def sound_part_curves(
    visual_TD: Tensor, columns_PCD: Tensor, spans: Sequence[Span], *, num_spectrogram_frames: int
) -> Tensor:
    """How much each spectrogram frame of a clip belongs to each frame, float32 [T, L].

    Where segments overlap it is the mean over them; where there is no segment it is 0.

    Args:
        visual_TD: Unit vectors of the frames.
        columns_PCD: Vectors of columns (`column_vectors`) of the clip's segments.
        spans: Span of each segment.
        num_spectrogram_frames: Spectrogram frames of the clip.
    """
    sums_TL = torch.zeros(len(visual_TD), num_spectrogram_frames)
    num_L = torch.zeros(num_spectrogram_frames)
    for columns_CD, span in zip(columns_PCD, spans, strict=True):
        values_TR = (visual_TD @ columns_CD.T).repeat_interleave(PATCH_SIZE, dim=1)
        inside = span.clipped(num_spectrogram_frames)
        part = slice(inside.start - span.start, inside.stop - span.start)
        sums_TL[:, inside.start : inside.stop] += values_TR[:, part]
        num_L[inside.start : inside.stop] += 1
    return sums_TL / num_L.clamp(min=1)


def clip_sound_parts(embedder: Embedder, part: EmbeddedClip, config: MapConfig) -> list[SoundPart]:
    """Parts of the sound of a clip that belong to each of its frames.

    Args:
        embedder: The model and how it computes.
        part: The clip, with its inputs and vectors.
        config: Masks of a segment, as `column_vectors` reads them.

    Raises:
        WeightsError: The model gives vectors that are not finite.
    """
    clip, length = part.clip, num_spectrogram_frames(len(part.clip.waveform_S))
    weights_TL = sound_part_curves(
        part.embedding.visual_TD,
        column_vectors(embedder, part.inputs.segments_TLM, config),
        segment_spans(length, frame_seconds=clip.frame_seconds_T, config=embedder.model.config.inputs),
        num_spectrogram_frames=length,
    )
    middles_L = (np.arange(length) * HOP_MILLISECONDS + WINDOW_MILLISECONDS / 2) / 1000
    seconds_L = clip.start_seconds + middles_L
    return [SoundPart(seconds_L=seconds_L, weight_L=weight_L) for weight_L in weights_TL.numpy()]
