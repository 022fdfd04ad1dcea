"""`Batch`: the pairs of one frame and one segment that a model is given, and their clips.

Shapes: B clips, P (clip, frame) pairs, C channels, H W pixels, L spectrogram frames per segment, M mel bins.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, fields, replace
from typing import Any, Self

import numpy as np
import torch
from torch import Tensor

from cavmae_sync.inputs import normalize_frames


@dataclass(frozen=True, kw_only=True, slots=True)
class Batch:
    """Frames and segments of one or several clips. An item of a dataset is a batch of one clip.

    Attributes:
        frames_PHWC: Frames, uint8: a quarter of the bytes that the model is given. Mixed frames are float32
            and already normalised.
        segments_PLM: Normalised log-mel, float32.
        clip_index_P: Place in `clip_ids` of the clip of each pair, int64.
        frame_index_P: Number of the frame in its clip, int64.
        row_B: Row of each clip in the dataset, int64.
        clip_ids: Id of each clip.
        labels: Labels of each clip.

    Raises:
        ValueError: The fields do not fit together.
    """

    frames_PHWC: Tensor
    segments_PLM: Tensor
    clip_index_P: Tensor
    frame_index_P: Tensor
    row_B: Tensor
    clip_ids: tuple[str, ...]
    labels: tuple[tuple[str, ...], ...]

    def __post_init__(self) -> None:
        if self.frames_PHWC.ndim != 4 or self.segments_PLM.ndim != 3:
            raise ValueError(
                "frames_PHWC needs 4 axes and segments_PLM 3, got shapes "
                f"{tuple(self.frames_PHWC.shape)} and {tuple(self.segments_PLM.shape)}"
            )
        for name in ("segments_PLM", "clip_index_P", "frame_index_P"):
            if len(getattr(self, name)) != len(self.frames_PHWC):
                raise ValueError(
                    f"{name} has {len(getattr(self, name))} rows, but there are {len(self.frames_PHWC)} pairs"
                )
        if not len(self.clip_ids) == len(self.labels) == len(self.row_B):
            raise ValueError(
                f"{len(self.clip_ids)} clip ids, {len(self.labels)} labels and {len(self.row_B)} rows "
                "do not fit together"
            )

    @property
    def num_clips(self) -> int:
        """Number of clips."""
        return len(self.clip_ids)

    def __len__(self) -> int:
        """Number of pairs."""
        return len(self.frames_PHWC)

    def normalized_frames(self, span: slice = slice(None)) -> Tensor:
        """Frames as the model is given them, float32 `[P, C, H, W]`, computed on their device.

        Args:
            span: The pairs that are wanted.
        """
        frames_PHWC = self.frames_PHWC[span]
        if frames_PHWC.dtype == torch.uint8:
            return normalize_frames(frames_PHWC)
        return frames_PHWC.permute(0, 3, 1, 2)

    def to(self, device: torch.device | str) -> Self:
        """Copy with its tensors on `device`; asynchronous when they are in pinned memory."""
        return self.each(lambda tensor: tensor.to(device, non_blocking=True))

    def pin_memory(self) -> Self:
        """Copy with its tensors in pinned memory. `DataLoader` calls this."""
        return self.each(Tensor.pin_memory)

    def each(self, change: Callable[[Tensor], Tensor]) -> Self:
        """Copy whose every tensor is changed by a function."""
        values = {field.name: getattr(self, field.name) for field in fields(self)}
        return replace(
            self, **{name: change(value) for name, value in values.items() if isinstance(value, Tensor)}
        )

    def __reduce__(self) -> tuple[Any, ...]:
        """Pickle with integer tensors as arrays: each tensor costs the receiver a connection."""
        values = {field.name: getattr(self, field.name) for field in fields(self)}
        numbers = {
            name: value.numpy()
            for name, value in values.items()
            if isinstance(value, Tensor) and value.dtype == torch.int64 and value.device.type == "cpu"
        }
        return _unpickled, (values | numbers,)


def _unpickled(values: dict[str, Any]) -> Batch:
    for name, value in values.items():
        if isinstance(value, np.ndarray):
            values[name] = torch.from_numpy(value)
    return Batch(**values)


def concatenate(batches: Sequence[Batch]) -> Batch:
    """Join batches in order into one. This is the `collate_fn` of every loader.

    Args:
        batches: One or more batches with frames and segments of one size.

    Returns:
        One batch; `clip_index_P` counts on from one batch to the next.
    """
    first_clip = 0
    shifted: list[Tensor] = []
    for batch in batches:
        shifted.append(batch.clip_index_P + first_clip)
        first_clip += batch.num_clips
    return Batch(
        frames_PHWC=torch.cat([batch.frames_PHWC for batch in batches]),
        segments_PLM=torch.cat([batch.segments_PLM for batch in batches]),
        clip_index_P=torch.cat(shifted),
        frame_index_P=torch.cat([batch.frame_index_P for batch in batches]),
        row_B=torch.cat([batch.row_B for batch in batches]),
        clip_ids=tuple(clip_id for batch in batches for clip_id in batch.clip_ids),
        labels=tuple(labels for batch in batches for labels in batch.labels),
    )
