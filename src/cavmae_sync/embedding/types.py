"""Vectors of a clip and of a dataset, as types that check their shapes.

Letters: T frames per clip, N patches of a frame (in `ClipEmbedding`) or clips (in `DatasetEmbeddings`),
D width.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final, Self

import torch
from torch import Tensor

from cavmae_sync.errors import ConfigError

#: How far the length of a unit vector may be from 1: float32 rounding over a few thousand values.
UNIT_TOLERANCE: Final = 1e-4


@dataclass(frozen=True, kw_only=True, slots=True)
class ClipEmbedding:
    """Unit vectors of one clip, one per modality and frame, on the CPU.

    Attributes:
        audio_TD: float32, unit rows: vectors of the sound around each frame.
        visual_TD: float32, unit rows: vectors of the frames.
        frame_seconds_T: float64, time of each frame from the start of the clip.
        visual_patches_TND: float32, unit rows, patches in reading order; None unless asked for.
        start_seconds: Start of the clip in its file.

    Raises:
        ValueError: Shapes or types disagree, or a row is not of unit length (NaN is not).
    """

    audio_TD: Tensor
    visual_TD: Tensor
    frame_seconds_T: Tensor
    visual_patches_TND: Tensor | None = None
    start_seconds: float = 0.0

    def __post_init__(self) -> None:
        check_unit_rows(self.audio_TD, name="audio_TD", num_axes=2)
        check_unit_rows(self.visual_TD, name="visual_TD", num_axes=2)
        if self.audio_TD.shape != self.visual_TD.shape:
            audio, visual = tuple(self.audio_TD.shape), tuple(self.visual_TD.shape)
            raise ValueError(f"audio_TD {audio} and visual_TD {visual} must agree.")
        self._check_times()
        if self.visual_patches_TND is not None:
            check_unit_rows(self.visual_patches_TND, name="visual_patches_TND", num_axes=3)
            if len(self.visual_patches_TND) != len(self.visual_TD):
                patches, frames = len(self.visual_patches_TND), len(self.visual_TD)
                raise ValueError(f"visual_patches_TND has {patches} frames, visual_TD {frames}.")

    def _check_times(self) -> None:
        times = self.frame_seconds_T
        if times.dtype != torch.float64 or times.shape != self.audio_TD.shape[:1]:
            raise ValueError(
                f"frame_seconds_T must be float64 with one time for each of the {len(self.audio_TD)} frames, "
                f"got {times.dtype} {tuple(times.shape)}."
            )


@dataclass(frozen=True, kw_only=True, slots=True)
class DatasetEmbeddings:
    """Vectors of all clips of a dataset, in its order, on the CPU.

    Rows have unit length; a row is NaN where the model gave a zero vector, and `num_broken_rows` counts them.

    Attributes:
        audio_NTD: float32, one vector per clip and frame.
        visual_NTD: float32, of the same shape.
        clip_ids: Id of each clip.
        labels: Labels of each clip.
        clip_list: Fingerprint of the list of clips, in order (`PreparedDataset.list_sha256`). Recall
            depends on the gallery, so numbers are comparable only where these are equal.
        weights: Fingerprint of the weights (`weights_fingerprint`).
        made_with: Representation, precision and configuration of the model, as JSON values.
        has_ids: Whether the clips came with ids. A vector file may have none: its clips are numbered, and
            cannot be matched with those of other files.
    """

    audio_NTD: Tensor
    visual_NTD: Tensor
    clip_ids: tuple[str, ...]
    labels: tuple[tuple[str, ...], ...]
    clip_list: str
    weights: str
    made_with: Mapping[str, Any]
    has_ids: bool = True

    def __post_init__(self) -> None:
        if self.audio_NTD.ndim != 3 or self.audio_NTD.shape != self.visual_NTD.shape:
            raise ValueError(
                "audio_NTD and visual_NTD must both be [clips, frames, width], "
                f"got {tuple(self.audio_NTD.shape)} and {tuple(self.visual_NTD.shape)}."
            )
        if not len(self.audio_NTD) == len(self.clip_ids) == len(self.labels):
            raise ValueError(
                f"Each of {len(self.audio_NTD)} clips needs an id and labels, "
                f"got {len(self.clip_ids)} and {len(self.labels)}."
            )

    def at_frame(self, frame: int) -> Self:
        """The same clips, each with one of its frames alone.

        Raises:
            ConfigError: Clips have no such frame.
        """
        num_frames = self.audio_NTD.shape[1]
        if not 0 <= frame < num_frames:
            raise ConfigError(f"there is no frame {frame}: clips have frames 0 to {num_frames - 1}.")
        span = slice(frame, frame + 1)
        return replace(
            self,
            audio_NTD=self.audio_NTD[:, span],
            visual_NTD=self.visual_NTD[:, span],
            made_with={**self.made_with, "frame": frame},
        )

    def take(self, indices: Sequence[int], *, clip_list: str) -> Self:
        """Some of the clips, in the order given.

        Args:
            indices: Rows.
            clip_list: Fingerprint of this list of clips.
        """
        rows = torch.tensor(indices, dtype=torch.int64)
        return replace(
            self,
            audio_NTD=self.audio_NTD[rows],
            visual_NTD=self.visual_NTD[rows],
            clip_ids=tuple(self.clip_ids[i] for i in indices),
            labels=tuple(self.labels[i] for i in indices),
            clip_list=clip_list,
        )

    @property
    def num_broken_rows(self) -> int:
        """Vectors that are not finite, over both modalities. A report must print this when it is not 0."""
        return sum(int((~rows.isfinite()).any(dim=-1).sum()) for rows in (self.audio_NTD, self.visual_NTD))


def check_unit_rows(vectors: Tensor, *, name: str, num_axes: int) -> None:
    """Raise unless these are float32 vectors of unit length along the last axis.

    Raises:
        ValueError: Names the tensor, what it was and what was needed.
    """
    shape = tuple(vectors.shape)
    if vectors.ndim != num_axes or vectors.dtype != torch.float32 or vectors.numel() == 0:
        raise ValueError(
            f"{name} must be float32 with {num_axes} non-empty axes, got {vectors.dtype} {shape}."
        )
    error = (torch.linalg.vector_norm(vectors, dim=-1) - 1).abs().max()
    if not error <= UNIT_TOLERANCE:  # also refuses NaN
        raise ValueError(f"{name} must have rows of unit length; worst is off by {float(error):.3g}.")
