"""Both losses of one pretraining step.

P (clip, frame) pairs, L spectrogram frames per segment, M mel bins, C H W a frame.
"""

from dataclasses import dataclass

import torch
from pydantic import Field
from torch import Tensor

from cavmae_sync import paper
from cavmae_sync.choices import Representation
from cavmae_sync.config import Config
from cavmae_sync.losses.contrastive import Contrast, ContrastConfig, Gather, contrastive_loss, gather_nothing
from cavmae_sync.losses.reconstruction import reconstruction_loss
from cavmae_sync.model.cavmae_sync import PretrainOutput
from cavmae_sync.model.patches import patchify, segment_picture


class LossConfig(Config):
    """What a pretraining step minimises."""

    contrastive_weight: float = Field(paper.CONTRASTIVE_WEIGHT, ge=0)
    """Weight of the contrastive loss."""
    reconstruction_weight: float = Field(paper.RECONSTRUCTION_WEIGHT, ge=0)
    """Weight of the sum of both reconstruction losses."""
    normalize_pixels: bool = True
    """Whether reconstruction targets are standardised patch by patch."""
    contrast: ContrastConfig = ContrastConfig()
    """How aligned tokens are compared."""


@dataclass(frozen=True, kw_only=True, slots=True)
class PretrainLosses:
    """Scalars of one step. `total` is what the optimiser minimises; the others are unweighted."""

    total: Tensor
    contrastive: Tensor
    audio_reconstruction: Tensor
    visual_reconstruction: Tensor
    contrastive_accuracy: Tensor


def pretrain_losses(
    output: PretrainOutput,
    segments_PLM: Tensor,
    frames_PCHW: Tensor,
    *,
    contrastive_weight: float = paper.CONTRASTIVE_WEIGHT,
    reconstruction_weight: float = paper.RECONSTRUCTION_WEIGHT,
    normalize_pixels: bool = True,
    contrast: ContrastConfig | None = None,
    gather: Gather = gather_nothing,
) -> PretrainLosses:
    """The losses of a masked pass over `segments_PLM` and `frames_PCHW`.

    Args:
        output: What the model gave for these inputs.
        segments_PLM: Normalised log-mel `[P, L, 128]`.
        frames_PCHW: Normalised frames `[P, 3, H, W]`.
        contrastive_weight: Weight of the contrastive loss, >= 0.
        reconstruction_weight: Weight of the sum of both reconstruction losses, >= 0.
        normalize_pixels: Whether reconstruction targets are standardised patch by patch.
        contrast: How aligned tokens are compared; None compares the whole batch of this process.
        gather: Brings rows of all processes together, for `negatives="global"`.

    Source:
        Spec 2.8. Either weight may be 0 (the official code fails for the reconstruction weight).
    """
    contrasted = _compare(output, contrast or ContrastConfig(negatives="local"), gather)
    if reconstruction_weight == 0:
        audio = visual = contrasted.loss.new_zeros(())
    else:
        audio, visual = (
            reconstruction_loss(
                prediction, patchify(picture), mask.hidden_PN, normalize_pixels=normalize_pixels
            )
            for prediction, picture, mask in (
                (output.audio_reconstruction_PNX, segment_picture(segments_PLM), output.audio_mask),
                (output.visual_reconstruction_PNX, frames_PCHW, output.visual_mask),
            )
        )
    return PretrainLosses(
        total=reconstruction_weight * (audio + visual) + contrastive_weight * contrasted.loss,
        contrastive=contrasted.loss,
        audio_reconstruction=audio,
        visual_reconstruction=visual,
        contrastive_accuracy=contrasted.accuracy,
    )


def _compare(output: PretrainOutput, config: ContrastConfig, gather: Gather) -> Contrast:
    kinds: tuple[Representation, ...] = (
        ("global", "patch_mean") if config.representation == "both" else (config.representation,)
    )
    parts = [
        contrastive_loss(
            output.audio.representation(kind),
            output.visual.representation(kind),
            config=config,
            gather=gather,
        )
        for kind in kinds
    ]
    return Contrast(loss=torch.stack([part.loss for part in parts]).mean(), accuracy=parts[0].accuracy)
