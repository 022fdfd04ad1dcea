"""Prepared clips as items: one pair of frame and segment, or all pairs of a clip.

There is no `try` here: what could not be read was rejected in preparation, and what fails now stops the run.

Shapes: P (clip, frame) pairs, C channels, H W pixels, L spectrogram frames per segment, M mel bins.
"""

from typing import Literal

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import Dataset

from cavmae_sync.data.batch import Batch
from cavmae_sync.data.draws import Draw, Purpose, random_words
from cavmae_sync.data.store import PreparedDataset
from cavmae_sync.errors import ConfigError
from cavmae_sync.inputs import InputConfig, Span, cut_segments, normalize_frames, resize_and_crop
from cavmae_sync.inputs.alignment import finish_segment, segment_span
from cavmae_sync.inputs.augment import AugmentConfig, augment
from cavmae_sync.inputs.augment_segments import random_center_offset


class PairDataset(Dataset[Batch]):
    """One frame of a clip and its segment, as a batch of one pair.

    With `frame="random"` the frame (and every augmentation) follows from (seed, epoch, clip) alone, so it is
    the same for any number of workers and after resuming. With "middle" it is frame T // 2, and nothing is
    random.

    Args:
        clips: The prepared clips.
        inputs: Sizes, alignment and normalisation.
        frame: Which frame of the clip.
        seed: Seed of the run.
        augment: Random changes in training; None makes none.

    Raises:
        ConfigError: The stored frames are smaller than the model wants, or the augmentation does not fit.
    """

    def __init__(
        self,
        clips: PreparedDataset,
        *,
        inputs: InputConfig,
        frame: Literal["random", "middle"] = "random",
        seed: int = 0,
        augment: AugmentConfig | None = None,
    ) -> None:
        _check_pixels(clips, inputs)
        _check_augment(augment, frame)
        self.clips = clips
        self.inputs = inputs
        self.frame = frame
        self.seed = seed
        self.augment = augment

    def __len__(self) -> int:
        """Number of clips."""
        return len(self.clips)

    def __getitem__(self, index: int | Draw) -> Batch:
        """One pair of a clip.

        Args:
            index: What the sampler drew; a plain row counts as drawn in epoch 0.
        """
        draw = index if isinstance(index, Draw) else Draw(0, index)
        frame = self._frame_of(draw)
        generator = self._generator_of(draw)
        span = self._span_of(draw.clip, frame, generator)
        rows = span.clipped(self.clips.num_spectrogram_frames(draw.clip))
        stored = self.clips.read_log_mel_rows(draw.clip, start=rows.start, stop=rows.stop)
        segment_LM = finish_segment(torch.from_numpy(stored), config=self.inputs)
        frame_HWC = torch.from_numpy(self.clips.read_frame(draw.clip, frame))
        if self.augment is not None and generator is not None:
            changed = augment(
                segment_LM, frame_HWC, config=self.augment, inputs=self.inputs, generator=generator
            )
            segment_LM, frame_HWC = changed.segment_LM, changed.frame_HWC
        return _batch(
            self.clips,
            draw.clip,
            frames_PCHW=_finish_frames(frame_HWC[None], self.inputs),
            segments_PLM=segment_LM[None],
            frames=[frame],
        )

    def _frame_of(self, draw: Draw) -> int:
        if self.frame == "middle":
            return self.clips.num_frames // 2
        return int(random_words(self.seed, Purpose.FRAME, draw)[0] % np.uint64(self.clips.num_frames))

    def _generator_of(self, draw: Draw) -> torch.Generator | None:
        if self.augment is None:
            return None
        word = int(random_words(self.seed, Purpose.AUGMENT, draw)[0])
        return torch.Generator().manual_seed(word >> 1)

    def _span_of(self, clip: int, frame: int, generator: torch.Generator | None) -> Span:
        offset = 0
        if self.augment is not None and self.augment.center_jitter and generator is not None:
            offset = random_center_offset(self.augment.center_jitter, generator=generator)
        return segment_span(
            frame,
            num_spectrogram_frames=self.clips.num_spectrogram_frames(clip),
            num_frames=self.clips.num_frames,
            config=self.inputs,
            center_offset=offset,
        )


class ClipDataset(Dataset[Batch]):
    """All frames of a clip in order, each with its segment, as a batch of T pairs.

    Args:
        clips: The prepared clips.
        inputs: Sizes, alignment and normalisation.

    Raises:
        ConfigError: The stored frames are smaller than the model wants.
    """

    def __init__(self, clips: PreparedDataset, *, inputs: InputConfig) -> None:
        _check_pixels(clips, inputs)
        self.clips = clips
        self.inputs = inputs

    def __len__(self) -> int:
        """Number of clips."""
        return len(self.clips)

    def __getitem__(self, index: int) -> Batch:
        """All pairs of a clip."""
        num_frames, length = self.clips.num_frames, self.clips.num_spectrogram_frames(index)
        log_mel_NM = torch.from_numpy(self.clips.read_log_mel_rows(index, start=0, stop=length))
        segments_TLM = cut_segments(
            log_mel_NM, frame_indices=range(num_frames), num_frames=num_frames, config=self.inputs
        )
        frames_TCHW = _finish_frames(self.read_frames(index), self.inputs)
        return self.pairs(index, frames_TCHW=frames_TCHW, segments_TLM=segments_TLM)

    def read_frames(self, index: int) -> Tensor:
        """All frames of a clip as they are stored, uint8 `[T, H, W, C]`."""
        frames = range(self.clips.num_frames)
        return torch.from_numpy(np.stack([self.clips.read_frame(index, frame) for frame in frames]))

    def pairs(self, index: int, *, frames_TCHW: Tensor, segments_TLM: Tensor) -> Batch:
        """All pairs of a clip, from its frames and segments made ready for the model."""
        return _batch(
            self.clips,
            index,
            frames_PCHW=frames_TCHW,
            segments_PLM=segments_TLM,
            frames=list(range(self.clips.num_frames)),
        )


def _batch(
    clips: PreparedDataset,
    index: int,
    *,
    frames_PCHW: Tensor,
    segments_PLM: Tensor,
    frames: list[int],
) -> Batch:
    return Batch(
        frames_PCHW=frames_PCHW,
        segments_PLM=segments_PLM,
        clip_index_P=torch.zeros(len(frames), dtype=torch.int64),
        frame_index_P=torch.tensor(frames),
        row_B=torch.tensor([index]),
        clip_ids=(clips.clip_id(index),),
        labels=(clips.clip_labels(index),),
    )


def _finish_frames(frames_THWC: Tensor, inputs: InputConfig) -> Tensor:
    return normalize_frames(resize_and_crop(frames_THWC, pixels=inputs.frame_pixels))


def _check_pixels(clips: PreparedDataset, inputs: InputConfig) -> None:
    stored = clips.config.frame_pixels
    if stored < inputs.frame_pixels:
        raise ConfigError(
            f"{clips.folder} stores frames of {stored} pixels, fewer than "
            f"inputs.frame_pixels={inputs.frame_pixels}. Prepare it again with more, or ask for fewer."
        )


def _check_augment(augment: AugmentConfig | None, frame: str) -> None:
    if augment is None:
        return
    if augment.mixup_probability:
        raise ConfigError(
            f"augment.mixup_probability={augment.mixup_probability}: PairDataset gives one clip at a time "
            "and does not mix. Set it to 0."
        )
    if frame != "random" and augment != AugmentConfig():
        raise ConfigError('augment changes pairs at random, but frame="middle" is for validation. Drop one.')
