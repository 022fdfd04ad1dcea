"""Forward pass and losses of one pretraining step, as the one module that is wrapped for several processes.

P (clip, frame) pairs, L spectrogram frames per segment, M mel bins, C H W a frame, R kinds of embedding,
S the two modalities, D width.
"""

import math
from collections.abc import Callable
from typing import Final, NamedTuple

import torch
from torch import Tensor, nn

from cavmae_sync.choices import TrainingPrecision
from cavmae_sync.compute import matrix_products_in
from cavmae_sync.losses import (
    Contrast,
    Gather,
    LossConfig,
    combine_losses,
    compare_embeddings,
    compared_embeddings,
)
from cavmae_sync.model import CAVMAESync, PretrainOutput, RequestedOutputs
from cavmae_sync.model.cavmae_sync import Predicted
from cavmae_sync.training.masks import StepMasks

#: Least learned temperature. Source: Radford et al., "Learning Transferable Visual Models From Natural
#: Language Supervision" (CLIP, 2021): logits are scaled by 100 at most.
LEAST_TEMPERATURE: Final = 0.01


class StepLosses(NamedTuple):
    """Losses of one pass, in a form in which torch finds the tensors when several processes share a step.

    Attributes:
        total: Loss that is minimised, a scalar with gradients.
        row_L: All losses in the order of the fields of `PretrainLosses`, without gradients.
    """

    total: Tensor
    row_L: Tensor


class PretrainStep(nn.Module):
    """A model and its losses, in the precision of the run. Outputs that no loss reads are not computed.

    Args:
        model: The model.
        losses: Loss that is minimised.
        precision: Precision of the forward pass.
        gather: Brings rows of all processes together.
        moments_per_clip: Pairs of each clip, which stand one behind the other.
    """

    def __init__(
        self,
        model: CAVMAESync,
        losses: LossConfig,
        *,
        precision: TrainingPrecision,
        gather: Gather,
        moments_per_clip: int = 1,
    ) -> None:
        super().__init__()
        self.model = model
        self.losses, self.precision, self.gather = losses, precision, gather
        self.moments_per_clip = moments_per_clip
        # One value in a vector, because parameters that are shared out over processes need an axis.
        device = next(model.parameters()).device
        start = torch.full((1,), math.log(losses.contrast.temperature), device=device)
        self.log_temperature = nn.Parameter(start) if losses.contrast.learns_temperature else None

    def forward(
        self,
        segments_PLM: Tensor,
        frames_PCHW: Tensor,
        masks: StepMasks,
        compare: Callable[[Tensor], Contrast] | None = None,
    ) -> StepLosses:
        """Losses of one pass.

        Args:
            segments_PLM: Normalised log-mel.
            frames_PCHW: Normalised frames.
            masks: Patches that are hidden.
            compare: Compares embeddings `[R, S, P, D]`; None compares the pairs of this pass.
        """
        predicted: Predicted = "none" if self.losses.reconstruction_weight == 0 else "hidden"
        output = self._pass(segments_PLM, frames_PCHW, masks, predicted)
        losses = combine_losses(
            (compare or self.compare)(compared_embeddings(output, self.losses.contrast)),
            output,
            segments_PLM,
            frames_PCHW,
            self.losses,
        )
        return StepLosses(losses.total, losses.as_row())

    def embed(self, segments_PLM: Tensor, frames_PCHW: Tensor, masks: StepMasks) -> Tensor:
        """Embeddings that are compared, `[R, S, P, D]`, without a pass through the decoder."""
        return compared_embeddings(self._pass(segments_PLM, frames_PCHW, masks, "none"), self.losses.contrast)

    def compare(self, rows_RSPD: Tensor) -> Contrast:
        """Contrastive loss of embeddings `[R, S, P, D]`."""
        temperature = None
        if self.log_temperature is not None:
            temperature = self.log_temperature.exp().clamp(min=LEAST_TEMPERATURE)
        return compare_embeddings(
            rows_RSPD,
            self.losses.contrast,
            self.gather,
            moments_per_clip=self.moments_per_clip,
            temperature=temperature,
        )

    def own_parameters(self) -> dict[str, nn.Parameter]:
        """Parameters that are trained and do not belong to the model."""
        return {name: value for name, value in self.named_parameters() if not name.startswith("model.")}

    def _pass(
        self, segments_PLM: Tensor, frames_PCHW: Tensor, masks: StepMasks, predicted: Predicted
    ) -> PretrainOutput:
        with matrix_products_in(self.precision, segments_PLM.device):
            return self.model(
                segments_PLM,
                frames_PCHW,
                audio_mask=masks.audio,
                visual_mask=masks.visual,
                contrastive_masks=masks.contrastive,
                outputs=RequestedOutputs(
                    predicted=predicted,
                    predict_every=self.losses.reconstruct_every,
                    patch_tokens=self.losses.reads_patch_tokens,
                ),
            )
