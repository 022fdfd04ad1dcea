"""Whole clips with random changes, to train a classifier on frames and sounds.

T frames, H W pixels, C channels, N spectrogram frames of a clip, M mel bins, L of a segment.
"""

import torch
from torch import Tensor

from cavmae_sync import paper
from cavmae_sync.data.draws import Draw, Purpose, random_words
from cavmae_sync.data.loading.batch import Batch
from cavmae_sync.data.loading.datasets import ClipDataset
from cavmae_sync.data.loading.mixtures import Mixing, Mixture
from cavmae_sync.data.storage.prepared_dataset import PreparedDataset
from cavmae_sync.inputs import InputConfig, log_mel, normalize_frames, resize_and_crop
from cavmae_sync.inputs.alignment import finish_segments, segment_span
from cavmae_sync.inputs.augment import AugmentConfig
from cavmae_sync.inputs.augment_frames import random_flip, random_resized_crop
from cavmae_sync.inputs.augment_segments import (
    add_noise,
    mask_bins,
    mask_time,
    random_center_offset,
    roll_time,
)
from cavmae_sync.inputs.mixup import mix_frames, mix_waveforms


class AugmentedClipDataset(ClipDataset):
    """All pairs of a clip, changed together: a mask hides the same span of sound in every segment.

    The changes depend on (seed, epoch, clip, occurrence) alone, not on workers. As in CAV-MAE, waveforms are
    mixed, and the spectrogram of the whole clip is changed before segments are cut from it. Use `mixing` to
    make the targets of the same mixtures.

    Args:
        clips: The prepared clips.
        inputs: Sizes, alignment and normalisation.
        seed: Seed of the run.
        augment: The changes that are made.

    Raises:
        ConfigError: The stored frames are smaller than the model wants.
    """

    def __init__(
        self, clips: PreparedDataset, *, inputs: InputConfig, seed: int, augment: AugmentConfig
    ) -> None:
        super().__init__(clips, inputs=inputs)
        self.seed = seed
        self.augment = augment
        self.mixing = Mixing(seed=seed, num_clips=len(clips), probability=augment.mixup_probability)

    def __getitem__(self, index: int | Draw) -> Batch:
        """Batch of all pairs of a clip; a row number counts as drawn in epoch 0."""
        draw = index if isinstance(index, Draw) else Draw(0, index)
        if self.augment == AugmentConfig():
            return super().__getitem__(draw.clip)
        word = int(random_words(self.seed, Purpose.AUGMENT, draw)[0])
        generator = torch.Generator().manual_seed(word >> 1)
        mixture = self.mixing.mixture_of(draw)
        log_mel_NM = self._changed_sound(self._sound(draw.clip, mixture), generator)
        return self.pairs(
            draw.clip,
            frames_THWC=self._frames(draw.clip, mixture, generator),
            segments_TLM=self._segments(draw.clip, log_mel_NM, generator),
        )

    def _sound(self, clip: int, mixture: Mixture | None) -> Tensor:
        if mixture is None:
            length = self.clips.num_spectrogram_frames(clip)
            return torch.from_numpy(self.clips.read_log_mel_rows(clip, start=0, stop=length)).float()
        first_S, second_S = (
            torch.from_numpy(self.clips.read_waveform(row)) for row in (clip, mixture.partner)
        )
        return log_mel(mix_waveforms(first_S, second_S, weight=mixture.weight))

    def _changed_sound(self, log_mel_NM: Tensor, generator: torch.Generator) -> Tensor:
        """Spectrogram with changes in the order of CAV-MAE: padding, masks, noise, rotation.

        Masked values get the value of padding.
        """
        config = self.augment
        if self.inputs.alignment == "padded":
            log_mel_NM = _padded(
                log_mel_NM
            )  # noise falls on padding too, and padding is rotated with the rest
        if config.frequency_mask_bins:
            log_mel_NM = mask_bins(
                log_mel_NM,
                max_bins=config.frequency_mask_bins,
                value=paper.SPECTROGRAM_PADDING,
                generator=generator,
            )
        if config.time_mask_length:
            log_mel_NM = mask_time(
                log_mel_NM,
                max_length=min(config.time_mask_length, len(log_mel_NM)),  # shorter clips, shorter masks
                value=paper.SPECTROGRAM_PADDING,
                generator=generator,
            )
        if config.noise_amplitude:  # its unit is that of normalised segments
            amplitude = config.noise_amplitude * self.inputs.spectrogram_std
            log_mel_NM = add_noise(log_mel_NM, amplitude=amplitude, generator=generator)
        return roll_time(log_mel_NM, generator=generator) if config.rolls_time else log_mel_NM

    def _segments(self, clip: int, log_mel_NM: Tensor, generator: torch.Generator) -> Tensor:
        """Segments as `cut_segments` makes them, all moved by the same random offset."""
        offset = random_center_offset(self.augment.center_jitter, generator=generator)
        seconds_T, length = self.clips.frame_seconds(clip), len(log_mel_NM)
        spans = [
            segment_span(
                frame,
                frame_seconds=seconds_T,
                num_spectrogram_frames=length,
                config=self.inputs,
                center_offset=offset,
            )
            for frame in range(len(seconds_T))
        ]
        rows = [span.clipped(length) for span in spans]
        return finish_segments([log_mel_NM[r.start : r.stop] for r in rows], spans=spans, config=self.inputs)

    def _frames(self, clip: int, mixture: Mixture | None, generator: torch.Generator) -> Tensor:
        frames_THWC = self._changed_frames(self.read_frames(clip), generator)
        if mixture is None and not self.mixing.probability:
            return frames_THWC
        # Frames of one batch have one dtype, so those that are not mixed are normalised here too.
        mixed_TCHW = normalize_frames(frames_THWC)
        if mixture is not None:
            other_THWC = self._changed_frames(self.read_frames(mixture.partner), generator)
            mixed_TCHW = mix_frames(mixed_TCHW, normalize_frames(other_THWC), weight=mixture.weight)
        return mixed_TCHW.permute(0, 2, 3, 1)

    def _changed_frames(self, frames_THWC: Tensor, generator: torch.Generator) -> Tensor:
        """Frames, each with a crop of its own; either all frames of a clip are mirrored, or none."""
        config, pixels = self.augment, self.inputs.frame_pixels
        if config.flip_probability:
            # All frames on top of each other are one tall frame, so that one draw mirrors all or none.
            tall_HWC = frames_THWC.flatten(0, 1)
            tall_HWC = random_flip(tall_HWC, probability=config.flip_probability, generator=generator)
            frames_THWC = tall_HWC.unflatten(0, frames_THWC.shape[:2])
        if config.crops_frames:
            frames_THWC = torch.stack(
                [random_resized_crop(frame, pixels=pixels, generator=generator) for frame in frames_THWC]
            )
        return resize_and_crop(frames_THWC, pixels=pixels)


def _padded(log_mel_NM: Tensor) -> Tensor:
    """Spectrogram padded or cut to 1024 rows, the length over which frames are spread."""
    padded_NM = log_mel_NM.new_full(
        (paper.SPECTROGRAM_LENGTH, log_mel_NM.shape[1]), paper.SPECTROGRAM_PADDING
    )
    padded_NM[: len(log_mel_NM)] = log_mel_NM[: paper.SPECTROGRAM_LENGTH]
    return padded_NM
