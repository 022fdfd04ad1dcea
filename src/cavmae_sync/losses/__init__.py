"""Losses of pretraining: output of a masked pass in, scalars with gradients out.

contrastive     a frame and its own sound are nearer than the frame and other sounds
patch_contrast  the same for a sound and the patches of a frame
reconstruction  predicted patch values are near the true ones
pretraining     both, weighted
"""

from cavmae_sync.losses.contrastive import (
    Contrast,
    ContrastConfig,
    Gather,
    Gathered,
    contrastive_loss,
    gather_nothing,
)
from cavmae_sync.losses.pretraining import (
    LossConfig,
    PretrainLosses,
    combine_losses,
    compare_embeddings,
    compared_embeddings,
    pretrain_losses,
)
from cavmae_sync.losses.reconstruction import normalize_patches, reconstruction_loss

__all__ = [
    "Contrast",
    "ContrastConfig",
    "Gather",
    "Gathered",
    "LossConfig",
    "PretrainLosses",
    "combine_losses",
    "compare_embeddings",
    "compared_embeddings",
    "contrastive_loss",
    "gather_nothing",
    "normalize_patches",
    "pretrain_losses",
    "reconstruction_loss",
]
