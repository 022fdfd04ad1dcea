"""Masks that follow from the seed and the number of a pair, not from the process that draws them.

Processes that read clips draw them too (`MaskedPairs`), so that the training process need not.

P pairs of this process, N patches.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import Dataset

from cavmae_sync.data import Batch, BatchDraws, PairDataset
from cavmae_sync.data.draws import Draw, Purpose, random_words
from cavmae_sync.model import Mask, MaskingConfig, MaskPair, ModelConfig, structured_noise


@dataclass(frozen=True, kw_only=True, slots=True)
class StepMasks:
    """Masks of one pass. `contrastive` are those of a second encoder pass, or None without one."""

    audio: Mask
    visual: Mask
    contrastive: MaskPair | None

    def to(self, device: torch.device) -> "StepMasks":
        """Masks on a device."""
        return self.each(lambda tensor: tensor.to(device))

    def part(self, span: slice) -> "StepMasks":
        """Masks of some of the pairs."""
        return self.each(lambda tensor: tensor[span])

    def each(self, change_tensor: Callable[[Tensor], Tensor]) -> "StepMasks":
        """Masks whose every tensor is changed by a function."""

        def change(mask: Mask) -> Mask:
            return Mask(keep_PK=change_tensor(mask.keep_PK), hidden_PN=change_tensor(mask.hidden_PN))

        pair = self.contrastive
        return StepMasks(
            audio=change(self.audio),
            visual=change(self.visual),
            contrastive=pair
            and MaskPair(audio=pair.audio and change(pair.audio), visual=pair.visual and change(pair.visual)),
        )


class MaskSampler:
    """Draws masks for numbered pairs.

    Args:
        model: Shape of the model; its grids of patches are masked.
        masking: How patches are hidden.
        seed: Seed of the run.
        purpose: Training or validation; they never share draws.
    """

    def __init__(self, model: ModelConfig, masking: MaskingConfig, *, seed: int, purpose: Purpose) -> None:
        self.masking, self.seed, self.purpose = masking, seed, purpose
        self.grids = {"audio": model.audio_grid, "visual": model.visual_grid}

    def draw(self, pairs: Sequence[Draw], *, step: int = 0) -> StepMasks:
        """Draw the masks of some pairs.

        Args:
            pairs: Numbers of the pairs; equal numbers give equal masks.
            step: Number of the step. It alone decides ratios that are drawn from a range, so all processes
                draw the same ones.
        """
        num_audio, num_visual = (rows * columns for rows, columns in self.grids.values())
        num_axes = sum(self.grids["audio"])
        counts = [num_audio, num_visual, num_axes, num_audio, num_visual]
        words = np.stack([random_words(self.seed, self.purpose, pair, num=sum(counts)) for pair in pairs])
        # The upper 24 bits of a word become a float32 in [0, 1), exactly.
        noise = torch.from_numpy((words >> np.uint64(40)).astype(np.float32) * np.float32(2.0**-24))
        audio, visual, axes, second_audio, second_visual = noise.split(counts, dim=1)
        audio_ratio, visual_ratio = self._ratios(step)
        audio = structured_noise(
            audio, axes, grid=self.grids["audio"], ratio=audio_ratio, mode=self.masking.audio_mode
        )
        return StepMasks(
            audio=Mask.from_noise(audio, ratio=audio_ratio),
            visual=Mask.from_noise(visual, ratio=visual_ratio),
            contrastive=self._second(second_audio, second_visual, step),
        )

    def _ratios(self, step: int) -> tuple[float, float]:
        if self.masking.ratio_range is None:
            return self.masking.ratio, self.masking.ratio
        low, high = self.masking.ratio_range
        words = random_words(self.seed, Purpose.MASK_RATIO, Draw(step, int(self.purpose)), num=2)
        audio, visual = (float(word) * 2.0**-64 for word in words)
        return low + (high - low) * audio, low + (high - low) * visual

    def _second(self, audio_PN: Tensor, visual_PN: Tensor, step: int) -> MaskPair | None:
        ratio = self.masking.contrastive_mask_ratio
        if self.masking.contrastive_ratio_range is not None:
            low, high = self.masking.contrastive_ratio_range
            word = random_words(self.seed, Purpose.MASK_RATIO, Draw(step, int(self.purpose)), num=3)[2]
            ratio = low + (high - low) * float(word) * 2.0**-64
        if ratio is None:
            return None
        if ratio == 0:
            return MaskPair(audio=None, visual=None)
        return MaskPair(
            audio=Mask.from_noise(audio_PN, ratio=ratio), visual=Mask.from_noise(visual_PN, ratio=ratio)
        )


@dataclass(frozen=True, kw_only=True, slots=True)
class MaskedBatch:
    """Pairs of one step and their masks."""

    pairs: Batch
    masks: StepMasks

    def __len__(self) -> int:
        """Number of pairs."""
        return len(self.pairs)

    def to(self, device: torch.device) -> "MaskedBatch":
        """Copy on a device; asynchronous when it is in pinned memory."""
        return self.each(lambda tensor: tensor.to(device, non_blocking=True))

    def pin_memory(self) -> "MaskedBatch":
        """Copy in pinned memory. `DataLoader` calls this."""
        return self.each(Tensor.pin_memory)

    def each(self, change: Callable[[Tensor], Tensor]) -> "MaskedBatch":
        """Copy whose every tensor is changed by a function."""
        return MaskedBatch(pairs=self.pairs.each(change), masks=self.masks.each(change))


class MaskedPairs(Dataset[MaskedBatch]):
    """Pairs with masks, read and drawn together: by the loader's processes, where there are any.

    Args:
        pairs: The pairs.
        masks: Draws the masks of a pair by the number of its batch and its place in that.
    """

    def __init__(self, pairs: PairDataset, masks: MaskSampler) -> None:
        self.pairs, self.masks = pairs, masks

    def __len__(self) -> int:
        """Number of clips."""
        return len(self.pairs)

    def __getitems__(self, draws: BatchDraws) -> MaskedBatch:
        """Pairs and masks of this process's share of a batch; `DataLoader` calls this."""
        moments = self.pairs.moments_per_clip
        places = range(draws.first_place * moments, (draws.first_place + len(draws)) * moments)
        masks = self.masks.draw([Draw(draws.batch, place) for place in places], step=draws.batch)
        return MaskedBatch(pairs=self.pairs.__getitems__(draws), masks=masks)
