"""Embeddings and reconstructions in, scalars out."""

from cavmae_sync.losses.contrastive import (
    Contrast,
    ContrastConfig,
    Gather,
    Gathered,
    contrastive_loss,
    gather_nothing,
)
from cavmae_sync.losses.reconstruction import normalize_patches, reconstruction_loss
from cavmae_sync.losses.total import (
    LossConfig,
    PretrainLosses,
    combine_losses,
    compared_rows,
    contrast_of,
    pretrain_losses,
)

__all__ = [
    "Contrast",
    "ContrastConfig",
    "Gather",
    "Gathered",
    "LossConfig",
    "PretrainLosses",
    "combine_losses",
    "compared_rows",
    "contrast_of",
    "contrastive_loss",
    "gather_nothing",
    "normalize_patches",
    "pretrain_losses",
    "reconstruction_loss",
]
