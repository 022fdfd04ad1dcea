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
from cavmae_sync.losses.total import LossConfig, PretrainLosses, pretrain_losses

__all__ = [
    "Contrast",
    "ContrastConfig",
    "Gather",
    "Gathered",
    "LossConfig",
    "PretrainLosses",
    "contrastive_loss",
    "gather_nothing",
    "normalize_patches",
    "pretrain_losses",
    "reconstruction_loss",
]
