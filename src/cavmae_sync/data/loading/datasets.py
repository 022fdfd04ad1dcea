"""Datasets of prepared clips: one pair of frame and segment per clip, or all pairs.

There is no `try` here. Bad media was rejected in preparation, so an error in training is a real one and stops
the run.

Shapes: P (clip, frame) pairs, C channels, H W pixels, L spectrogram frames per segment, M mel bins.
"""

from collections.abc import Sequence
from typing import Literal

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import Dataset

from cavmae_sync.data.draws import Draw, Purpose, first_random_words, random_words
from cavmae_sync.data.loading.batch import Batch
from cavmae_sync.data.loading.sampler import BatchDraws
from cavmae_sync.data.storage.prepared_dataset import PreparedDataset
from cavmae_sync.errors import ConfigError
from cavmae_sync.inputs import InputConfig, Span, cut_segments, resize_and_crop
from cavmae_sync.inputs.alignment import finish_segments, segment_span
from cavmae_sync.inputs.augment import AugmentConfig, augment
from cavmae_sync.inputs.augment_segments import random_center_offset


class PairDataset(Dataset[Batch]):
    """One frame of a clip and its segment, or several of a clip, as a batch of as many pairs.

    With `frame="random"` the frame (and every augmentation) depends on (seed, epoch, clip) alone, so it is
    the same for any number of workers and after resuming. With "middle" it is frame T // 2, and nothing is
    random.

    Args:
        clips: The prepared clips.
        inputs: Sizes, alignment and normalisation.
        frame: The frame of the clip that is taken.
        moments_per_clip: Pairs of a clip, which stand one behind the other: different frames, drawn at
            random. The first is the frame that would be taken alone.
        shares_moments: Whether all clips of a batch give frames of the same numbers, which follow from the
            number of the batch. The place in a clip then tells no pair from another.
        seed: Seed of the run.
        augment: Random changes in training; None = no changes.

    Raises:
        ConfigError: The stored frames are smaller than the inputs of the model, the augmentation cannot be
            applied to pairs, or clips have fewer frames than moments are wanted.
    """

    def __init__(
        self,
        clips: PreparedDataset,
        *,
        inputs: InputConfig,
        frame: Literal["random", "middle"] = "random",
        moments_per_clip: int = 1,
        shares_moments: bool = False,
        seed: int = 0,
        augment: AugmentConfig | None = None,
    ) -> None:
        _check_pixels(clips, inputs)
        _check_augment(augment, frame)
        _check_moments(moments_per_clip, num_frames=clips.num_frames)
        self.clips = clips
        self.moments_per_clip, self.shares_moments = moments_per_clip, shares_moments
        self.inputs = inputs
        self.frame = frame
        self.seed = seed
        self.augment = augment

    def __len__(self) -> int:
        """Number of clips."""
        return len(self.clips)

    def __getitem__(self, index: int | Draw) -> Batch:
        """Batch of the pairs of a clip.

        Args:
            index: A draw of the sampler; a row number counts as drawn in epoch 0.
        """
        return self.__getitems__([index])

    def __getitems__(self, indices: Sequence[int | Draw]) -> Batch:
        """Batch of the pairs of several clips; `DataLoader` calls this."""
        if isinstance(indices, BatchDraws) and indices.ahead:
            self.clips.read_ahead_clips(indices.ahead)
        of_clips = [index if isinstance(index, Draw) else Draw(0, index) for index in indices]
        frames = self._frames_of(of_clips, batch=indices.batch if isinstance(indices, BatchDraws) else 0)
        draws = [draw for draw in of_clips for _ in range(self.moments_per_clip)]
        generators = self._generators_of(of_clips)
        spans = [
            self._span_of(draw.clip, frame, generator)
            for draw, frame, generator in zip(draws, frames, generators, strict=True)
        ]
        clips = [draw.clip for draw in draws]
        places = list(zip(clips, frames, strict=True))
        rows = [
            span.clipped(self.clips.num_spectrogram_frames(clip))
            for clip, span in zip(clips, spans, strict=True)
        ]
        if len(places) > 1:
            self.clips.read_ahead_pairs(places, rows)
        stored = [self._read_rows(clip, span) for clip, span in zip(clips, rows, strict=True)]
        segments_PLM = finish_segments(stored, spans=spans, config=self.inputs)
        frames_PHWC = self.clips.read_frames(places)
        if self.augment is not None:
            segments_PLM, frames_PHWC = self._augmented(segments_PLM, frames_PHWC, generators)
        return _batch(
            self.clips,
            [draw.clip for draw in of_clips],
            frames_PHWC=resize_and_crop(frames_PHWC, pixels=self.inputs.frame_pixels),
            segments_PLM=segments_PLM,
            frames=frames,
        )

    def _read_rows(self, clip: int, rows: Span) -> Tensor:
        return torch.from_numpy(self.clips.read_log_mel_rows(clip, start=rows.start, stop=rows.stop))

    def _augmented(
        self, segments_PLM: Tensor, frames_PHWC: Tensor, generators: Sequence[torch.Generator | None]
    ) -> tuple[Tensor, Tensor]:
        changed = [
            augment(segment_LM, frame_HWC, config=self.augment, inputs=self.inputs, generator=generator)
            for segment_LM, frame_HWC, generator in zip(segments_PLM, frames_PHWC, generators, strict=True)
            if self.augment is not None and generator is not None
        ]
        segments = torch.stack([pair.segment_LM for pair in changed])
        return segments, torch.stack([pair.frame_HWC for pair in changed])

    def _frames_of(self, draws: Sequence[Draw], *, batch: int) -> list[int]:
        if self.frame == "middle":
            return [self.clips.num_frames // 2] * len(draws)
        if self.shares_moments:  # the draw of a clip that there is not
            return self._different_frames(Draw(batch, len(self))) * len(draws)
        if self.moments_per_clip > 1:
            return [frame for draw in draws for frame in self._different_frames(draw)]
        words = first_random_words(self.seed, Purpose.FRAME, draws)
        return (words % np.uint64(self.clips.num_frames)).tolist()

    def _different_frames(self, draw: Draw) -> list[int]:
        """Frames of a clip, drawn without replacement: each word chooses among those that are left."""
        left = list(range(self.clips.num_frames))
        words = random_words(self.seed, Purpose.FRAME, draw, num=self.moments_per_clip)
        return [left.pop(int(word % np.uint64(len(left)))) for word in words]

    def _generators_of(self, draws: Sequence[Draw]) -> list[torch.Generator | None]:
        """Generator of each pair; the moments of a clip take theirs one after the other."""
        if self.augment is None:
            return [None] * (len(draws) * self.moments_per_clip)
        words = [random_words(self.seed, Purpose.AUGMENT, draw, num=self.moments_per_clip) for draw in draws]
        return [torch.Generator().manual_seed(int(word) >> 1) for each in words for word in each]

    def _span_of(self, clip: int, frame: int, generator: torch.Generator | None) -> Span:
        offset = 0
        if self.augment is not None and self.augment.center_jitter and generator is not None:
            offset = random_center_offset(self.augment.center_jitter, generator=generator)
        return segment_span(
            frame,
            frame_seconds=self.clips.frame_seconds(clip),
            num_spectrogram_frames=self.clips.num_spectrogram_frames(clip),
            config=self.inputs,
            center_offset=offset,
        )


class ClipDataset(Dataset[Batch]):
    """All frames of a clip in order, each with its segment, as a batch of T pairs.

    Args:
        clips: The prepared clips.
        inputs: Sizes, alignment and normalisation.

    Raises:
        ConfigError: The stored frames are smaller than the inputs of the model.
    """

    def __init__(self, clips: PreparedDataset, *, inputs: InputConfig) -> None:
        _check_pixels(clips, inputs)
        self.clips = clips
        self.inputs = inputs

    def __len__(self) -> int:
        """Number of clips."""
        return len(self.clips)

    def __getitem__(self, index: int) -> Batch:
        """Batch of all pairs of a clip."""
        length = self.clips.num_spectrogram_frames(index)
        log_mel_NM = torch.from_numpy(self.clips.read_log_mel_rows(index, start=0, stop=length))
        segments_TLM = cut_segments(
            log_mel_NM, frame_seconds=self.clips.frame_seconds(index), config=self.inputs
        )
        frames_THWC = resize_and_crop(self.read_frames(index), pixels=self.inputs.frame_pixels)
        return self.pairs(index, frames_THWC=frames_THWC, segments_TLM=segments_TLM)

    def read_frames(self, index: int) -> Tensor:
        """All frames of a clip as they are stored, uint8 `[T, H, W, C]`."""
        return self.clips.read_frames([(index, frame) for frame in range(self.clips.num_frames)])

    def pairs(self, index: int, *, frames_THWC: Tensor, segments_TLM: Tensor) -> Batch:
        """Batch of all pairs of a clip, from its frames (see `Batch`) and normalised segments."""
        return _batch(
            self.clips,
            [index],
            frames_PHWC=frames_THWC,
            segments_PLM=segments_TLM,
            frames=list(range(self.clips.num_frames)),
        )


def _batch(
    clips: PreparedDataset,
    rows: list[int],
    *,
    frames_PHWC: Tensor,
    segments_PLM: Tensor,
    frames: list[int],
) -> Batch:
    """Batch of some clips, each with the same number of pairs."""
    clip_ids, labels = clips.ids_and_labels(rows)
    return Batch(
        frames_PHWC=frames_PHWC,
        segments_PLM=segments_PLM,
        clip_index_P=torch.arange(len(rows)).repeat_interleave(len(frames) // len(rows)),
        frame_index_P=torch.tensor(frames),
        row_B=torch.tensor(rows),
        clip_ids=clip_ids,
        labels=labels,
    )


def _check_pixels(clips: PreparedDataset, inputs: InputConfig) -> None:
    stored = clips.config.frame_pixels
    if stored < inputs.frame_pixels:
        raise ConfigError(
            f"{clips.folder} stores frames of {stored} pixels, fewer than "
            f"inputs.frame_pixels={inputs.frame_pixels}. Prepare it again with frame_pixels="
            f"{inputs.frame_pixels}, or set inputs.frame_pixels={stored} or less."
        )


def _check_moments(moments_per_clip: int, *, num_frames: int) -> None:
    if not 1 <= moments_per_clip <= num_frames:
        raise ConfigError(
            f"loop.moments_per_clip={moments_per_clip}, but clips have {num_frames} frames. Set it to 1 to "
            f"{num_frames}."
        )


def _check_augment(augment: AugmentConfig | None, frame: str) -> None:
    if augment is None:
        return
    if augment.mixup_probability:
        raise ConfigError(
            f"augment.mixup_probability={augment.mixup_probability}: pretraining (PairDataset) does not mix "
            "clips. Set it to 0."
        )
    if frame != "random" and augment != AugmentConfig():
        raise ConfigError(
            'augment changes pairs at random, but frame="middle" is for validation. Leave out one of them.'
        )
