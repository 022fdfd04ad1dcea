"""The loss of one pretraining step: contrastive and reconstruction losses, weighted.

P (clip, frame) pairs, L spectrogram frames per segment, M mel bins, C H W a frame,
R kinds of embedding, S the two modalities, D width.
"""

from dataclasses import dataclass, fields

import torch
from pydantic import Field
from torch import Tensor

from cavmae_sync import paper
from cavmae_sync.choices import Representation
from cavmae_sync.config import Config
from cavmae_sync.losses.contrastive import (
    Contrast,
    ContrastConfig,
    Gather,
    contrastive_loss,
    gather_nothing,
)
from cavmae_sync.losses.patch_contrast import PatchPooling, patch_contrastive_loss
from cavmae_sync.losses.reconstruction import reconstruction_loss
from cavmae_sync.model.cavmae_sync import PretrainOutput
from cavmae_sync.model.masking import take_tokens
from cavmae_sync.model.patches import patchify, segment_image


class LossConfig(Config):
    """Loss that a pretraining step minimises."""

    contrastive_weight: float = Field(paper.CONTRASTIVE_WEIGHT, ge=0)
    """Weight of the contrastive loss."""
    reconstruction_weight: float = Field(paper.RECONSTRUCTION_WEIGHT, ge=0)
    """Weight of the sum of both reconstruction losses."""
    reconstruct_every: int = Field(1, gt=0)
    """One of so many pairs is reconstructed; the others are compared only. With a second pass for the
    contrast (`masking.contrastive_mask_ratio`) the first pass encodes only those that are reconstructed."""
    normalize_pixels: bool = True
    """Whether reconstruction targets are standardised patch by patch."""
    contrast: ContrastConfig = ContrastConfig()
    """Comparison of aligned tokens."""
    patch_contrastive_weight: float = Field(0.0, ge=0)
    """Weight of a contrast of sounds with the patches of frames, over the pairs of one pass: it trains the
    cosine of a sound with each patch to be a map."""
    patch_pooling: PatchPooling = "max"
    """How a frame's patches become one similarity: that of the best, or a mean weighted by softmax."""

    @property
    def reads_patch_tokens(self) -> bool:
        """Whether aligned patch tokens are compared, or global tokens alone."""
        return self.contrast.representation != "global" or self.patch_contrastive_weight > 0


@dataclass(frozen=True, kw_only=True, slots=True)
class PretrainLosses:
    """Scalars of one step. The optimiser minimises `total`; the others are unweighted."""

    total: Tensor
    contrastive: Tensor
    audio_reconstruction: Tensor
    visual_reconstruction: Tensor
    contrastive_accuracy: Tensor
    patch_contrastive: Tensor

    def as_row(self) -> Tensor:
        """All scalars as a row in the order of the fields, without gradients, on the device of the model."""
        return torch.stack([getattr(self, field.name).detach() for field in fields(self)])


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
    """Losses of a masked pass over `segments_PLM` and `frames_PCHW`.

    Args:
        output: Output of the model for these inputs.
        segments_PLM: Normalised log-mel `[P, L, 128]`.
        frames_PCHW: Normalised frames `[P, 3, H, W]`.
        contrastive_weight: Weight of the contrastive loss, >= 0.
        reconstruction_weight: Weight of the sum of both reconstruction losses, >= 0.
        normalize_pixels: Whether reconstruction targets are standardised patch by patch.
        contrast: Comparison of aligned tokens; None compares the whole batch of this process.
        gather: Brings rows of all processes together, for `negatives="global"`.

    Source:
        Code: Sync, `CAVMAESync.forward`, which fails where the reconstruction weight is 0.
    """
    contrast = contrast or ContrastConfig(negatives="local")
    config = LossConfig(
        contrastive_weight=contrastive_weight,
        reconstruction_weight=reconstruction_weight,
        normalize_pixels=normalize_pixels,
        contrast=contrast,
    )
    compared = compare_embeddings(compared_embeddings(output, contrast), contrast, gather)
    return combine_losses(compared, output, segments_PLM, frames_PCHW, config)


def compared_embeddings(output: PretrainOutput, config: ContrastConfig) -> Tensor:
    """Embeddings that are compared, `[R, 2, P, D]`, float32 at least: by kind, then sound and frame."""
    kinds: tuple[Representation, ...] = (
        ("global", "patch_mean") if config.representation == "both" else (config.representation,)
    )
    rows = [side.representation(kind) for kind in kinds for side in (output.audio, output.visual)]
    rows_RSPD = torch.stack(rows).unflatten(0, (len(kinds), 2))
    return rows_RSPD.to(torch.promote_types(rows_RSPD.dtype, torch.float32))


def compare_embeddings(
    rows_RSPD: Tensor,
    config: ContrastConfig,
    gather: Gather,
    *,
    moments_per_clip: int = 1,
    temperature: Tensor | None = None,
) -> Contrast:
    """Contrastive loss of embeddings, the mean over their kinds; the accuracy is that of the first kind."""
    parts = [
        contrastive_loss(
            audio_PD,
            visual_PD,
            config=config,
            gather=gather,
            moments_per_clip=moments_per_clip,
            temperature=temperature,
        )
        for audio_PD, visual_PD in rows_RSPD
    ]
    return Contrast(loss=torch.stack([part.loss for part in parts]).mean(), accuracy=parts[0].accuracy)


def combine_losses(
    contrasted: Contrast,
    output: PretrainOutput,
    segments_PLM: Tensor,
    frames_PCHW: Tensor,
    config: LossConfig,
) -> PretrainLosses:
    """`pretrain_losses` from a comparison that has been made.

    A batch in several parts is compared as a whole first (`training/gradient_cache.py`).
    """
    audio = visual = patches = contrasted.loss.new_zeros(())
    if config.patch_contrastive_weight:
        patches = patch_contrastive_loss(
            output.audio.representation(),
            output.visual.patch_tokens_PND,
            pooling=config.patch_pooling,
            temperature=config.contrast.temperature,
        )
    if config.reconstruction_weight:
        audio, visual = (
            reconstruction_loss(
                prediction if output.predicted == "hidden" else take_tokens(prediction, mask.hidden_index()),
                take_tokens(patchify(image[:: config.reconstruct_every]), mask.hidden_index()),
                normalize_pixels=config.normalize_pixels,
            )
            for prediction, image, mask in (
                (output.audio_reconstruction_PNX, segment_image(segments_PLM), output.audio_mask),
                (output.visual_reconstruction_PNX, frames_PCHW, output.visual_mask),
            )
        )
    total = config.reconstruction_weight * (audio + visual) + config.contrastive_weight * contrasted.loss
    return PretrainLosses(
        total=total + config.patch_contrastive_weight * patches if config.patch_contrastive_weight else total,
        contrastive=contrasted.loss,
        audio_reconstruction=audio,
        visual_reconstruction=visual,
        contrastive_accuracy=contrasted.accuracy,
        patch_contrastive=patches,
    )
